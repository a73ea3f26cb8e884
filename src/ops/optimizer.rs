//! Optimiser steps over plain slices.

use crate::error::{Error, Result};
use crate::exec::{current_isa, for_each_zip};
use crate::kernels::optimizer::{Adam, AdamRates, Sgd, SgdRates};
use crate::ops::check::check_length;
use crate::simd::dispatch;

/// The hyper-parameters of Adam (Kingma and Ba 2015, algorithm 1).
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
}

impl Default for AdamParameters {
    /// The authors' values: 0.001, 0.9, 0.999, 1e-8.
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// One step of stochastic gradient descent with momentum:
/// `velocity = momentum * velocity + g; w = w - learning_rate * velocity`.
///
/// # Errors
/// [`Error::Length`] if the slices differ in length.
pub fn sgd_step(
    w: &mut [f32],
    velocity: &mut [f32],
    g: &[f32],
    learning_rate: f32,
    momentum: f32,
) -> Result<()> {
    check_length("velocity of the optimiser", w.len(), velocity.len())?;
    check_length("gradient of the parameters", w.len(), g.len())?;
    let isa = current_isa()?;
    let rates = SgdRates {
        learning_rate,
        momentum,
    };
    for_each_zip([w, velocity], g, |[w, v], g| {
        dispatch(isa, Sgd { rates, w, v, g })
    });
    Ok(())
}

/// Step `t` (from 1) of Adam.
///
/// # Errors
/// [`Error::Length`] if the slices differ in length, [`Error::Number`] if `t` is 0.
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
    if t == 0 {
        return Err(Error::Number {
            what: "step of Adam",
            value: 0.0,
        });
    }
    let isa = current_isa()?;
    let rates = adam_rates(parameters, t);
    for_each_zip([w, mean, square], g, |[w, m, s], g| {
        dispatch(isa, Adam { rates, w, m, s, g })
    });
    Ok(())
}

fn adam_rates(parameters: &AdamParameters, t: u64) -> AdamRates {
    let AdamParameters {
        learning_rate,
        beta1,
        beta2,
        epsilon,
    } = *parameters;
    let steps = t as f64;
    let rate = f64::from(learning_rate) / (1.0 - f64::from(beta1).powf(steps));
    let root = (1.0 - f64::from(beta2).powf(steps)).sqrt().recip();
    AdamRates {
        beta1,
        beta2,
        rate: rate as f32,
        root: root as f32,
        epsilon,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sgd_is_its_formula() {
        let (mut w, mut v) = ([1.0, 2.0], [0.5, 0.0]);
        sgd_step(&mut w, &mut v, &[2.0, -1.0], 0.1, 0.5).unwrap();
        assert_eq!((w, v), ([1.0 - 0.1 * 2.25, 2.0 + 0.1], [2.25, -1.0]));
    }

    #[test]
    fn the_first_step_of_adam_is_the_learning_rate() {
        let (mut w, mut m, mut s) = (vec![0.0; 1000], vec![0.0; 1000], vec![0.0; 1000]);
        let g: Vec<f32> = (0..1000).map(|i| (i as f32 - 499.5) * 0.1).collect();
        adam_step(&mut w, [&mut m, &mut s], &g, &AdamParameters::default(), 1).unwrap();
        for (w, g) in w.iter().zip(&g) {
            assert!((w + 1e-3 * g.signum()).abs() < 1e-7, "{w} for {g}");
        }
    }

    #[test]
    fn lengths_must_agree() {
        assert!(sgd_step(&mut [0.0], &mut [], &[0.0], 0.1, 0.0).is_err());
        let p = AdamParameters::default();
        assert!(adam_step(&mut [0.0], [&mut [0.0], &mut [0.0]], &[0.0], &p, 0).is_err());
        assert!(adam_step(&mut [0.0], [&mut [0.0], &mut [0.0]], &[], &p, 1).is_err());
    }
}
