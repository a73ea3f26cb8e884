//! The backward pass.

use super::{Checked, LinearInput, Residuals, bits, check_linear};
use crate::dropout::Dropout;
use crate::epilogue::Epilogue;
use crate::error::Result;
use crate::exec::{column_sums, current_isa, with_scratch};
use crate::kernels::gemm::{Operand, Plane, Right, TileEpilogue};
use crate::mask::Mask;
use crate::ops::activation::{activate_backward_in_place, activate_backward_into};
use crate::ops::check::check_shape;
use crate::ops::dropout::dropout_backward_into;
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
/// it saved: a `&Saved`, or [`Saved::with_output`](crate::ops::Saved::with_output) where ReLU's bits were not
/// saved. The gradients are the same, bit for bit.
///
/// # Errors
/// [`Error::Rank`](crate::Error::Rank), [`Error::Shape`](crate::Error::Shape) or [`Error::Length`](crate::Error::Length) if the shapes do not fit or `saved` is another
/// call's; [`Error::Unsupported`](crate::Error::Unsupported) if ReLU's bits were not saved and no output is
/// given; [`Error::Overflow`](crate::Error::Overflow) if a gradient does not fit in memory.
pub fn linear_backward<'a, 'b, 'c, 'd>(
    g: impl Into<View<'a>>,
    x: impl Into<LinearInput<'b>>,
    w: impl Into<View<'c>>,
    epilogue: &Epilogue<'_>,
    saved: impl Into<Residuals<'d>>,
) -> Result<LinearGrads> {
    let (g, x, w) = (g.into(), x.into(), w.into());
    let mut grads = LinearGrads::zeros(check_linear(x.x, w, epilogue)?)?;
    linear_backward_into(g, x, w, epilogue, saved, grads.views())?;
    Ok(grads)
}

impl LinearGrads {
    pub(super) fn zeros((m, n, k): (usize, usize, usize)) -> Result<Self> {
        Ok(Self {
            x: Tensor::zeros(&[m, k])?,
            w: Tensor::zeros(&[n, k])?,
            bias: Tensor::zeros(&[n])?,
        })
    }

    /// All three, to be written.
    pub(super) fn views(&mut self) -> LinearGradsInto<'_> {
        LinearGradsInto {
            x: Some(self.x.view_mut()),
            w: Some(self.w.view_mut()),
            bias: Some(self.bias.view_mut()),
        }
    }
}

/// [`linear_backward`] into given memory.
///
/// After ReLU or no activation no masked copy of `g` is written: the bits are applied while `g` is packed
/// for each product. A smooth activation's derivative is multiplied into one copy.
///
/// # Errors
/// As [`linear_backward`], and [`Error::Shape`](crate::Error::Shape) if a gradient has another shape than its variable.
pub fn linear_backward_into<'a, 'b, 'c, 'd>(
    g: impl Into<View<'a>>,
    x: impl Into<LinearInput<'b>>,
    w: impl Into<View<'c>>,
    epilogue: &Epilogue<'_>,
    saved: impl Into<Residuals<'d>>,
    grads: LinearGradsInto<'_>,
) -> Result<()> {
    let (x, w) = (x.into(), w.into());
    let sizes = check_linear(x.x, w, epilogue)?;
    let w = operand(w);
    let operands = Checked { x, w, sizes };
    backward_into(g.into(), operands, epilogue, saved.into(), grads)
}

/// A backward pass whose gradients and saved state are still to be checked.
pub(super) fn backward_into(
    g: View<'_>,
    operands: Checked<'_>,
    epilogue: &Epilogue<'_>,
    saved: Residuals<'_>,
    grads: LinearGradsInto<'_>,
) -> Result<()> {
    let (m, n, k) = operands.sizes;
    check_shape("gradient of linear's output", &[m, n], g.shape())?;
    check_grads(&grads, m, n, k)?;
    saved.check(epilogue, m, n)?;
    let isa = current_isa()?;
    let scale = epilogue.dropout.as_ref().map_or(1.0, Dropout::scale);
    if let Some(sums) = saved.pre_activation() {
        // Checked with the shapes: `sums` holds as many.
        return with_scratch(m * n, |dz| {
            smooth_gradient(g, epilogue, saved.kept(), sums, dz)?;
            let dz = View::contiguous(dz, &[m, n])?;
            backward_products(isa, operand(dz), operands, grads)
        });
    }
    saved.with_kept(isa, epilogue, m * n, |kept| {
        let g = Operand {
            bits: kept.map(|kept| bits(kept, n, scale)),
            ..operand(g)
        };
        backward_products(isa, g, operands, grads)
    })
}

/// The gradient before a smooth activation: through dropout, then times the derivative.
pub(super) fn smooth_gradient(
    g: View<'_>,
    epilogue: &Epilogue<'_>,
    kept: Option<&Mask>,
    sums: &Tensor,
    dz: &mut [f32],
) -> Result<()> {
    let Some(dropout) = &epilogue.dropout else {
        let dz = ViewMut::contiguous(dz, sums.shape())?;
        return activate_backward_into(g, sums, epilogue.activation, dz);
    };
    dropout_backward_into(g, dropout, kept, ViewMut::contiguous(dz, sums.shape())?)?;
    let dz = ViewMut::contiguous(dz, sums.shape())?;
    activate_backward_in_place(dz, sums, epilogue.activation)
}

/// The products of the gradient before the activation.
pub(super) fn backward_products(
    isa: Isa,
    dz: Operand<'_>,
    operands: Checked<'_>,
    grads: LinearGradsInto<'_>,
) -> Result<()> {
    let Checked { x, w, sizes } = operands;
    let (m, n, _) = sizes;
    if let Some(out) = grads.x {
        let factors = Factors {
            a: dz,
            b: Right::Loose(w),
            depth: n,
            skip: x.skip(Plane::RowsCols),
        };
        let epilogue = TileEpilogue {
            keep: x.keep(),
            ..TileEpilogue::default()
        };
        product_into(isa, factors, epilogue, out)?;
    }
    if let Some(out) = grads.w {
        let factors = Factors {
            a: dz.transposed(),
            b: Right::Loose(x.operand()),
            depth: m,
            skip: x.skip(Plane::DepthCols),
        };
        // What the bits of the weights drop has no gradient, and what they keep is scaled again.
        let epilogue = TileEpilogue {
            keep: w.bits,
            ..TileEpilogue::default()
        };
        product_into(isa, factors, epilogue, out)?;
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
