//! Optimiser steps over plain slices.

use crate::error::{Result, check_number};
use crate::exec::{current_isa, for_each_zip};
use crate::kernels::optimizer::{Adam, AdamRates, Penalty, Sgd, SgdRates};
use crate::ops::check::check_length;
use crate::simd::dispatch;

/// The hyper-parameters of stochastic gradient descent, as PyTorch's `SGD` defines them, without dampening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdParameters {
    /// Step size.
    pub learning_rate: f32,
    /// Share of the velocity that is kept, from 0 to below 1.
    pub momentum: f32,
    /// Whether a step looks ahead by one more step of the velocity (Nesterov 1983, in the form of Sutskever
    /// et al. 2013, section 2). Without momentum it changes nothing.
    pub nesterov: bool,
    /// The factor of the parameters in their gradient: that of a penalty `weight_decay / 2 * |w|^2`.
    pub weight_decay: f32,
    /// The factor of the parameters' signs in their gradient: that of a penalty `l1 * sum(|w|)`.
    pub l1: f32,
}

impl Default for SgdParameters {
    /// A learning rate of 0.001, and nothing else.
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            l1: 0.0,
        }
    }
}

impl SgdParameters {
    /// Whether all numbers are in their ranges.
    pub(crate) fn check(&self) -> Result<()> {
        check_size("learning rate", self.learning_rate)?;
        check_share("momentum", self.momentum)?;
        check_size("weight decay", self.weight_decay)?;
        check_size("factor of an L1 penalty", self.l1)
    }
}

/// The hyper-parameters of Adam (Kingma and Ba 2015, algorithm 1), and of AdamW (Loshchilov and Hutter 2019,
/// algorithm 2), as PyTorch's `Adam` and `AdamW` define them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamParameters {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of the mean of the gradients.
    pub beta1: f32,
    /// Decay of the mean of their squares.
    pub beta2: f32,
    /// Added to the root of the mean square.
    pub epsilon: f32,
    /// The factor of the parameters in their gradient or, decoupled, the share of the parameters that a step
    /// of rate 1 takes off.
    pub weight_decay: f32,
    /// Whether the weights decay beside the gradient (AdamW) rather than in it (Adam).
    pub decoupled: bool,
    /// The factor of the parameters' signs in their gradient, never decoupled.
    pub l1: f32,
}

impl Default for AdamParameters {
    /// The authors' values: 0.001, 0.9, 0.999, 1e-8; and no penalties.
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
            l1: 0.0,
        }
    }
}

impl AdamParameters {
    /// Whether all numbers are in their ranges.
    pub(crate) fn check(&self) -> Result<()> {
        check_size("learning rate", self.learning_rate)?;
        check_share("beta1 of Adam", self.beta1)?;
        check_share("beta2 of Adam", self.beta2)?;
        check_size("epsilon of Adam", self.epsilon)?;
        check_size("weight decay", self.weight_decay)?;
        check_size("factor of an L1 penalty", self.l1)
    }

    /// The numbers of step `t`.
    fn rates(&self, t: u64) -> AdamRates {
        let (steps, rate) = (t as f64, f64::from(self.learning_rate));
        let decay = f64::from(self.weight_decay);
        let (l2, kept) = match self.decoupled {
            true => (0.0, (1.0 - rate * decay) as f32),
            false => (self.weight_decay, 1.0),
        };
        AdamRates {
            beta1: self.beta1,
            beta2: self.beta2,
            rate: (rate / (1.0 - f64::from(self.beta1).powf(steps))) as f32,
            root: (1.0 - f64::from(self.beta2).powf(steps)).sqrt().recip() as f32,
            epsilon: self.epsilon,
            penalty: Penalty { l2, l1: self.l1 },
            kept,
        }
    }
}

/// A number from zero on.
fn check_size(what: &'static str, value: f32) -> Result<()> {
    check_number(what, value, value >= 0.0 && value.is_finite())
}

/// A number from 0 to below 1.
fn check_share(what: &'static str, value: f32) -> Result<()> {
    check_number(what, value, (0.0..1.0).contains(&value))
}

/// One step of stochastic gradient descent:
///
/// ```text
/// g        = g + weight_decay * w + l1 * sign(w)
/// velocity = momentum * velocity + g
/// w        = w - learning_rate * (nesterov ? g + momentum * velocity : velocity)
/// ```
///
/// The velocity is all zeros before the first step. A penalty whose factor is zero is left out. A product
/// with the momentum or the learning rate is zero where it would be subnormal, so that a velocity which decays ends at
/// zero, and costs no more time than another. The results have the same bits on every instruction set and for any
/// number of threads.
///
/// ```
/// use elision::ops::{SgdParameters, sgd_step};
/// let parameters = SgdParameters { learning_rate: 0.5, momentum: 0.5, ..SgdParameters::default() };
/// let (mut w, mut velocity) = ([1.0], [1.0]);
/// sgd_step(&mut w, &mut velocity, &[0.5], &parameters)?;
/// assert_eq!((w, velocity), ([0.5], [1.0]));
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if the slices differ in length, [`Error::Number`](crate::Error::Number)
/// if the momentum is outside of [0, 1) or another number is negative or not finite.
pub fn sgd_step(
    w: &mut [f32],
    velocity: &mut [f32],
    g: &[f32],
    parameters: &SgdParameters,
) -> Result<()> {
    check_length("velocity of the optimiser", w.len(), velocity.len())?;
    check_length("gradient of the parameters", w.len(), g.len())?;
    parameters.check()?;
    let isa = current_isa()?;
    let rates = SgdRates {
        learning_rate: parameters.learning_rate,
        momentum: parameters.momentum,
        nesterov: parameters.nesterov,
        penalty: Penalty {
            l2: parameters.weight_decay,
            l1: parameters.l1,
        },
    };
    for_each_zip([w, velocity], g, |[w, v], g| {
        dispatch(isa, Sgd { rates, w, v, g })
    });
    Ok(())
}

/// Step `t` (from 1) of Adam or AdamW:
///
/// ```text
/// w      = w * (1 - learning_rate * weight_decay)    decoupled, else g = g + weight_decay * w
/// g      = g + l1 * sign(w)
/// mean   = beta1 * mean + (1 - beta1) * g
/// square = beta2 * square + (1 - beta2) * g^2
/// w      = w - learning_rate * (mean / (1 - beta1^t)) / (sqrt(square / (1 - beta2^t)) + epsilon)
/// ```
///
/// Mean and square are all zeros before the first step. A penalty whose factor is zero is left out. A square,
/// and a product with a beta, `1 - beta` or the learning rate, is zero where it would be subnormal, so that a mean which
/// decays ends at zero, and costs no more time than another. The results have the same bits on every instruction set
/// and for any number of threads.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if the slices differ in length, [`Error::Number`](crate::Error::Number)
/// if `t` is 0, a beta is outside of [0, 1) or another number is negative or not finite.
pub fn adam_step(
    w: &mut [f32],
    [mean, square]: [&mut [f32]; 2],
    g: &[f32],
    parameters: &AdamParameters,
    t: u64,
) -> Result<()> {
    check_length("mean of the optimiser", w.len(), mean.len())?;
    check_length("mean square of the optimiser", w.len(), square.len())?;
    check_length("gradient of the parameters", w.len(), g.len())?;
    parameters.check()?;
    check_number("step of Adam", 0.0, t > 0)?;
    let isa = current_isa()?;
    let rates = parameters.rates(t);
    for_each_zip([w, mean, square], g, |[w, m, s], g| {
        dispatch(isa, Adam { rates, w, m, s, g })
    });
    Ok(())
}
