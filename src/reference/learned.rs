//! The noise of learned drop probabilities, and what their priors cost.

use super::math::sigmoid;

/// The divergence of a normal weight from the log-uniform prior, approximated for every noise-to-signal ratio alpha
/// (Molchanov et al. 2017, <https://arxiv.org/abs/1701.05369>); 0 in the limit of a large alpha.
#[must_use]
pub fn sparse_divergence(log_alpha: f64) -> f64 {
    let (k1, k2, k3) = (0.63576, 1.87320, 1.48695);
    k1 - k1 * sigmoid(k2 + k3 * log_alpha) + 0.5 * (-log_alpha).exp().ln_1p()
}

/// The same, approximated for alpha <= 1, as which a larger one counts, and without its constant (Kingma et al. 2015,
/// <https://arxiv.org/abs/1506.02557>).
#[must_use]
pub fn variational_divergence(log_alpha: f64) -> f64 {
    let log_alpha = log_alpha.min(0.0);
    let alpha = log_alpha.exp();
    let (c1, c2, c3) = (1.161_451_24, -1.502_041_18, 0.586_299_21);
    -(0.5 * log_alpha + c1 * alpha + c2 * alpha.powi(2) + c3 * alpha.powi(3))
}

/// The soft drop of concrete dropout with drop probability `p`, for a uniform number `u` (Gal et al. 2017,
/// <https://arxiv.org/abs/1705.07832>).
#[must_use]
pub fn concrete_drop(u: f64, p: f64, temperature: f64) -> f64 {
    let log = |x: f64| (x + 1e-7).ln();
    sigmoid((log(p) - log(1.0 - p) + log(u) - log(1.0 - u)) / temperature)
}
