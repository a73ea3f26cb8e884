//! Normalisation: of rows ([`rows`]: layer norm and its form without a mean) and of columns ([`columns`]:
//! batch norm, and the gradients of the parameters of both).
//!
//! Sums along a row are taken in f32 on 16 lanes, by a tree that is a function of the row's length; sums over
//! rows are taken in f64. A mean is kept in two parts, f32 and f32: with one, a row of large numbers that
//! differ little would be off by the rounding of its mean.

pub(crate) mod columns;
pub(crate) mod rows;

/// A number as the nearest f32 and what is left of it.
#[inline(always)]
pub(crate) fn split(x: f64) -> (f32, f32) {
    let near = x as f32;
    (near, (x - f64::from(near)) as f32)
}
