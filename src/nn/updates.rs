//! State that follows what layers have seen.

use super::layer::Layer;
use crate::autograd::{LeafId, Parameter};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// One step of a running mean: `state += rate * (target - state)`.
#[derive(Clone, Debug)]
pub(super) struct Update {
    pub(super) id: LeafId,
    pub(super) target: Tensor,
    pub(super) rate: f64,
}

impl Update {
    fn apply(&self, state: &mut Parameter) {
        let pairs = state
            .value_mut()
            .as_mut_slice()
            .iter_mut()
            .zip(self.target.as_slice());
        for (state, target) in pairs {
            let (old, new) = (f64::from(*state), f64::from(*target));
            *state = (old + self.rate * (new - old)) as f32;
        }
    }
}

/// What the layers of a pass noted about their state; a failed step drops it, so that nothing has changed.
#[derive(Clone, Debug, Default)]
pub struct Updates(Vec<Update>);

impl Updates {
    pub(super) fn push(&mut self, update: Update) {
        self.0.push(update);
    }

    /// The same with another rate: `1 / n` for the n-th of several passes gives their mean.
    #[must_use]
    pub fn with_rate(mut self, rate: f64) -> Self {
        self.0.iter_mut().for_each(|update| update.rate = rate);
        self
    }

    /// Applies them to the state of a model.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the model is not the one of the pass, [`Error::Shape`] if a layer noted a target of
    /// another shape than its state; nothing is then changed.
    pub fn apply(self, model: &mut dyn Layer) -> Result<()> {
        let states = model.named_parameters();
        for Update { id, target, .. } in &self.0 {
            let Some((_, state)) = states.iter().find(|(_, state)| state.id() == *id) else {
                return Err(Error::Unsupported("the updates are those of another model"));
            };
            if state.value().shape() != target.shape() {
                return Err(Error::Shape {
                    what: "update of a layer's state",
                    expected: state.value().shape().into(),
                    found: target.shape().into(),
                });
            }
        }
        model.for_each_parameter_mut(&mut |_, state| {
            let id = state.id();
            self.0
                .iter()
                .filter(|update| update.id == id)
                .for_each(|update| update.apply(state));
            Ok(())
        })
    }
}
