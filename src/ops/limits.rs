//! Norms, and limits on gradients and weights.

use super::check::Contiguous;
use super::copy_into;
use super::loss::sum;
use super::strided::map_in_place;
use crate::error::{Error, Result, check_number};
use crate::exec::{current_isa, for_each_heavy_chunk};
use crate::kernels::limits::{Clipped, MaxNorm, Square};
use crate::simd::{Isa, dispatch};
use crate::tensor::{Tensor, View, ViewMut};

/// The sum of the squares of all elements: of nothing it is zero.
///
/// The squares are exact, and their sum is formed in f64 in a fixed order: it overflows for no finite
/// elements, and has the same bits on every instruction set, for any number of threads and any strides. The
/// root of the sum over all of a network's gradients is what clipping by a global norm compares.
///
/// ```
/// use elision::{Tensor, ops};
/// let x = Tensor::from_slice(&[3.0, 0.0, 4e20], &[3])?;
/// assert_eq!(ops::squared_norm(&x)?, 9.0 + f64::from(4e20_f32).powi(2));
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Overflow`] if a copy is needed (the view is not contiguous) and cannot be allocated.
pub fn squared_norm<'a>(x: impl Into<View<'a>>) -> Result<f64> {
    let (isa, x) = (current_isa()?, Contiguous::new(x.into())?);
    sum(isa, Square, [x.as_slice()], None, 0.0)
}

/// Moves each element into `-limit..=limit`; a NaN stays.
///
/// ```
/// use elision::{Tensor, ops};
/// let mut x = Tensor::from_slice(&[-3.0, 0.5, f32::INFINITY], &[3])?;
/// ops::clip_in_place(&mut x, 1.0)?;
/// assert_eq!(x.as_slice(), [-1.0, 0.5, 1.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Number`] if `limit` is negative or not finite.
pub fn clip_in_place<'a>(x: impl Into<ViewMut<'a>>, limit: f32) -> Result<()> {
    check_number(
        "limit of clipping",
        limit,
        limit >= 0.0 && limit.is_finite(),
    )?;
    map_in_place(Clipped(limit), 1, x.into())
}

/// Scales each row of `w` whose norm is above `c` to the norm `c`, up to rounding; other rows keep their bits,
/// and so do those that hold a NaN or an infinity.
///
/// For weights of shape [units, inputs] a row is what comes into a unit; with more axes it is everything but
/// the first. Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
/// section 5.1, with c around 3 or 4. The same bits on every instruction set and for any number of threads.
///
/// ```
/// use elision::{Tensor, ops};
/// let mut w = Tensor::from_slice(&[3.0, 4.0, 0.3, 0.4], &[2, 2])?;
/// ops::max_norm_rows_in_place(&mut w, 2.5)?;
/// assert_eq!(w.as_slice(), [1.5, 2.0, 0.3, 0.4]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] if `w` has fewer than two axes, [`Error::Number`] if `c` is not positive and finite,
/// [`Error::Overflow`] if a copy is needed (the view is not contiguous) and cannot be allocated.
pub fn max_norm_rows_in_place<'a>(w: impl Into<ViewMut<'a>>, c: f32) -> Result<()> {
    let mut w = w.into();
    check_number("largest norm of a row", c, c > 0.0 && c.is_finite())?;
    if w.rank() < 2 {
        return Err(Error::Rank {
            what: "weights",
            expected: 2,
            found: w.rank(),
        });
    }
    let isa = current_isa()?;
    if w.is_empty() {
        return Ok(());
    }
    let n = w.len() / w.shape()[0];
    if let Some(w) = w.as_mut_slice() {
        rows(isa, w, n, c);
        return Ok(());
    }
    let mut packed: Tensor = w.as_view().to_tensor()?;
    rows(isa, packed.as_mut_slice(), n, c);
    copy_into(&packed, w)
}

fn rows(isa: Isa, w: &mut [f32], n: usize, c: f32) {
    let limit = f64::from(c);
    for_each_heavy_chunk(w, 2, n, |_, w| dispatch(isa, MaxNorm { w, n, limit }));
}
