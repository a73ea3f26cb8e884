//! Softmax, its logarithm, and the loss of a classifier.

use super::check::{Contiguous, check_length, check_shape};
use super::copy_into;
use crate::error::{Error, Result};
use crate::exec::{current_isa, for_each_rows, for_each_rows_and_item, with_f64_scratch};
use crate::kernels::softmax::{CrossEntropy, Form, Rows};
use crate::simd::{Isa, dispatch};
use crate::tensor::{Tensor, View, ViewMut};

/// Three passes and an exponential, in elements of a scaled copy.
const WEIGHT: usize = 8;

/// e^(x - max) / sum(e^(x - max)) along an axis.
///
/// The result is a function of the elements along the axis and of nothing else: not of the axis, the
/// strides, the instruction set or the number of threads, to the bit. Where an element is NaN or plus
/// infinity, or all are minus infinity, all results along the axis are NaN. An empty axis is no error.
///
/// ```
/// use elision::{Tensor, ops};
/// let x = Tensor::from_slice(&[0.0, 0.0, 1000.0, 1000.0], &[2, 2])?;
/// assert_eq!(ops::softmax(&x, 1)?.as_slice(), [0.5; 4]);
/// assert_eq!(ops::softmax(&x, 0)?.as_slice(), [0.0, 0.0, 1.0, 1.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Axis`], and [`Error::Overflow`] if memory cannot be allocated.
pub fn softmax<'a>(x: impl Into<View<'a>>, axis: usize) -> Result<Tensor> {
    along(Form::Softmax, x.into(), axis)
}

/// [`softmax`], written to `out`.
///
/// # Errors
/// [`Error::Axis`], [`Error::Shape`] if `out` has not the shape of `x`, and [`Error::Overflow`] if a copy is
/// needed (the axis is not the last, or a view not contiguous) and cannot be allocated.
pub fn softmax_into<'a, 'b>(
    x: impl Into<View<'a>>,
    axis: usize,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    along_into(Form::Softmax, x.into(), axis, out.into())
}

/// The logarithm of [`softmax`], without forming it: x - max - ln(sum(e^(x - max))).
///
/// # Errors
/// Those of [`softmax`].
pub fn log_softmax<'a>(x: impl Into<View<'a>>, axis: usize) -> Result<Tensor> {
    along(Form::LogSoftmax, x.into(), axis)
}

/// [`log_softmax`], written to `out`.
///
/// # Errors
/// Those of [`softmax_into`].
pub fn log_softmax_into<'a, 'b>(
    x: impl Into<View<'a>>,
    axis: usize,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    along_into(Form::LogSoftmax, x.into(), axis, out.into())
}

fn along(form: Form, x: View<'_>, axis: usize) -> Result<Tensor> {
    let mut out = Tensor::zeros(x.shape())?;
    along_into(form, x, axis, out.view_mut())?;
    Ok(out)
}

fn along_into(form: Form, x: View<'_>, axis: usize, mut out: ViewMut<'_>) -> Result<()> {
    let rank = x.rank();
    if axis >= rank {
        return Err(Error::Axis { axis, rank });
    }
    check_shape("output", x.shape(), out.shape())?;
    let (isa, n) = (current_isa()?, x.shape()[axis]);
    if x.is_empty() {
        return Ok(());
    }
    // The elements along the axis become rows, of a copy where they are not: one algorithm, and so the
    // same bits, for every axis.
    let (last, moved) = (rank - 1, x.transpose(axis, rank - 1)?);
    let moved = Contiguous::new(moved)?;
    if axis == last
        && let Some(out) = out.as_mut_slice()
    {
        rows(isa, form, n, moved.as_slice(), out);
        return Ok(());
    }
    let out = out.transpose(axis, last)?;
    let mut packed = Tensor::zeros(out.shape())?;
    rows(isa, form, n, moved.as_slice(), packed.as_mut_slice());
    copy_into(&packed, out)
}

fn rows(isa: Isa, form: Form, n: usize, x: &[f32], out: &mut [f32]) {
    for_each_rows(x, out, n, WEIGHT, |x, out| {
        dispatch(isa, Rows { x, out, n, form })
    });
}

/// The mean over a batch of -ln softmax(row)\[label\], for `logits` of shape [batch, classes]; if `grad` is
/// given, it receives the gradient of that mean: (softmax(row) - onehot(label)) / batch.
///
/// The exponentials and their sum are those of [`softmax`]; the loss of each row and the mean are then
/// computed in f64. A row without a softmax has the loss NaN, and so does the batch.
///
/// ```
/// use elision::{Tensor, ops};
/// let logits = Tensor::zeros(&[2, 2])?;
/// let mut grad = Tensor::zeros(&[2, 2])?;
/// let loss = ops::softmax_cross_entropy(&logits, &[0, 1], Some(grad.view_mut()))?;
/// assert!((loss - 2f64.ln()).abs() < 1e-7);
/// assert_eq!(grad.as_slice(), [-0.25, 0.25, 0.25, -0.25]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] if `logits` is no matrix, [`Error::Empty`] if it has no rows, [`Error::Length`] if there
/// is not a label for each row, [`Error::Label`] if one is out of range, [`Error::Shape`] if `grad` has not
/// the shape of `logits`, [`Error::Overflow`] if memory cannot be allocated.
pub fn softmax_cross_entropy<'a>(
    logits: impl Into<View<'a>>,
    labels: &[u32],
    grad: Option<ViewMut<'_>>,
) -> Result<f64> {
    let logits = logits.into();
    let n = check_batch(&logits, labels)?;
    if let Some(grad) = &grad {
        check_shape("gradient", logits.shape(), grad.shape())?;
    }
    let isa = current_isa()?;
    let logits = Contiguous::new(logits)?;
    let batch = Batch {
        isa,
        logits: logits.as_slice(),
        n,
        labels,
    };
    let Some(mut grad) = grad else {
        return batch.run(None);
    };
    if let Some(grad) = grad.as_mut_slice() {
        return batch.run(Some(grad));
    }
    let mut packed = Tensor::zeros(grad.shape())?;
    let loss = batch.run(Some(packed.as_mut_slice()))?;
    copy_into(&packed, grad)?;
    Ok(loss)
}

/// The number of classes, if every row has a label below it.
fn check_batch(logits: &View<'_>, labels: &[u32]) -> Result<usize> {
    let &[batch, classes] = logits.shape() else {
        return Err(Error::Rank {
            what: "logits",
            expected: 2,
            found: logits.rank(),
        });
    };
    if batch == 0 {
        return Err(Error::Empty("the mean loss"));
    }
    check_length("labels", batch, labels.len())?;
    match labels.iter().position(|&label| label as usize >= classes) {
        Some(row) => Err(Error::Label {
            row,
            label: labels[row],
            classes,
        }),
        None => Ok(classes),
    }
}

/// Checked arguments: at least one row, and a class for each.
struct Batch<'a> {
    isa: Isa,
    logits: &'a [f32],
    n: usize,
    labels: &'a [u32],
}

impl Batch<'_> {
    /// The mean loss, summed in the order of the rows.
    fn run(&self, grad: Option<&mut [f32]>) -> Result<f64> {
        let batch = self.labels.len();
        with_f64_scratch("losses", batch, |losses| {
            for_each_rows_and_item(grad, losses, self.n, WEIGHT, |first, grad, losses| {
                self.piece(first, grad, losses);
            });
            losses.iter().sum::<f64>() / batch as f64
        })
    }

    /// The rows from `first` on, as many as `losses`.
    fn piece(&self, first: usize, grad: Option<&mut [f32]>, losses: &mut [f64]) {
        let (n, end) = (self.n, first + losses.len());
        let (logits, labels) = (&self.logits[first * n..end * n], &self.labels[first..end]);
        let scale = (1.0 / self.labels.len() as f64) as f32;
        dispatch(
            self.isa,
            CrossEntropy {
                logits,
                n,
                labels,
                losses,
                grad,
                scale,
            },
        );
    }
}
