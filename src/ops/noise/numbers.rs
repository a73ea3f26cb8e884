//! Normal and uniform numbers of a key.

use super::combine;
use crate::error::Result;
use crate::exec::current_isa;
use crate::kernels::noise::Number;
use crate::key::Key;
use crate::ops::check::ContiguousMut;
use crate::rng::{Law, Normal, Unit};
use crate::tensor::{Tensor, ViewMut};

fn fill(key: Key, law: impl Law, out: ViewMut<'_>) -> Result<()> {
    let isa = current_isa()?;
    let mut out = ContiguousMut::new(out)?;
    combine(isa, (key, law, Number), None, out.as_mut_slice());
    out.finish()
}

/// Standard normal numbers: element i, in row-major order, is a function of (key, i) alone.
///
/// They are those of Box and Muller (1958, <https://doi.org/10.1214/aoms/1177706645>), with the same bits on every
/// instruction set and for any number of threads; `docs/determinism.md` specifies them. None is beyond 6.6 in size, which
/// a true normal number is once in 2^34.
///
/// ```
/// use elision::{Key, ops};
/// let n = ops::normal(Key::new(1), &[100, 100])?;
/// let mean = n.as_slice().iter().sum::<f32>() / 1e4;
/// let square = n.as_slice().iter().map(|n| n * n).sum::<f32>() / 1e4;
/// assert!(mean.abs() < 0.05 && (square - 1.0).abs() < 0.05);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::RankLimit`](crate::Error::RankLimit) and [`Error::Overflow`](crate::Error::Overflow) for shapes that no
/// tensor has.
pub fn normal(key: Key, shape: &[usize]) -> Result<Tensor> {
    let mut out = Tensor::zeros(shape)?;
    normal_into(key, &mut out)?;
    Ok(out)
}

/// [`normal`] into given memory.
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if `out` is not contiguous and a copy cannot be allocated.
pub fn normal_into<'a>(key: Key, out: impl Into<ViewMut<'a>>) -> Result<()> {
    fill(key.named(NORMAL), Normal, out.into())
}

/// Numbers uniform in the open interval (0, 1): element i, in row-major order, is a function of (key, i) alone, one of
/// the 2^23 odd multiples of 2^-24.
///
/// ```
/// use elision::{Key, ops};
/// let u = ops::uniform(Key::new(1), &[1000])?;
/// assert!(u.as_slice().iter().all(|&u| 0.0 < u && u < 1.0));
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::RankLimit`](crate::Error::RankLimit) and [`Error::Overflow`](crate::Error::Overflow) for shapes that no
/// tensor has.
pub fn uniform(key: Key, shape: &[usize]) -> Result<Tensor> {
    let mut out = Tensor::zeros(shape)?;
    uniform_into(key, &mut out)?;
    Ok(out)
}

/// [`uniform`] into given memory.
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if `out` is not contiguous and a copy cannot be allocated.
pub fn uniform_into<'a>(key: Key, out: impl Into<ViewMut<'a>>) -> Result<()> {
    fill(key.named(UNIFORM), Unit, out.into())
}

/// The names of the streams, so that a mask and the numbers of one key have nothing in common.
pub(super) const NORMAL: &str = "normal";
pub(super) const UNIFORM: &str = "uniform";
