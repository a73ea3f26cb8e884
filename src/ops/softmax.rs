//! Softmax and its logarithm.

use super::check::{Contiguous, check_shape};
use super::copy_into;
use crate::error::{Error, Result};
use crate::exec::{current_isa, for_each_rows};
use crate::kernels::softmax::{Form, Rows};
use crate::simd::{Isa, dispatch};
use crate::tensor::{Tensor, View, ViewMut};

/// Three passes and an exponential, in elements of a scaled copy.
pub(super) const WEIGHT: usize = 8;

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
