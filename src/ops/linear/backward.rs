//! The backward pass.

use super::saved::is_smooth;
use super::{Saved, bits, check_linear};
use crate::activation::Activation;
use crate::dropout::Dropout;
use crate::epilogue::Epilogue;
use crate::error::Result;
use crate::exec::{column_sums, current_isa};
use crate::kernels::gemm::Operand;
use crate::mask::Mask;
use crate::ops::activation::{activate_backward, activate_backward_in_place};
use crate::ops::check::{check_length, check_shape};
use crate::ops::dropout::dropout_backward;
use crate::ops::elementwise::copy_into;
use crate::ops::matmul::{Factors, operand, product_into};
use crate::simd::Isa;
use crate::tensor::{Tensor, View, ViewMut};

/// The gradients of a linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearGrads {
    /// With respect to the input: shape `[m, k]`.
    pub x: Tensor,
    /// With respect to the weights: shape `[n, k]`.
    pub w: Tensor,
    /// With respect to the bias: shape `[n]`.
    pub bias: Tensor,
}

/// Where the gradients of a linear layer go; one that is `None` is not computed.
#[derive(Debug, Default)]
pub struct LinearGradsInto<'a> {
    /// Shape `[m, k]`.
    pub x: Option<ViewMut<'a>>,
    /// Shape `[n, k]`.
    pub w: Option<ViewMut<'a>>,
    /// Shape `[n]`.
    pub bias: Option<ViewMut<'a>>,
}

/// The gradients of [`linear`](crate::ops::linear), from the gradient `g` of its output (shape `[m, n]`), its inputs and what
/// it saved.
///
/// # Errors
/// [`Error::Rank`](crate::Error::Rank), [`Error::Shape`](crate::Error::Shape) or [`Error::Length`](crate::Error::Length) if the shapes do not fit or `saved` is another
/// call's; [`Error::Overflow`](crate::Error::Overflow) if a gradient does not fit in memory.
pub fn linear_backward<'a, 'b, 'c>(
    g: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    w: impl Into<View<'c>>,
    epilogue: &Epilogue<'_>,
    saved: &Saved,
) -> Result<LinearGrads> {
    let (g, x, w) = (g.into(), x.into(), w.into());
    let (_, n, _) = check_linear(x, w, epilogue)?;
    let mut grads = LinearGrads {
        x: Tensor::zeros(x.shape())?,
        w: Tensor::zeros(w.shape())?,
        bias: Tensor::zeros(&[n])?,
    };
    let into = LinearGradsInto {
        x: Some(grads.x.view_mut()),
        w: Some(grads.w.view_mut()),
        bias: Some(grads.bias.view_mut()),
    };
    linear_backward_into(g, x, w, epilogue, saved, into)?;
    Ok(grads)
}

/// [`linear_backward`] into given memory.
///
/// After ReLU or no activation no masked copy of `g` is written: the bits are applied while `g` is packed
/// for each product. A smooth activation's derivative is multiplied into one copy.
///
/// # Errors
/// As [`linear_backward`], and [`Error::Shape`](crate::Error::Shape) if a gradient has another shape than its variable.
pub fn linear_backward_into<'a, 'b, 'c>(
    g: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    w: impl Into<View<'c>>,
    epilogue: &Epilogue<'_>,
    saved: &Saved,
    grads: LinearGradsInto<'_>,
) -> Result<()> {
    let (g, x, w) = (g.into(), x.into(), w.into());
    let (m, n, k) = check_linear(x, w, epilogue)?;
    check_shape("gradient of linear's output", &[m, n], g.shape())?;
    check_grads(&grads, m, n, k)?;
    check_saved(epilogue, saved, m, n)?;
    let isa = current_isa()?;
    let scale = epilogue.dropout.as_ref().map_or(1.0, Dropout::scale);
    if let Some(sums) = &saved.pre_activation {
        let dz = smooth_gradient(g, epilogue, saved.kept.as_ref(), sums)?;
        return backward_products(isa, operand(dz.view()), x, w, (m, n, k), grads);
    }
    let g = Operand {
        bits: saved.kept.as_ref().map(|kept| bits(kept, n, scale)),
        ..operand(g)
    };
    backward_products(isa, g, x, w, (m, n, k), grads)
}

/// The gradient before a smooth activation: through dropout, then times the derivative.
fn smooth_gradient(
    g: View<'_>,
    epilogue: &Epilogue<'_>,
    kept: Option<&Mask>,
    sums: &Tensor,
) -> Result<Tensor> {
    let Some(dropout) = &epilogue.dropout else {
        return activate_backward(g, sums, epilogue.activation);
    };
    let mut dz = dropout_backward(g, dropout, kept)?;
    activate_backward_in_place(&mut dz, sums, epilogue.activation)?;
    Ok(dz)
}

/// The products of the gradient before the activation.
pub(super) fn backward_products(
    isa: Isa,
    dz: Operand<'_>,
    x: View<'_>,
    w: View<'_>,
    (m, n, _): (usize, usize, usize),
    grads: LinearGradsInto<'_>,
) -> Result<()> {
    if let Some(out) = grads.x {
        let factors = Factors {
            a: dz,
            b: operand(w),
            depth: n,
        };
        product_into(isa, factors, out)?;
    }
    if let Some(out) = grads.w {
        let factors = Factors {
            a: dz.transposed(),
            b: operand(x),
            depth: m,
        };
        product_into(isa, factors, out)?;
    }
    if let Some(mut out) = grads.bias {
        if let Some(sums) = out.as_mut_slice() {
            column_sums(isa, dz, m, sums);
            return Ok(());
        }
        let mut copy = Tensor::zeros(&[n])?;
        column_sums(isa, dz, m, copy.as_mut_slice());
        copy_into(&copy, out)?;
    }
    Ok(())
}

pub(super) fn check_grads(grads: &LinearGradsInto<'_>, m: usize, n: usize, k: usize) -> Result<()> {
    let check = |what, expected: &[usize], grad: &Option<ViewMut<'_>>| {
        grad.as_ref()
            .map_or(Ok(()), |grad| check_shape(what, expected, grad.shape()))
    };
    check("gradient of linear's input", &[m, k], &grads.x)?;
    check("gradient of linear's weights", &[n, k], &grads.w)?;
    check("gradient of linear's bias", &[n], &grads.bias)
}

pub(super) fn check_saved(
    epilogue: &Epilogue<'_>,
    saved: &Saved,
    m: usize,
    n: usize,
) -> Result<()> {
    let what = "saved state of linear";
    let bits = epilogue.dropout.is_some() || epilogue.activation == Activation::Relu;
    let found = saved.kept.as_ref().map_or(0, Mask::len);
    let expected = if bits { m * n } else { 0 };
    check_length(what, expected, found)?;
    let found = saved.pre_activation.as_ref().map_or(&[][..], Tensor::shape);
    let expected: &[usize] = if is_smooth(epilogue.activation) {
        &[m, n]
    } else {
        &[]
    };
    check_shape(what, expected, found)
}
