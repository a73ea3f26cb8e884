//! Alpha dropout.

use crate::error::Result;
use crate::exec::{current_isa, for_each_chunk};
use crate::kernels::alpha::Saturate;
use crate::mask::Mask;
use crate::noise::AlphaDropout;
use crate::ops::check::{check_length, check_shape};
use crate::ops::elementwise::copy_into;
use crate::ops::select::select_into;
use crate::simd::{Isa, dispatch};
use crate::tensor::{Tensor, View, ViewMut};

/// Cost of an element against an element of a scaled copy.
const WEIGHT: usize = 1;

/// Alpha dropout in training: the output, and the mask that [`alpha_dropout_backward_into`] takes.
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if the result does not fit in memory.
pub fn alpha_dropout<'a>(x: impl Into<View<'a>>, alpha: &AlphaDropout) -> Result<(Tensor, Mask)> {
    let x = x.into();
    let mask = Mask::draw(alpha.dropout(), x.len())?;
    let mut out = Tensor::zeros(x.shape())?;
    alpha_dropout_into(x, alpha, &mask, &mut out)?;
    Ok((out, mask))
}

/// Alpha dropout by the bits of a mask: `a x + b` where it keeps and `a α' + b` elsewhere, NaN included.
///
/// The mask is that of [`Mask::draw`] with [`AlphaDropout::dropout`], or one on a reduced shape that was
/// [broadcast](Mask::broadcast): *feature alpha dropout* drops a whole feature map of a sample.
///
/// ```
/// use elision::{AlphaDropout, Key, Mask, Tensor, ops};
/// let images = Tensor::full(&[4, 5, 5, 3], 1.0)?;
/// let alpha = AlphaDropout::new(Key::new(1), 0.5)?;
/// let features = Mask::draw(alpha.dropout(), 4 * 3)?.broadcast(&[4, 1, 1, 3], &[4, 5, 5, 3])?;
/// let mut y = Tensor::zeros(&[4, 5, 5, 3])?;
/// ops::alpha_dropout_into(&images, &alpha, &features, &mut y)?;
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if the mask has another length than `x`,
/// [`Error::Shape`](crate::Error::Shape) if `out` has another shape.
pub fn alpha_dropout_into<'a, 'b>(
    x: impl Into<View<'a>>,
    alpha: &AlphaDropout,
    mask: &Mask,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (x, mut out) = (x.into(), out.into());
    check_shape("output of alpha dropout", x.shape(), out.shape())?;
    check_length("mask of alpha dropout", x.len(), mask.len())?;
    if alpha.dropout().p() == 0.0 {
        return copy_into(x, out);
    }
    let isa = current_isa()?;
    if let (Some(x), Some(out)) = (x.as_slice(), out.as_mut_slice()) {
        saturate(isa, alpha, mask, Some(x), out);
        return Ok(());
    }
    let mut copy = x.to_tensor()?;
    saturate(isa, alpha, mask, None, copy.as_mut_slice());
    copy_into(&copy, out)
}

/// The gradient of alpha dropout: `a g` where the mask keeps, `+0.0` elsewhere.
///
/// # Errors
/// Those of [`alpha_dropout_into`].
pub fn alpha_dropout_backward_into<'a, 'b>(
    g: impl Into<View<'a>>,
    alpha: &AlphaDropout,
    mask: &Mask,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    select_into(g, mask, alpha.scale() as f32, out)
}

fn saturate(isa: Isa, alpha: &AlphaDropout, mask: &Mask, x: Option<&[f32]>, out: &mut [f32]) {
    let values = [alpha.scale(), alpha.shift(), alpha.dropped()].map(|value| value as f32);
    let words = mask.as_words();
    for_each_chunk(out, WEIGHT, |offset, out| {
        let x = x.map(|x| &x[offset..offset + out.len()]);
        dispatch(
            isa,
            Saturate {
                x,
                out,
                words,
                offset,
                values,
            },
        );
    });
}
