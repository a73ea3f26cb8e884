//! The loss of a classifier.

use super::write_to;
use crate::error::{Error, Result, check_number};
use crate::exec::{current_isa, for_each_rows_and_item, with_f64_scratch};
use crate::kernels::softmax::CrossEntropy;
use crate::ops::check::{Contiguous, check_length, check_rank, check_shape};
use crate::ops::softmax::WEIGHT;
use crate::simd::{Isa, dispatch};
use crate::tensor::{View, ViewMut};

/// The mean over a batch of -ln softmax(row)\[label\], for `logits` of shape [batch, classes]; if `grad` is
/// given, it receives the gradient of that mean: (softmax(row) - onehot(label)) / batch.
///
/// The exponentials and their sum are those of [`softmax`](crate::ops::softmax); the loss of each row and the mean are then
/// computed in f64. A row without a softmax has the loss NaN, and so does the batch. In the gradient an exponential
/// below 2^-64 counts as zero: without that, rows that are known by heart end in products of subnormal numbers, which
/// take a processor a hundred times as long.
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
    cross_entropy(logits.into(), labels, 0.0, grad)
}

/// [`softmax_cross_entropy`] against targets of which a share `smoothing` is spread evenly over the classes:
/// the mean over the batch of -sum_c target_c ln softmax(row)_c, with
/// target = (1 - smoothing) onehot(label) + smoothing / classes; `grad` receives
/// (softmax(row) - target) / batch. A smoothing of 0 gives the bits of [`softmax_cross_entropy`].
///
/// Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision", section 7; the
/// `label_smoothing` of PyTorch's `cross_entropy`.
///
/// A logit of minus infinity, to which every target gives a share, has an infinite loss.
///
/// ```
/// use elision::{Tensor, ops};
/// let logits = Tensor::zeros(&[1, 4])?;
/// let mut grad = Tensor::zeros(&[1, 4])?;
/// let loss = ops::softmax_cross_entropy_smoothed(&logits, &[2], 0.5, Some(grad.view_mut()))?;
/// assert!((loss - 4f64.ln()).abs() < 1e-7);
/// assert_eq!(grad.as_slice(), [0.125, 0.125, -0.375, 0.125]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`softmax_cross_entropy`], and [`Error::Number`] if `smoothing` is not in [0, 1).
pub fn softmax_cross_entropy_smoothed<'a>(
    logits: impl Into<View<'a>>,
    labels: &[u32],
    smoothing: f64,
    grad: Option<ViewMut<'_>>,
) -> Result<f64> {
    let valid = (0.0..1.0).contains(&smoothing);
    check_number("label smoothing", smoothing, valid)?;
    cross_entropy(logits.into(), labels, smoothing, grad)
}

fn cross_entropy(
    logits: View<'_>,
    labels: &[u32],
    smoothing: f64,
    grad: Option<ViewMut<'_>>,
) -> Result<f64> {
    let n = check_batch(logits, labels)?;
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
        smoothing,
    };
    match grad {
        None => batch.run(None),
        Some(grad) => write_to(grad, |grad| batch.run(Some([grad]))),
    }
}

/// The number of classes, if every row has a label below it.
fn check_batch(logits: View<'_>, labels: &[u32]) -> Result<usize> {
    check_rank("logits", logits, 2)?;
    let (batch, classes) = (logits.shape()[0], logits.shape()[1]);
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
    smoothing: f64,
}

impl Batch<'_> {
    /// The mean loss, summed in the order of the rows.
    fn run(&self, grad: Option<[&mut [f32]; 1]>) -> Result<f64> {
        let batch = self.labels.len();
        with_f64_scratch("losses", batch, |losses| {
            for_each_rows_and_item(grad, losses, self.n, WEIGHT, |first, grad, losses| {
                self.piece(first, grad, losses);
            });
            losses.iter().sum::<f64>() / batch as f64
        })
    }

    /// The rows from `first` on, as many as `losses`.
    fn piece(&self, first: usize, grad: Option<[&mut [f32]; 1]>, losses: &mut [f64]) {
        let (n, end) = (self.n, first + losses.len());
        let (logits, labels) = (&self.logits[first * n..end * n], &self.labels[first..end]);
        let scale = (1.0 / self.labels.len() as f64) as f32;
        dispatch(
            self.isa,
            CrossEntropy {
                logits,
                n,
                labels,
                smoothing: self.smoothing,
                losses,
                grad: grad.map(|[grad]| grad),
                scale,
            },
        );
    }
}
