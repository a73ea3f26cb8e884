//! Elementwise operations, one index at a time.

use crate::error::Result;
use crate::tensor::{Tensor, View, broadcast_shapes};

/// `f` of every element.
///
/// # Errors
/// Those of allocating the result.
pub fn map(x: View<'_>, f: impl Fn(f32) -> f32) -> Result<Tensor> {
    Tensor::from_vec(x.iter().map(f).collect(), x.shape())
}

/// `f` of every pair of elements, broadcast.
///
/// # Errors
/// [`Error::Broadcast`](crate::Error::Broadcast) if the shapes do not fit.
pub fn zip(a: View<'_>, b: View<'_>, f: impl Fn(f32, f32) -> f32) -> Result<Tensor> {
    let shape = broadcast_shapes(a.shape(), b.shape())?;
    let (a, b) = (a.broadcast_to(&shape)?, b.broadcast_to(&shape)?);
    let pairs = a.iter().zip(b.iter());
    Tensor::from_vec(pairs.map(|(a, b)| f(a, b)).collect(), &shape)
}
