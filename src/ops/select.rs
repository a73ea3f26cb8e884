//! Selection by the bits of a mask, and the bits of a selection.

use crate::error::Result;
use crate::exec::{current_isa, for_each_chunk};
use crate::kernels::keep::Positive;
use crate::kernels::select::{Apply, Each};
use crate::mask::Mask;
use crate::ops::check::{Contiguous, check_length, check_shape};
use crate::ops::elementwise::copy_into;
use crate::simd::{Isa, dispatch};
use crate::tensor::{View, ViewMut};

/// Cost of an element, and of a word of 64 signs, against an element of a scaled copy.
const SELECT_WEIGHT: usize = 1;
const SIGN_WORD_WEIGHT: usize = 32;

/// `x * scale` where the mask keeps and `+0.0` elsewhere, NaN and infinity included; elements are counted in
/// row-major order.
///
/// ```
/// use elision::{Mask, Tensor, ops};
/// let x = Tensor::from_slice(&[1.0, f32::NAN, 3.0], &[3])?;
/// let mut y = Tensor::zeros(&[3])?;
/// ops::select_into(&x, &Mask::from_bools(&[true, false, true]), 2.0, &mut y)?;
/// assert_eq!(y.as_slice(), [2.0, 0.0, 6.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if the mask has another length than `x`,
/// [`Error::Shape`](crate::Error::Shape) if `out` has another shape.
pub fn select_into<'a, 'b>(
    x: impl Into<View<'a>>,
    mask: &Mask,
    scale: f32,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (x, mut out) = (x.into(), out.into());
    check_shape("output of a selection", x.shape(), out.shape())?;
    check_length("mask of a selection", x.len(), mask.len())?;
    let isa = current_isa()?;
    match (x.as_slice(), out.as_mut_slice()) {
        (Some(x), Some(out)) => select(isa, Some(x), mask, scale, out),
        _ => {
            let mut copy = x.to_tensor()?;
            select(isa, None, mask, scale, copy.as_mut_slice());
            copy_into(&copy, out)?;
        }
    }
    Ok(())
}

/// Selects from `x`, or in place, on as many threads as the work is worth.
pub(super) fn select(isa: Isa, x: Option<&[f32]>, mask: &Mask, scale: f32, out: &mut [f32]) {
    let words = mask.as_words();
    for_each_chunk(out, SELECT_WEIGHT, |start, out| {
        let x = x.map(|x| &x[start..start + out.len()]);
        let bits = Each { words, at: start };
        dispatch(
            isa,
            Apply {
                x,
                out,
                bits,
                scale,
            },
        );
    });
}

/// Where the derivative of ReLU is 1, given its input or its output: bit i is 0 where `y[i] <= 0` and 1 elsewhere,
/// NaN included.
///
/// ```
/// use elision::{Tensor, ops};
/// let y = Tensor::from_slice(&[1.0, 0.0, -2.0, 3.0], &[2, 2])?;
/// assert_eq!(ops::relu_mask(&y)?.to_bools(), [true, false, false, true]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if `y` is not contiguous and a copy cannot be allocated.
pub fn relu_mask<'a>(y: impl Into<View<'a>>) -> Result<Mask> {
    let y = Contiguous::new(y.into())?;
    let mut mask = Mask::none(y.as_slice().len());
    positive(current_isa()?, y.as_slice(), &mut mask);
    Ok(mask)
}

/// Sets the bits of a mask that is as long as `y`: 0 where `y <= 0`, 1 elsewhere.
pub(super) fn positive(isa: Isa, y: &[f32], mask: &mut Mask) {
    for_each_chunk(mask.words_mut(), SIGN_WORD_WEIGHT, |start, words| {
        let y = &y[64 * start..y.len().min(64 * (start + words.len()))];
        dispatch(isa, Positive { y, words });
    });
}
