//! One of two tensors, element by element.

use super::check::{Contiguous, ContiguousMut, check_length, check_shape};
use crate::error::Result;
use crate::exec::for_each_chunk;
use crate::mask::Mask;
use crate::tensor::{View, ViewMut};

/// Cost of an element against one of a scaled copy.
const WEIGHT: usize = 4;

/// `a` where the mask keeps and `b` elsewhere, bit for bit; elements are counted in row-major order.
///
/// ```
/// use elision::{Mask, Tensor, ops};
/// let (a, b) = (Tensor::full(&[3], 1.0)?, Tensor::full(&[3], 2.0)?);
/// let mut y = Tensor::zeros(&[3])?;
/// ops::choose_into(&a, &b, &Mask::from_bools(&[true, false, true]), &mut y)?;
/// assert_eq!(y.as_slice(), [1.0, 2.0, 1.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if the three tensors have not one shape,
/// [`Error::Length`](crate::Error::Length) if the mask has another length,
/// [`Error::Overflow`](crate::Error::Overflow) if a copy is needed and cannot be allocated.
pub fn choose_into<'a, 'b, 'c>(
    a: impl Into<View<'a>>,
    b: impl Into<View<'b>>,
    mask: &Mask,
    out: impl Into<ViewMut<'c>>,
) -> Result<()> {
    let (a, b, out) = (a.into(), b.into(), out.into());
    check_shape("second tensor of a choice", a.shape(), b.shape())?;
    check_shape("output of a choice", a.shape(), out.shape())?;
    check_length("mask of a choice", a.len(), mask.len())?;
    let (a, b) = (Contiguous::new(a)?, Contiguous::new(b)?);
    let (a, b, mut out) = (a.as_slice(), b.as_slice(), ContiguousMut::new(out)?);
    let words = mask.as_words();
    for_each_chunk(out.as_mut_slice(), WEIGHT, |start, out| {
        let end = start + out.len();
        let pairs = a[start..end].iter().zip(&b[start..end]);
        for (i, (out, (a, b))) in (start..).zip(out.iter_mut().zip(pairs)) {
            let kept = words[i / 64] >> (i % 64) & 1 == 1;
            *out = if kept { *a } else { *b };
        }
    });
    out.finish()
}
