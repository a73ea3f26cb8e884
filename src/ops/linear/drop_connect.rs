//! DropConnect: a linear layer of which single weights are dropped.
//!
//! Wan et al. 2013, "Regularization of Neural Networks using DropConnect",
//! <https://proceedings.mlr.press/v28/wan13.html>. The bits lie over the weights and are applied while these are packed
//! for the product, so that no masked copy of them is written.

use super::backward::backward_into;
use super::forward::forward_into;
use super::{Checked, LinearGrads, LinearGradsInto, LinearInput, Residuals, Saved, bits};
use super::{check_linear, linear_into};
use crate::dropout::check_probability;
use crate::epilogue::Epilogue;
use crate::error::{Result, check_number};
use crate::kernels::gemm::Operand;
use crate::mask::Mask;
use crate::ops::check::{check_length, check_rank};
use crate::ops::elementwise::{mul, scale_in_place};
use crate::ops::matmul::{matmul_into, operand};
use crate::tensor::{Tensor, View, ViewMut};

/// The weights of a linear layer, `[units, inputs]`, seen through a mask: those that it drops count as zeros, NaN and
/// infinity included, the others are multiplied by a factor. The masked weights are written nowhere.
#[derive(Clone, Copy, Debug)]
pub struct DroppedWeights<'a> {
    w: View<'a>,
    kept: &'a Mask,
    scale: f32,
}

impl<'a> DroppedWeights<'a> {
    /// Weights of which `kept` has one bit each, in row-major order, with the factor of those that it keeps:
    /// [`Dropout::scale`](crate::Dropout::scale).
    ///
    /// # Errors
    /// [`Error::Rank`](crate::Error::Rank) if `w` is no matrix, [`Error::Length`](crate::Error::Length) if the mask has
    /// another number of bits, [`Error::Number`](crate::Error::Number) if `scale` is not finite and positive.
    pub fn new(w: impl Into<View<'a>>, kept: &'a Mask, scale: f32) -> Result<Self> {
        let w = w.into();
        check_rank("weights of DropConnect", w, 2)?;
        check_length("mask of DropConnect", w.len(), kept.len())?;
        let valid = scale.is_finite() && scale > 0.0;
        check_number("scale of DropConnect (positive)", scale, valid)?;
        Ok(Self { w, kept, scale })
    }

    fn check(self, x: LinearInput<'a>, epilogue: &Epilogue<'_>) -> Result<Checked<'a>> {
        let sizes = check_linear(x.x, self.w, epilogue)?;
        let w = Operand {
            bits: Some(bits(self.kept, self.w.shape()[1], self.scale)),
            ..operand(self.w)
        };
        Ok(Checked { x, w, sizes })
    }
}

/// `dropout(activation(x * w^T + bias))` with dropped weights, one mask for the whole batch: [`linear`](super::linear) of
/// the masked weights, bit for bit, and what [`drop_connect_backward`] needs.
///
/// The paper draws a mask for each example; one for a batch is weaker, and costs no more than the plain product.
///
/// ```
/// use elision::{Dropout, Epilogue, Key, Mask, Tensor, ops};
/// let (x, w) = (Tensor::full(&[4, 100], 1.0)?, Tensor::full(&[3, 100], 1.0)?);
/// let dropout = Dropout::new(Key::new(1), 0.5)?;
/// let kept = Mask::draw(&dropout, 300)?;
/// let weights = ops::DroppedWeights::new(&w, &kept, dropout.scale())?;
/// let (y, _) = ops::drop_connect(&x, weights, &Epilogue::default())?;
/// assert_eq!(y.as_slice()[0], 2.0 * kept.slice(0..100)?.count_kept() as f32);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`linear`](super::linear).
pub fn drop_connect<'a>(
    x: impl Into<LinearInput<'a>>,
    weights: DroppedWeights<'a>,
    epilogue: &Epilogue<'_>,
) -> Result<(Tensor, Saved)> {
    let operands = weights.check(x.into(), epilogue)?;
    let (m, n, _) = operands.sizes;
    let (mut out, mut saved) = (Tensor::zeros(&[m, n])?, Saved::default());
    forward_into(operands, epilogue, out.view_mut(), Some(&mut saved))?;
    Ok((out, saved))
}

/// [`drop_connect`] into given memory; `saved` as for [`linear_into`].
///
/// # Errors
/// Those of [`linear_into`].
pub fn drop_connect_into<'a, 'b>(
    x: impl Into<LinearInput<'a>>,
    weights: DroppedWeights<'a>,
    epilogue: &Epilogue<'_>,
    out: impl Into<ViewMut<'b>>,
    saved: Option<&mut Saved>,
) -> Result<()> {
    let operands = weights.check(x.into(), epilogue)?;
    forward_into(operands, epilogue, out.into(), saved)
}

/// The gradients of [`drop_connect`], with respect to `x`, to the weights before the mask and to the bias, from the
/// gradient `g` of its output: `dx = g (m * w) scale` and `dw = (g^T x) * m scale`, with `+0.0` for dropped weights.
///
/// # Errors
/// Those of [`linear_backward`](super::linear_backward).
pub fn drop_connect_backward<'a, 'b, 'c>(
    g: impl Into<View<'a>>,
    x: impl Into<LinearInput<'b>>,
    weights: DroppedWeights<'b>,
    epilogue: &Epilogue<'_>,
    saved: impl Into<Residuals<'c>>,
) -> Result<LinearGrads> {
    let operands = weights.check(x.into(), epilogue)?;
    let mut grads = LinearGrads::zeros(operands.sizes)?;
    backward_into(g.into(), operands, epilogue, saved.into(), grads.views())?;
    Ok(grads)
}

/// [`drop_connect_backward`] into given memory.
///
/// # Errors
/// Those of [`linear_backward_into`](super::linear_backward_into).
pub fn drop_connect_backward_into<'a, 'b, 'c>(
    g: impl Into<View<'a>>,
    x: impl Into<LinearInput<'b>>,
    weights: DroppedWeights<'b>,
    epilogue: &Epilogue<'_>,
    saved: impl Into<Residuals<'c>>,
    grads: LinearGradsInto<'_>,
) -> Result<()> {
    let operands = weights.check(x.into(), epilogue)?;
    backward_into(g.into(), operands, epilogue, saved.into(), grads)
}

/// Mean and variance of `x * w^T + bias`, each `[rows, units]`, over the masks of inverted DropConnect with drop
/// probability `p`: `x * w^T + bias` and `p / (1 - p) * (x * x) * (w * w)^T`.
///
/// The paper does not scale in training, so that its weights are ours divided by `1 - p`; in them these are its moments
/// `q W v` and `q (1 - q) (W * W) (v * v)`, where q = 1 - p. With p = 1 nothing is random, and the variance is zero.
///
/// ```
/// use elision::{Tensor, ops};
/// let (x, w) = (Tensor::full(&[1, 3], 2.0)?, Tensor::full(&[1, 3], 0.5)?);
/// let (mean, variance) = ops::drop_connect_moments(&x, &w, None, 0.2)?;
/// assert_eq!((mean.as_slice(), variance.as_slice()), (&[3.0][..], &[0.75][..]));
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`linear`](super::linear), and [`Error::Probability`](crate::Error::Probability) if `p` is none.
pub fn drop_connect_moments<'a, 'b>(
    x: impl Into<View<'a>>,
    w: impl Into<View<'b>>,
    bias: Option<View<'_>>,
    p: f64,
) -> Result<(Tensor, Tensor)> {
    let (x, w, p) = (x.into(), w.into(), check_probability(p)?);
    let epilogue = Epilogue {
        bias,
        ..Epilogue::default()
    };
    let (m, n, _) = check_linear(x, w, &epilogue)?;
    let (mut mean, mut variance) = (Tensor::zeros(&[m, n])?, Tensor::zeros(&[m, n])?);
    linear_into(x, w, &epilogue, &mut mean, None)?;
    let squares = mul(w, w)?;
    matmul_into(&mul(x, x)?, squares.view().transpose(0, 1)?, &mut variance)?;
    let odds = if p < 1.0 { p / (1.0 - p) } else { 0.0 };
    scale_in_place(&mut variance, odds as f32)?;
    Ok((mean, variance))
}
