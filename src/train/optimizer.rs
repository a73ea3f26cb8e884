//! Optimisers and their state.

use crate::error::{Error, Result, check_number};
use crate::ops::{AdamParameters, SgdParameters, adam_step, sgd_step};
use crate::tensor::Tensor;

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(SgdParameters),
    /// Adam or AdamW.
    Adam(AdamParameters),
}

impl Optimizer {
    /// Stochastic gradient descent with momentum, without penalties.
    ///
    /// # Errors
    /// [`Error::Number`] if the learning rate is not positive and finite or the momentum is outside
    /// [0, 1).
    pub fn sgd(learning_rate: f32, momentum: f32) -> Result<Self> {
        check_rate(learning_rate)?;
        let parameters = SgdParameters {
            learning_rate,
            momentum,
            ..SgdParameters::default()
        };
        parameters.check()?;
        Ok(Self::Sgd(parameters))
    }

    /// Adam with its authors' decays, without penalties.
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

    /// Whether all numbers are in their ranges.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Sgd(parameters) => parameters.check(),
            Self::Adam(parameters) => parameters.check(),
        }
    }
}

fn check_rate(learning_rate: f32) -> Result<()> {
    let valid = learning_rate > 0.0 && learning_rate.is_finite();
    check_number("learning rate", learning_rate, valid)
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
            Optimizer::Sgd(_) => None,
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
            (Optimizer::Sgd(parameters), _) => sgd_step(w, first, g, parameters),
            (Optimizer::Adam(_), None) => {
                Err(Error::Unsupported("the state is another optimiser's"))
            }
        }
    }
}
