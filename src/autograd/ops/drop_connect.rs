//! DropConnect: dropout of weights.

use super::linear::{Extras, OperandMask};
use crate::autograd::{Fused, KeptBytes, Saves, Var};
use crate::dropout::Dropout;
use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::ops::DroppedWeights;
use crate::tensor::{Tensor, View};

/// The bits over the weights of a product, or how to draw them again.
pub(super) struct WeightBits {
    dropout: Dropout,
    kept: Option<Mask>,
}

impl WeightBits {
    /// The bits of `len` weights.
    pub(super) fn draw(dropout: &Dropout, len: usize) -> Result<Self> {
        let kept = Some(Mask::draw(dropout, len)?);
        let dropout = *dropout;
        Ok(Self { dropout, kept })
    }

    /// These, to be drawn again when they are asked for unless they are kept.
    pub(super) fn kept_if(self, kept: bool) -> Self {
        Self {
            kept: self.kept.filter(|_| kept),
            ..self
        }
    }

    /// Calls `f` with the weights seen through the bits.
    pub(super) fn over<R>(
        &self,
        w: View<'_>,
        f: impl FnOnce(DroppedWeights<'_>) -> Result<R>,
    ) -> Result<R> {
        let scale = self.dropout.scale();
        match &self.kept {
            Some(kept) => f(DroppedWeights::new(w, kept, scale)?),
            None => f(DroppedWeights::new(
                w,
                &Mask::draw(&self.dropout, w.len())?,
                scale,
            )?),
        }
    }
}

impl Saves for WeightBits {
    fn count(&self, kept: &mut KeptBytes) {
        self.kept.count(kept);
    }
}

impl Var {
    /// [`linear`](Var::linear) with dropout of the weights, one mask for the whole batch (DropConnect, Wan et al. 2013,
    /// <https://proceedings.mlr.press/v28/wan13.html>): bit i decides for element i of `w`. What
    /// `self.linear(&w.dropout(weights)?, bias, fused)` computes, bit for bit, without the masked copy of the
    /// weights and its gradient. Keeps one bit a weight more than [`linear`](Var::linear), or nothing more if the tape
    /// recomputes masks.
    ///
    /// Weights that serve a whole sequence are better dropped once, `w.dropout(..)`, and read at each step: the weight
    /// drop of recurrent weights (Merity et al. 2018, <https://arxiv.org/abs/1708.02182>).
    ///
    /// ```
    /// use elision::autograd::{Fused, Tape};
    /// use elision::{Dropout, Key, Tensor};
    /// let tape = Tape::new();
    /// let (x, w) = (Tensor::full(&[8, 3], 0.5)?, tape.variable(Tensor::full(&[2, 3], 1.0)?));
    /// let dropout = Dropout::new(Key::new(1), 0.5)?;
    /// let y = tape.constant(x).drop_connect(&w, None, &Fused::default(), &dropout)?;
    /// assert!(y.view().iter().all(|y| y == y.round() && (0.0..=3.0).contains(&y)));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`linear`](Var::linear), and [`Error::Overflow`] if the offset of `weights` plus the number of weights
    /// does not fit 64 bits.
    pub fn drop_connect(
        &self,
        w: &Self,
        bias: Option<&Self>,
        fused: &Fused,
        weights: &Dropout,
    ) -> Result<Self> {
        let extras = Extras {
            mask: OperandMask::Weights(*weights),
            ..Extras::default()
        };
        self.linear_with(w, bias, fused, extras)
    }

    /// `x * w^T` with other dropped weights for each sample, as the paper has it: `self` is `[samples, .., inputs]`, `w`
    /// `[units, inputs]`, and the bits are those of a tensor `[samples, units, inputs]`. It is exact and slow: such a
    /// tensor is written.
    ///
    /// # Errors
    /// [`Error::Rank`], [`Error::Shape`] if the shapes do not fit, [`Error::Overflow`] if the masked weights do not fit
    /// in memory.
    pub fn drop_connect_each(&self, w: &Self, weights: &Dropout) -> Result<Self> {
        let (&[samples, ref between @ .., inputs], &[units, _]) = (self.shape(), w.shape()) else {
            let (what, expected) = ("operands of DropConnect", 2);
            let found = if w.rank() == 2 { self.rank() } else { w.rank() };
            return Err(Error::Rank {
                what,
                expected,
                found,
            });
        };
        let copies = self.tape().constant(Tensor::full(&[samples, 1, 1], 1.0)?);
        let all = w.reshape(&[1, units, w.shape()[1]])?.mul(&copies)?;
        let all = all.dropout(weights)?.transpose(1, 2)?;
        let rows = between.iter().product();
        let y = self.reshape(&[samples, rows, inputs])?.matmul(&all)?;
        y.reshape(&[&[samples][..], between, &[units]].concat())
    }
}
