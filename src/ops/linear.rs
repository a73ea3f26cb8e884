//! The fused linear layer: `dropout(activation(x * w^T + bias))` in one product, and its backward pass.

use std::borrow::Cow;

use crate::activation::Activation;
use crate::dropout::Dropout;
use crate::epilogue::Epilogue;
use crate::error::{Error, Result};
use crate::exec::{column_sums, current_isa, for_each_chunk};
use crate::kernels::gemm::{Bits, Operand, TileEpilogue};
use crate::kernels::keep::Positive;
use crate::mask::Mask;
use crate::ops::activation::activate_backward_into;
use crate::ops::check::{check_rank, check_shape};
use crate::ops::dropout::{check_end, draw, dropout_backward_into};
use crate::ops::elementwise::copy_into;
use crate::ops::matmul::{Factors, check_product, matrix_mut, operand, product_into};
use crate::simd::{Isa, dispatch};
use crate::tensor::{Tensor, View, ViewMut};

/// Cost of 64 bits from 64 outputs, against an element of a scaled copy.
const SIGN_WORD_WEIGHT: usize = 32;

/// What a forward pass leaves for its backward pass. Reuse it from step to step: the memory is kept.
///
/// After ReLU or no activation this is one bit an element at most: for ReLU, whether the element is kept
/// *and* its sum is positive. A smooth activation also needs the sums before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    kept: Option<Mask>,
    pre_activation: Option<Tensor>,
}

impl Saved {
    /// The elements with a gradient: kept by dropout and, after ReLU, not cut by it. `None` if all are.
    #[must_use]
    pub fn kept(&self) -> Option<&Mask> {
        self.kept.as_ref()
    }

    /// The sums with bias before a smooth activation.
    #[must_use]
    pub fn pre_activation(&self) -> Option<&Tensor> {
        self.pre_activation.as_ref()
    }

    /// Makes room for a forward pass with `shape` outputs.
    fn prepare(&mut self, epilogue: &Epilogue<'_>, shape: &[usize]) -> Result<()> {
        let len = shape.iter().product();
        let bits = epilogue.dropout.is_some() || epilogue.activation == Activation::Relu;
        match &self.kept {
            Some(mask) if bits && mask.len() == len => {}
            _ => self.kept = bits.then(|| Mask::none(len)),
        }
        match &self.pre_activation {
            Some(sums) if is_smooth(epilogue.activation) && sums.shape() == shape => {}
            _ if is_smooth(epilogue.activation) => {
                self.pre_activation = Some(Tensor::zeros(shape)?)
            }
            _ => self.pre_activation = None,
        }
        Ok(())
    }
}

/// Whether the derivative needs the activation's input.
fn is_smooth(activation: Activation) -> bool {
    !matches!(activation, Activation::Identity | Activation::Relu)
}

/// `dropout(activation(x * w^T + bias))` for `x` of shape `[m, k]` and weights of shape `[n, k]`: shape
/// `[m, n]`, and what [`linear_backward`] needs.
///
/// The result equals the unfused operations: the same keep bits exactly, the values within the error of
/// [`matmul`](crate::ops::matmul).
///
/// ```
/// use elision::{Activation, Dropout, Epilogue, Key, Tensor, ops};
/// let x = Tensor::full(&[32, 20], 0.5)?;
/// let w = Tensor::full(&[10, 20], 0.1)?;
/// let dropout = Dropout::new(Key::new(1).fold_in(0), 0.5)?;
/// let fused = Epilogue { bias: None, activation: Activation::Relu, dropout: Some(dropout) };
/// let (y, saved) = ops::linear(&x, &w, &fused)?;
/// let grads = ops::linear_backward(&y, &x, &w, &fused, &saved)?;
/// assert_eq!(grads.w.shape(), [10, 20]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] or [`Error::Shape`] if the shapes do not fit, [`Error::Overflow`] if the result does
/// not fit in memory or the dropout's last index does not fit 64 bits.
pub fn linear<'a, 'b>(
    x: impl Into<View<'a>>,
    w: impl Into<View<'b>>,
    epilogue: &Epilogue<'_>,
) -> Result<(Tensor, Saved)> {
    let (x, w) = (x.into(), w.into());
    let (m, n, _) = check_linear(x, w, epilogue)?;
    let mut out = Tensor::zeros(&[m, n])?;
    let mut saved = Saved::default();
    linear_into(x, w, epilogue, &mut out, Some(&mut saved))?;
    Ok((out, saved))
}

/// [`linear`] into given memory; without `saved` nothing is kept for a backward pass.
///
/// # Errors
/// As [`linear`], and [`Error::Shape`] if `out` is not `[m, n]`.
pub fn linear_into<'a, 'b, 'c>(
    x: impl Into<View<'a>>,
    w: impl Into<View<'b>>,
    epilogue: &Epilogue<'_>,
    out: impl Into<ViewMut<'c>>,
    saved: Option<&mut Saved>,
) -> Result<()> {
    let (x, w, mut out) = (x.into(), w.into(), out.into());
    let (m, n, depth) = check_linear(x, w, epilogue)?;
    check_shape("output of linear", &[m, n], out.shape())?;
    let isa = current_isa()?;
    let bias = epilogue.bias.map(contiguous).transpose()?;
    if out.as_mut_slice().is_none() {
        // The bits of the backward pass are read off contiguous rows.
        let mut copy = Tensor::zeros(&[m, n])?;
        linear_into(x, w, epilogue, &mut copy, saved)?;
        return copy_into(&copy, out);
    }
    let mut unsaved = Saved::default();
    let keep_for_backward = saved.is_some();
    let saved = saved.unwrap_or(&mut unsaved);
    if keep_for_backward {
        saved.prepare(epilogue, &[m, n])?;
    } else if epilogue.dropout.is_some() {
        saved.kept = Some(Mask::none(m * n));
    }
    let factors = Factors {
        a: operand(x),
        b: operand(w).transposed(),
        depth,
    };
    fused_product(isa, factors, epilogue, bias.as_deref(), &mut out, saved)?;
    if let (true, Activation::Relu, Some(kept)) =
        (keep_for_backward, epilogue.activation, &mut saved.kept)
    {
        merge_sign(isa, &mut out, kept);
    }
    Ok(())
}

/// The elements of a vector in order, copied only if they are strided.
fn contiguous(vector: View<'_>) -> Result<Cow<'_, [f32]>> {
    match vector.as_slice() {
        Some(slice) => Ok(Cow::Borrowed(slice)),
        None => Ok(Cow::Owned(vector.to_tensor()?.into_vec())),
    }
}

fn fused_product(
    isa: Isa,
    factors: Factors<'_>,
    epilogue: &Epilogue<'_>,
    bias: Option<&[f32]>,
    out: &mut ViewMut<'_>,
    saved: &mut Saved,
) -> Result<()> {
    let Saved {
        kept,
        pre_activation,
    } = saved;
    let n = out.shape()[1];
    let keep = match (&epilogue.dropout, kept) {
        (Some(dropout), Some(kept)) => {
            kept.words_mut().fill(0);
            draw(isa, dropout, kept);
            Some(bits(kept, n, dropout.scale()))
        }
        _ => None,
    };
    let tile = TileEpilogue {
        bias,
        activation: epilogue.activation,
        keep,
    };
    let mut pre = pre_activation.as_mut().map(Tensor::view_mut);
    let pre = pre.as_mut().and_then(matrix_mut);
    product_into(isa, factors, tile, pre, out.reborrow())
}

/// A mask laid over a matrix of `cols` columns.
fn bits(mask: &Mask, cols: usize, scale: f32) -> Bits<'_> {
    Bits {
        words: mask.as_words(),
        row_stride: cols,
        col_stride: 1,
        scale,
    }
}

/// Replaces the dropout decisions by the merged ones: dropped or cut by ReLU, the output is zero.
fn merge_sign(isa: Isa, out: &mut ViewMut<'_>, kept: &mut Mask) {
    let Some(y) = out.as_mut_slice() else { return };
    let y: &[f32] = y;
    for_each_chunk(kept.words_mut(), SIGN_WORD_WEIGHT, |start, words| {
        let y = &y[64 * start..y.len().min(64 * (start + words.len()))];
        dispatch(isa, Positive { y, words });
    });
}

/// Rows, columns and depth of a linear layer's product.
fn check_linear(
    x: View<'_>,
    w: View<'_>,
    epilogue: &Epilogue<'_>,
) -> Result<(usize, usize, usize)> {
    check_rank("weights of linear", w, 2)?;
    let (m, n, k) = check_product(x, w.transpose(0, 1)?)?;
    if let Some(bias) = epilogue.bias {
        check_shape("bias of linear", &[n], bias.shape())?;
    }
    let len = m
        .checked_mul(n)
        .ok_or(Error::Overflow("output of linear"))?;
    if let Some(dropout) = &epilogue.dropout {
        check_end(dropout, len)?;
    }
    Ok((m, n, k))
}

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

/// The gradients of [`linear`], from the gradient `g` of its output (shape `[m, n]`), its inputs and what
/// it saved.
///
/// # Errors
/// [`Error::Rank`], [`Error::Shape`] or [`Error::Length`] if the shapes do not fit or `saved` is another
/// call's; [`Error::Overflow`] if a gradient does not fit in memory.
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
/// As [`linear_backward`], and [`Error::Shape`] if a gradient has another shape than its variable.
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
    let mut dz = Tensor::zeros(g.shape())?;
    match (&epilogue.dropout, kept) {
        (Some(dropout), Some(kept)) => {
            let mut masked = Tensor::zeros(g.shape())?;
            dropout_backward_into(g, dropout, Some(kept), &mut masked)?;
            activate_backward_into(&masked, sums, epilogue.activation, &mut dz)?;
        }
        _ => activate_backward_into(g, sums, epilogue.activation, &mut dz)?,
    }
    Ok(dz)
}

fn backward_products(
    isa: Isa,
    dz: Operand<'_>,
    x: View<'_>,
    w: View<'_>,
    (m, n, _): (usize, usize, usize),
    grads: LinearGradsInto<'_>,
) -> Result<()> {
    let plain = TileEpilogue::default();
    if let Some(out) = grads.x {
        product_into(
            isa,
            Factors {
                a: dz,
                b: operand(w),
                depth: n,
            },
            plain,
            None,
            out,
        )?;
    }
    if let Some(out) = grads.w {
        let factors = Factors {
            a: dz.transposed(),
            b: operand(x),
            depth: m,
        };
        product_into(isa, factors, plain, None, out)?;
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

fn check_grads(grads: &LinearGradsInto<'_>, m: usize, n: usize, k: usize) -> Result<()> {
    let check = |what, expected: &[usize], grad: &Option<ViewMut<'_>>| {
        grad.as_ref()
            .map_or(Ok(()), |grad| check_shape(what, expected, grad.shape()))
    };
    check("gradient of linear's input", &[m, k], &grads.x)?;
    check("gradient of linear's weights", &[n, k], &grads.w)?;
    check("gradient of linear's bias", &[n], &grads.bias)
}

fn check_saved(epilogue: &Epilogue<'_>, saved: &Saved, m: usize, n: usize) -> Result<()> {
    let what = "saved state of linear";
    let bits = epilogue.dropout.is_some() || epilogue.activation == Activation::Relu;
    let found = saved.kept.as_ref().map_or(0, Mask::len);
    let expected = if bits { m * n } else { 0 };
    if found != expected {
        return Err(Error::Length {
            what,
            expected,
            found,
        });
    }
    let found = saved.pre_activation.as_ref().map_or(&[][..], Tensor::shape);
    let expected: &[usize] = if is_smooth(epilogue.activation) {
        &[m, n]
    } else {
        &[]
    };
    check_shape(what, expected, found)
}
