//! R-Drop as a recipe of a trainer.

use super::batch::Batch;
use super::loss::{Known, Loss, rows};
use super::trainer::Trainer;
use crate::autograd::Var;
use crate::error::{Error, Result, check_number};
use crate::nn::{Layer, Pass};
use crate::tensor::Dims;

impl<M: Layer> Trainer<M> {
    /// The same with R-Drop (Liang et al. 2021, <https://arxiv.org/abs/2106.14448>): each step sees each sample twice, with
    /// masks of its own each time, and `alpha` weighs how far the two distributions are from each other:
    /// [`ops::r_drop`](crate::ops::r_drop). The two passes are one with a batch of twice the rows; a part of a batch that
    /// is cut up is doubled within itself. The loss of a step is R-Drop's, and the rows that are correct are those of
    /// the first pass. Evaluation is as without it.
    ///
    /// A layer that draws one mask for a whole batch, as dropout of units does, gives both passes the same mask: they
    /// then agree, and nothing is gained. Batch norm sees both passes as one batch.
    ///
    /// ```
    /// use elision::nn::{Linear, Sequential};
    /// use elision::train::{Loss, Optimizer, OptimizerConfig, Rule, Target, Trainer};
    /// use elision::{Activation, Key, Tensor};
    /// let key = Key::new(1);
    /// let model = Sequential::new()
    ///     .with("hidden", Linear::new(1, 16, key.named("hidden"))?.activation(Activation::Relu).dropout(0.3)?)?
    ///     .with("output", Linear::new(16, 2, key.named("output"))?)?;
    /// let optimizer = Optimizer::new(OptimizerConfig::new(Rule::adam(), 0.01))?;
    /// let mut trainer = Trainer::new(model, optimizer, Loss::CrossEntropy { smoothing: 0.0 }, key).r_drop(1.0)?;
    /// let x = Tensor::from_slice(&[-1.0, 1.0], &[2, 1])?;
    /// assert_eq!(trainer.step(&x, &Target::Labels(&[0, 1]))?.rows, 2);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Number`] if `alpha` is not finite and from 0 on, [`Error::Unsupported`] if the loss is not cross-entropy.
    pub fn r_drop(self, alpha: f64) -> Result<Self> {
        check_number("alpha of R-Drop", alpha, alpha >= 0.0 && alpha.is_finite())?;
        match self.loss() {
            Loss::CrossEntropy { .. } => Ok(self.with_r_drop(alpha)),
            _ => Err(NO_CLASSES),
        }
    }
}

/// R-Drop's loss of a model, and what its first pass saw.
pub(super) fn loss(
    model: &dyn Layer,
    (x, target): (&Var, &Known<'_>),
    pass: &Pass,
    (loss, alpha): (Loss, f64),
) -> Result<(Var, Batch)> {
    let (Loss::CrossEntropy { smoothing }, Known::Labels(labels)) = (loss, target) else {
        return Err(NO_CLASSES);
    };
    let output = model.forward(&twice(x)?, pass)?;
    let loss = output.r_drop(labels, smoothing, alpha)?;
    let first = output.view().slice(0, 0..labels.len())?;
    let seen = Batch::of(loss.item()?, first, target);
    Ok((loss, seen))
}

const NO_CLASSES: Error = Error::Unsupported("R-Drop needs cross-entropy, and labels as targets");

/// The rows, and once more the rows.
fn twice(x: &Var) -> Result<Var> {
    let rows = rows("samples", x.view())?;
    let mut shape = Dims::new(x.shape())?;
    shape[0] = rows.checked_mul(2).ok_or(Error::Overflow("two passes"))?;
    let (tape, one) = (x.tape(), x.value().as_slice());
    let mut both = tape.buffer(&shape)?;
    let (first, second) = both.as_mut_slice().split_at_mut(one.len());
    first.copy_from_slice(one);
    second.copy_from_slice(one);
    Ok(tape.constant(both))
}
