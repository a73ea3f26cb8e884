//! Mixout: parameters that some elements of a pretrained model take the place of.

use crate::autograd::{Tape, Var};
use crate::dropout::Dropout;
use crate::error::{Error, Result};
use crate::mask::Mask;

impl Var {
    /// This, the weights of a model that is fine-tuned, mixed with those of the `pretrained` one: `w' = (m w + (1 - m) u -
    /// p u) / (1 - p)`, which is w in the mean (Lee, Cho and Kang 2020, "Mixout: Effective Regularization to Finetune
    /// Large-scale Pretrained Language Models", <https://arxiv.org/abs/1909.11299>). It is computed as u + dropout(w - u):
    /// what is dropped is u, w = u stays u whatever the mask, u = 0 is dropout, and p = 0 is the identity.
    ///
    /// The gradient is `m / (1 - p)`; the authors' code leaves the factor out. The dropout's original form gives
    /// `m w + (1 - m) u`, whose mean is nearer to u.
    ///
    /// ```
    /// use elision::{Dropout, Key, Tensor, autograd::Tape};
    /// let tape = Tape::new();
    /// let (w, u) = (Tensor::full(&[100], 3.0)?, Tensor::full(&[100], 1.0)?);
    /// let mixed = tape.variable(w).mixout(&tape.constant(u), &Dropout::new(Key::new(1), 0.5)?)?;
    /// assert!(mixed.view().iter().all(|w| w == 1.0 || w == 5.0));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] if the two have different shapes, [`Error::Overflow`] if the dropout's offset plus the number of
    /// elements does not fit 64 bits, and those of [`Tape::of`].
    pub fn mixout(&self, pretrained: &Self, dropout: &Dropout) -> Result<Self> {
        mix(self, pretrained, dropout, |w| w.dropout(dropout))
    }

    /// [`mixout`](Var::mixout) of weights `[units, inputs]` with one decision for all weights of an input, as the
    /// authors' code has it: bit i decides for column i.
    ///
    /// # Errors
    /// Those of [`mixout`](Var::mixout), and [`Error::Rank`] if this is no matrix.
    pub fn mixout_columns(&self, pretrained: &Self, dropout: &Dropout) -> Result<Self> {
        let &[rows, columns] = self.shape() else {
            return Err(Error::Rank {
                what: "weights of mixout",
                expected: 2,
                found: self.rank(),
            });
        };
        mix(self, pretrained, dropout, |w| {
            let kept = Mask::draw(dropout, columns)?.to_bools();
            w.select(&Mask::from_bools(&kept.repeat(rows)), dropout.scale())
        })
    }
}

/// `u + drop(w - u)`.
fn mix(w: &Var, u: &Var, dropout: &Dropout, drop: impl Fn(Var) -> Result<Var>) -> Result<Var> {
    Tape::of(&[w, u])?;
    if w.shape() != u.shape() {
        return Err(Error::Shape {
            what: "pretrained weights of mixout",
            expected: w.shape().into(),
            found: u.shape().into(),
        });
    }
    match dropout.p() {
        0.0 => Ok(w.clone()),
        _ => u.add(&drop(w.sub(u)?)?),
    }
}
