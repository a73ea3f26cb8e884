//! Optimisers and their state.

use crate::error::{Error, Result};
use crate::ops::{AdamParameters, adam_step, sgd_step};
use crate::tensor::Tensor;

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Step size.
        learning_rate: f32,
        /// Share of the last step that is kept, from 0 to below 1.
        momentum: f32,
    },
    /// Adam.
    Adam(AdamParameters),
}

impl Optimizer {
    /// Stochastic gradient descent.
    ///
    /// # Errors
    /// [`Error::Number`] if the learning rate is not positive and finite or the momentum is outside
    /// [0, 1).
    pub fn sgd(learning_rate: f32, momentum: f32) -> Result<Self> {
        check_rate(learning_rate)?;
        if !(0.0..1.0).contains(&momentum) {
            return Err(Error::Number {
                what: "momentum",
                value: momentum.into(),
            });
        }
        Ok(Self::Sgd {
            learning_rate,
            momentum,
        })
    }

    /// Adam with its authors' decays.
    ///
    /// # Errors
    /// [`Error::Number`] if the learning rate is not positive and finite.
    pub fn adam(learning_rate: f32) -> Result<Self> {
        check_rate(learning_rate)?;
        Ok(Self::Adam(AdamParameters {
            learning_rate,
            ..AdamParameters::default()
        }))
    }
}

fn check_rate(learning_rate: f32) -> Result<()> {
    if learning_rate > 0.0 && learning_rate.is_finite() {
        return Ok(());
    }
    Err(Error::Number {
        what: "learning rate",
        value: learning_rate.into(),
    })
}

/// The running means of one parameter tensor: velocity, or mean and mean square.
#[derive(Clone, Debug)]
pub(super) struct State {
    first: Tensor,
    second: Option<Tensor>,
}

impl State {
    /// Zeros for parameters of that shape.
    pub(super) fn new(optimizer: &Optimizer, shape: &[usize]) -> Result<Self> {
        let second = match optimizer {
            Optimizer::Sgd { .. } => None,
            Optimizer::Adam(_) => Some(Tensor::zeros(shape)?),
        };
        Ok(Self {
            first: Tensor::zeros(shape)?,
            second,
        })
    }

    /// Step `t` (from 1).
    pub(super) fn step(
        &mut self,
        optimizer: &Optimizer,
        w: &mut Tensor,
        g: &Tensor,
        t: u64,
    ) -> Result<()> {
        let (w, g, first) = (w.as_mut_slice(), g.as_slice(), self.first.as_mut_slice());
        match (optimizer, &mut self.second) {
            (Optimizer::Adam(parameters), Some(second)) => {
                adam_step(w, [first, second.as_mut_slice()], g, parameters, t)
            }
            (
                &Optimizer::Sgd {
                    learning_rate,
                    momentum,
                },
                _,
            ) => sgd_step(w, first, g, learning_rate, momentum),
            (Optimizer::Adam(_), None) => {
                Err(Error::Unsupported("the state is another optimiser's"))
            }
        }
    }
}
