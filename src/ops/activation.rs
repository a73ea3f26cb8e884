//! Activations, their gradients and a few plain functions.

use super::check::{Contiguous, check_shape};
use super::copy_into;
use crate::activation::Activation;
use crate::error::Result;
use crate::exec::{current_isa, for_each_chunk};
use crate::kernels::activation::{Apply, Backward, Function, activation_weight};
use crate::simd::{Isa, dispatch};
use crate::tensor::{Tensor, View, ViewMut};

/// The activation of each element. The same bits on every instruction set and number of threads;
/// `docs/accuracy.md` states how near they are.
///
/// ```
/// use elision::{Activation, Tensor, ops};
/// let x = Tensor::from_slice(&[-1.0, 0.0, 2.0], &[3])?;
/// assert_eq!(ops::activate(&x, Activation::Relu)?.as_slice(), [0.0, 0.0, 2.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if the result cannot be allocated.
pub fn activate<'a>(x: impl Into<View<'a>>, a: Activation) -> Result<Tensor> {
    map(Function::Activation(a), x.into())
}

/// [`activate`], written to `out`.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `out` has not the shape of `x`, [`Error::Overflow`](crate::Error::Overflow) if one of them is not contiguous
/// and a copy cannot be allocated.
pub fn activate_into<'a, 'b>(
    x: impl Into<View<'a>>,
    a: Activation,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    map_into(Function::Activation(a), x.into(), out.into())
}

/// [`activate`], in place.
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if `x` is not contiguous and a copy cannot be allocated.
pub fn activate_in_place<'a>(x: impl Into<ViewMut<'a>>, a: Activation) -> Result<()> {
    map_in_place(Function::Activation(a), x.into())
}

/// The gradient of `z`, given the gradient `g` of the activation of `z`: `g * a'(z)`. It takes the
/// pre-activation, from which no derivative cancels more than it must; the identity's is `g`, bit for bit.
///
/// ```
/// use elision::{Activation, Tensor, ops};
/// let g = Tensor::from_slice(&[3.0, 4.0], &[2])?;
/// let z = Tensor::from_slice(&[-1.0, 1.0], &[2])?;
/// assert_eq!(ops::activate_backward(&g, &z, Activation::Relu)?.as_slice(), [0.0, 4.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `z` has not the shape of `g`, [`Error::Overflow`](crate::Error::Overflow) if memory cannot be allocated.
pub fn activate_backward<'a, 'b>(
    g: impl Into<View<'a>>,
    z: impl Into<View<'b>>,
    a: Activation,
) -> Result<Tensor> {
    let (g, z) = (g.into(), z.into());
    check_shape("pre-activation", g.shape(), z.shape())?;
    let mut out = Tensor::zeros(g.shape())?;
    activate_backward_into(g, z, a, &mut out)?;
    Ok(out)
}

/// [`activate_backward`], written to `out`.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `z` or `out` has not the shape of `g`, [`Error::Overflow`](crate::Error::Overflow) if one of them is not
/// contiguous and a copy cannot be allocated.
pub fn activate_backward_into<'a, 'b, 'c>(
    g: impl Into<View<'a>>,
    z: impl Into<View<'b>>,
    a: Activation,
    out: impl Into<ViewMut<'c>>,
) -> Result<()> {
    let (g, z, mut out) = (g.into(), z.into(), out.into());
    check_shape("pre-activation", g.shape(), z.shape())?;
    check_shape("output", g.shape(), out.shape())?;
    let isa = current_isa()?;
    let (g, z) = (Contiguous::new(g)?, Contiguous::new(z)?);
    if let Some(out) = out.as_mut_slice() {
        backward(isa, a, Some(g.as_slice()), z.as_slice(), out);
        return Ok(());
    }
    let mut packed = Tensor::zeros(out.shape())?;
    backward(
        isa,
        a,
        Some(g.as_slice()),
        z.as_slice(),
        packed.as_mut_slice(),
    );
    copy_into(&packed, out)
}

/// [`activate_backward`], written over `g`.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `z` has not the shape of `g`, [`Error::Overflow`](crate::Error::Overflow) if one of them is not contiguous
/// and a copy cannot be allocated.
pub fn activate_backward_in_place<'a, 'b>(
    g: impl Into<ViewMut<'a>>,
    z: impl Into<View<'b>>,
    a: Activation,
) -> Result<()> {
    let (mut g, z) = (g.into(), z.into());
    check_shape("pre-activation", g.shape(), z.shape())?;
    let isa = current_isa()?;
    let z = Contiguous::new(z)?;
    if let Some(g) = g.as_mut_slice() {
        backward(isa, a, None, z.as_slice(), g);
        return Ok(());
    }
    let mut packed = g.as_view().to_tensor()?;
    backward(isa, a, None, z.as_slice(), packed.as_mut_slice());
    copy_into(&packed, g)
}

/// Writes the two public forms of one function.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident, $into:ident = $function:expr;)+) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Error::Overflow`](crate::Error::Overflow) if the result cannot be allocated.
        pub fn $name<'a>(x: impl Into<View<'a>>) -> Result<Tensor> {
            map($function, x.into())
        }

        $(#[$doc])*
        /// The result goes to `out`.
        ///
        /// # Errors
        /// [`Error::Shape`](crate::Error::Shape) if `out` has not the shape of `x`, [`Error::Overflow`](crate::Error::Overflow) if one of them is not
        /// contiguous and a copy cannot be allocated.
        pub fn $into<'a, 'b>(x: impl Into<View<'a>>, out: impl Into<ViewMut<'b>>) -> Result<()> {
            map_into($function, x.into(), out.into())
        }
    )+};
}

functions! {
    /// e^x of each element.
    exp, exp_into = Function::Exp;
    /// The natural logarithm of each element: minus infinity at zero, NaN below.
    ln, ln_into = Function::Ln;
    /// The error function of each element.
    erf, erf_into = Function::Erf;
    /// [`Activation::Relu`] of each element.
    relu, relu_into = Function::Activation(Activation::Relu);
    /// [`Activation::GeluTanh`] of each element.
    gelu, gelu_into = Function::Activation(Activation::GeluTanh);
    /// [`Activation::GeluErf`] of each element.
    gelu_erf, gelu_erf_into = Function::Activation(Activation::GeluErf);
    /// The hyperbolic tangent of each element.
    tanh, tanh_into = Function::Activation(Activation::Tanh);
    /// [`Activation::Sigmoid`] of each element.
    sigmoid, sigmoid_into = Function::Activation(Activation::Sigmoid);
}

fn map(function: Function, x: View<'_>) -> Result<Tensor> {
    let isa = current_isa()?;
    if let Some(slice) = x.as_slice() {
        let mut out = Tensor::zeros(x.shape())?;
        apply(isa, function, Some(slice), out.as_mut_slice());
        return Ok(out);
    }
    let mut out = x.to_tensor()?;
    apply(isa, function, None, out.as_mut_slice());
    Ok(out)
}

fn map_into(function: Function, x: View<'_>, mut out: ViewMut<'_>) -> Result<()> {
    check_shape("output", x.shape(), out.shape())?;
    let isa = current_isa()?;
    if let (Some(x), Some(out)) = (x.as_slice(), out.as_mut_slice()) {
        apply(isa, function, Some(x), out);
        return Ok(());
    }
    copy_into(&map(function, x)?, out)
}

fn map_in_place(function: Function, mut x: ViewMut<'_>) -> Result<()> {
    let isa = current_isa()?;
    if let Some(x) = x.as_mut_slice() {
        apply(isa, function, None, x);
        return Ok(());
    }
    let packed = map(function, x.as_view())?;
    copy_into(&packed, x)
}

/// `out = function(x)`, or in place, on as many threads as the work is worth.
fn apply(isa: Isa, function: Function, x: Option<&[f32]>, out: &mut [f32]) {
    for_each_chunk(out, function.weight(), |start, out| {
        let x = x.map(|x| &x[start..start + out.len()]);
        dispatch(isa, Apply { function, x, out });
    });
}

/// `out = g * a'(z)`, or in place, on as many threads as the work is worth.
fn backward(isa: Isa, a: Activation, g: Option<&[f32]>, z: &[f32], out: &mut [f32]) {
    for_each_chunk(out, activation_weight(a), |start, out| {
        let range = start..start + out.len();
        let (g, z) = (g.map(|g| &g[range.clone()]), &z[range.clone()]);
        dispatch(isa, Backward { a, g, z, out });
    });
}
