//! Directions of gradients, pair by pair (Liu et al. 2023, <https://arxiv.org/abs/2303.01500>).

/// `(1 - cosine) / 2` of the angle between two gradients; NaN if one is zero.
#[must_use]
pub fn direction_distance(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    0.5 * (1.0 - dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt()))
}

/// Gradient direction variance: the mean distance of all pairs; NaN if there is none.
#[must_use]
pub fn direction_variance(gradients: &[Vec<f64>]) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (j, b) in gradients.iter().enumerate() {
        for a in &gradients[..j] {
            sum += direction_distance(a, b);
            pairs += 1.0;
        }
    }
    sum / pairs
}

/// Gradient direction error: the mean distance from the full gradient; NaN if there is none.
#[must_use]
pub fn direction_error(gradients: &[Vec<f64>], full: &[f64]) -> f64 {
    let distances = gradients.iter().map(|g| direction_distance(g, full));
    distances.sum::<f64>() / gradients.len() as f64
}
