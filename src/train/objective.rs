//! What a step makes small.

use super::batch::Batch;
use super::loss::{Known, Loss};
use super::r_drop;
use crate::autograd::Var;
use crate::error::Result;
use crate::nn::{Layer, Pass};

/// A loss, and what is added to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Objective {
    pub(super) loss: Loss,
    /// The weight of R-Drop's divergence.
    pub(super) r_drop: Option<f64>,
    /// That of the layers' penalties.
    pub(super) penalty_weight: f64,
}

/// The objective of some samples.
pub(super) struct Outcome {
    /// The whole of it.
    pub(super) objective: Var,
    /// The loss of the data, and the rows that are correct.
    pub(super) seen: Batch,
    /// The penalties, before their weight.
    pub(super) penalty: f64,
}

impl Objective {
    /// A loss alone.
    pub(super) fn new(loss: Loss) -> Self {
        Self {
            loss,
            r_drop: None,
            penalty_weight: 1.0,
        }
    }

    /// The objective of a model, and what its pass saw.
    pub(super) fn of(
        &self,
        model: &dyn Layer,
        (x, target): (&Var, &Known<'_>),
        pass: &Pass,
    ) -> Result<Outcome> {
        let (loss, seen) = match self.r_drop {
            Some(alpha) => r_drop::loss(model, (x, target), pass, (self.loss, alpha))?,
            None => data_loss(model, &self.loss, (x, target), pass)?,
        };
        let (objective, penalty) = self.penalized(loss, &pass.take_penalties())?;
        Ok(Outcome {
            objective,
            seen,
            penalty,
        })
    }

    /// A loss with the weighted sum of some penalties, and that sum without its weight. Without penalties, or with a
    /// weight of 0, the loss is the same variable.
    fn penalized(&self, loss: Var, penalties: &[Var]) -> Result<(Var, f64)> {
        let [first, rest @ ..] = penalties else {
            return Ok((loss, 0.0));
        };
        let sum = rest
            .iter()
            .try_fold(first.clone(), |sum, next| sum.add(next))?;
        let penalty = sum.item()?.into();
        let objective = match self.penalty_weight as f32 {
            0.0 => loss,
            1.0 => loss.add(&sum)?,
            weight => loss.add(&sum.scale(weight)?)?,
        };
        Ok((objective, penalty))
    }
}

/// The loss of the data alone, and what the pass saw.
pub(super) fn data_loss(
    model: &dyn Layer,
    loss: &Loss,
    (x, target): (&Var, &Known<'_>),
    pass: &Pass,
) -> Result<(Var, Batch)> {
    let output = model.forward(x, pass)?;
    let loss = loss.between(&output, target)?;
    let seen = Batch::of(loss.item()?, output.view(), target);
    Ok((loss, seen))
}
