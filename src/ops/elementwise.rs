//! Arithmetic on pairs of elements, with broadcasting.
//!
//! Two shapes are aligned at their last axis; where the sizes differ, the one that is 1 (or absent) is
//! repeated. Every result is correctly rounded, so it has the same bits on every instruction set, except
//! that the payload of a NaN is not specified.

use super::strided::{map_in_place, map_into, zip_in_place, zip_into};
use crate::error::Result;
use crate::kernels::elementwise::{Add, Binary, Copied, Div, Mul, Scaled, Sub};
use crate::tensor::{Tensor, View, ViewMut, broadcast_shapes};

/// A pair costs about as much as an element of a scaled copy: both wait for memory.
const WEIGHT: usize = 1;

fn zip<O: Binary>(op: O, a: View<'_>, b: View<'_>) -> Result<Tensor> {
    let mut out = Tensor::zeros(&broadcast_shapes(a.shape(), b.shape())?)?;
    zip_into(op, WEIGHT, a, b, out.view_mut())?;
    Ok(out)
}

/// Writes the two public forms of one operation.
macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident, $into:ident = $op:expr;)+) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::Broadcast`](crate::Error::Broadcast) if the shapes do not fit.
        pub fn $name<'a, 'b>(a: impl Into<View<'a>>, b: impl Into<View<'b>>) -> Result<Tensor> {
            zip($op, a.into(), b.into())
        }

        $(#[$doc])*
        /// The result goes to `out`.
        ///
        /// # Errors
        /// [`Error::Broadcast`](crate::Error::Broadcast) if the shapes do not fit, and
        /// [`Error::Shape`](crate::Error::Shape) if `out` has not the shape of the result.
        pub fn $into<'a, 'b, 'c>(
            a: impl Into<View<'a>>,
            b: impl Into<View<'b>>,
            out: impl Into<ViewMut<'c>>,
        ) -> Result<()> {
            zip_into($op, WEIGHT, a.into(), b.into(), out.into())
        }
    )+};
}

binary! {
    /// `a + b`, broadcast.
    ///
    /// ```
    /// use elision::{Tensor, ops};
    /// let matrix = Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0], &[2, 2])?;
    /// let row = Tensor::from_slice(&[10.0, 20.0], &[2])?;
    /// let mut sum = ops::add(&matrix, &row)?;
    /// assert_eq!(sum.as_slice(), [11.0, 22.0, 13.0, 24.0]);
    /// ops::add_into(matrix.view().transpose(0, 1)?, &row, &mut sum)?;
    /// assert_eq!(sum.as_slice(), [11.0, 23.0, 12.0, 24.0]);
    /// # Ok::<(), elision::Error>(())
    /// ```
    add, add_into = Add;
    /// `a - b`, broadcast.
    sub, sub_into = Sub;
    /// `a * b`, broadcast.
    mul, mul_into = Mul;
    /// `a / b`, broadcast.
    div, div_into = Div;
}

/// `out += b`, with `b` broadcast to the shape of `out`.
///
/// # Errors
/// [`Error::Broadcast`](crate::Error::Broadcast) if it does not fit.
pub fn add_assign<'a, 'b>(out: impl Into<ViewMut<'a>>, b: impl Into<View<'b>>) -> Result<()> {
    zip_in_place(Add, WEIGHT, out.into(), b.into())
}

/// `out *= b`, with `b` broadcast to the shape of `out`.
///
/// # Errors
/// [`Error::Broadcast`](crate::Error::Broadcast) if it does not fit.
pub fn mul_assign<'a, 'b>(out: impl Into<ViewMut<'a>>, b: impl Into<View<'b>>) -> Result<()> {
    zip_in_place(Mul, WEIGHT, out.into(), b.into())
}

/// Writes `x * factor` to `out`.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `out` has not the shape of `x`.
pub fn scale_into<'a, 'b>(
    x: impl Into<View<'a>>,
    factor: f32,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    map_into(Scaled(factor), WEIGHT, x.into(), out.into())
}

/// `out *= factor`.
///
/// # Errors
/// [`Error::UnknownIsa`](crate::Error::UnknownIsa) if `ELISION_MAX_ISA` holds an unknown word.
pub fn scale_in_place<'a>(out: impl Into<ViewMut<'a>>, factor: f32) -> Result<()> {
    map_in_place(Scaled(factor), WEIGHT, out.into())
}

/// Writes `x`, broadcast to the shape of `out`, to `out`, bit for bit.
///
/// # Errors
/// [`Error::Broadcast`](crate::Error::Broadcast) if it does not fit.
pub fn copy_into<'a, 'b>(x: impl Into<View<'a>>, out: impl Into<ViewMut<'b>>) -> Result<()> {
    let (x, out) = (x.into(), out.into());
    map_into(Copied, WEIGHT, x.broadcast_to(out.shape())?, out)
}
