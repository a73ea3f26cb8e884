//! Penalties that come in slowly.

use super::callback::Callback;
use crate::error::{Result, check_number};

/// The weight of the penalties as a function of the step: 0 at first, then up a line to 1, and 1 from there on.
///
/// A divergence that is there from the first step prunes weights before the data could use them. Sparse variational
/// dropout (Molchanov et al. 2017, <https://arxiv.org/abs/1701.05369>) is trained with a weight of 0 for 5 epochs
/// that reaches 1 at epoch 20; here the line rises with every step. As a [`Callback`] it sets the weight before each step
/// of [`Trainer::fit`](super::Trainer::fit).
///
/// ```
/// use elision::train::WarmUp;
/// let warm_up = WarmUp::epochs(5, 20, 100)?; // of 100 steps
/// let weights = [0, 499, 500, 1250, 2000, 9999].map(|step| warm_up.weight(step));
/// assert_eq!(weights, [0.0, 0.0, 0.0, 0.5, 1.0, 1.0]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    from: u64,
    to: u64,
}

impl WarmUp {
    /// 0 up to step `from`, 1 from step `to` on, and a line between. If both are the same, the weight jumps there.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if `to` is before `from`.
    pub fn new(from: u64, to: u64) -> Result<Self> {
        check_number("end of a warm-up", to as f64, from <= to)?;
        Ok(Self { from, to })
    }

    /// The same in complete epochs of so many steps.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if `to` is before `from`.
    pub fn epochs(from: u64, to: u64, steps: u64) -> Result<Self> {
        Self::new(from.saturating_mul(steps), to.saturating_mul(steps))
    }

    /// The weight in a step, the first of which is 0.
    #[must_use]
    pub fn weight(&self, step: u64) -> f64 {
        match step {
            late if late >= self.to => 1.0,
            early if early <= self.from => 0.0,
            step => (step - self.from) as f64 / (self.to - self.from) as f64,
        }
    }
}

impl Callback for WarmUp {
    fn penalty_weight(&mut self, step: u64) -> Option<f64> {
        Some(self.weight(step))
    }
}
