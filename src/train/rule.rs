//! How parameters follow their gradients.

use std::fmt;

use super::schedule::Schedule;
use crate::error::{Result, check_number};
use crate::ops::{AdamParameters, SgdParameters};

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Stochastic gradient descent: [`sgd_step`](crate::ops::sgd_step).
    Sgd {
        /// The share of the last step that is kept, from 0 to below 1.
        momentum: f32,
        /// Whether the step looks ahead along the velocity.
        nesterov: bool,
    },
    /// Adam, or AdamW: [`adam_step`](crate::ops::adam_step).
    Adam {
        /// Decay of the mean of the gradients.
        beta1: f32,
        /// Decay of the mean of their squares.
        beta2: f32,
        /// Added to the root of the mean square.
        epsilon: f32,
        /// Whether weights decay beside the gradient (AdamW) and not in it.
        decoupled: bool,
    },
}

impl Rule {
    /// Stochastic gradient descent with momentum.
    #[must_use]
    pub const fn sgd(momentum: f32) -> Self {
        let nesterov = false;
        Self::Sgd { momentum, nesterov }
    }

    /// Adam with its authors' numbers.
    #[must_use]
    pub const fn adam() -> Self {
        Self::Adam {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            decoupled: false,
        }
    }

    /// Adam with its authors' numbers and decoupled weight decay (Loshchilov and Hutter 2019,
    /// <https://arxiv.org/abs/1711.05101>).
    #[must_use]
    pub const fn adamw() -> Self {
        Self::Adam {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            decoupled: true,
        }
    }

    fn check(self) -> Result<()> {
        match self.parameters(1.0, [0.0; 2]) {
            Parameters::Sgd(parameters) => parameters.check(),
            Parameters::Adam(parameters) => parameters.check(),
        }
    }

    /// The rule at a learning rate, with weight decay and L1 penalty.
    pub(super) fn parameters(self, learning_rate: f32, [weight_decay, l1]: [f32; 2]) -> Parameters {
        match self {
            Self::Sgd { momentum, nesterov } => Parameters::Sgd(SgdParameters {
                learning_rate,
                momentum,
                nesterov,
                weight_decay,
                l1,
            }),
            Self::Adam {
                beta1,
                beta2,
                epsilon,
                decoupled,
            } => Parameters::Adam(AdamParameters {
                learning_rate,
                beta1,
                beta2,
                epsilon,
                weight_decay,
                decoupled,
                l1,
            }),
        }
    }
}

/// The numbers of one step.
pub(super) enum Parameters {
    Sgd(SgdParameters),
    Adam(AdamParameters),
}

/// All that an optimiser is told.
///
/// Weight decay, the L1 penalty and the largest norm are for weights, parameters of two axes or more, and not for
/// biases and gains. A row of weights is what comes into one unit.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerConfig {
    /// How parameters follow their gradients.
    pub rule: Rule,
    /// The learning rate, which the schedule multiplies.
    pub learning_rate: f64,
    /// The factor of the learning rate at each step.
    pub schedule: Schedule,
    /// The factor of the weights in their gradient or, decoupled, the share that a step of rate 1 takes off.
    pub weight_decay: f32,
    /// The factor of the weights' signs in their gradient.
    pub l1: f32,
    /// The largest norm of a row of weights.
    pub max_norm: Option<f32>,
    /// The largest norm of all gradients together.
    pub clip_norm: Option<f32>,
    /// The largest magnitude of an element of a gradient.
    pub clip_value: Option<f32>,
}

impl OptimizerConfig {
    /// A constant learning rate, and nothing else.
    #[must_use]
    pub const fn new(rule: Rule, learning_rate: f64) -> Self {
        Self {
            rule,
            learning_rate,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            l1: 0.0,
            max_norm: None,
            clip_norm: None,
            clip_value: None,
        }
    }

    /// Whether all numbers are in their ranges.
    pub(super) fn check(&self) -> Result<()> {
        self.rule.check()?;
        check_positive("learning rate", Some(self.learning_rate as f32))?;
        let penalties = [("weight decay", self.weight_decay), ("L1 penalty", self.l1)];
        for (what, x) in penalties {
            check_number(what, x, x >= 0.0 && x.is_finite())?;
        }
        check_positive("largest norm of a row", self.max_norm)?;
        check_positive("largest norm of the gradients", self.clip_norm)?;
        check_positive("largest element of a gradient", self.clip_value)
    }
}

/// `sgd momentum=0.9 nesterov=false`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sgd { momentum, nesterov } => {
                write!(f, "sgd momentum={momentum} nesterov={nesterov}")
            }
            Self::Adam {
                beta1,
                beta2,
                epsilon,
                decoupled,
            } => {
                let name = if *decoupled { "adamw" } else { "adam" };
                write!(f, "{name} beta1={beta1} beta2={beta2} epsilon={epsilon}")
            }
        }
    }
}

/// The rule, then each setting that is not that of [`OptimizerConfig::new`].
impl fmt::Display for OptimizerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rate={}", self.rule, self.learning_rate)?;
        if self.schedule != Schedule::Constant {
            write!(f, " schedule={}", self.schedule)?;
        }
        let set = |x: f32| (x != 0.0).then_some(x);
        let settings = [
            ("weight_decay", set(self.weight_decay)),
            ("l1", set(self.l1)),
            ("max_norm", self.max_norm),
            ("clip_norm", self.clip_norm),
            ("clip_value", self.clip_value),
        ];
        for (name, x) in settings {
            x.map_or(Ok(()), |x| write!(f, " {name}={x}"))?;
        }
        Ok(())
    }
}

fn check_positive(what: &'static str, x: Option<f32>) -> Result<()> {
    x.map_or(Ok(()), |x| check_number(what, x, x > 0.0 && x.is_finite()))
}
