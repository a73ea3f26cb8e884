//! Dropout of a slice, given which elements are kept (`docs/determinism.md`, section 6).

use crate::error::{Error, Result};

/// The factor of a kept element in inverted dropout: `1 / (1 - p)`, or 1 where nothing is kept.
#[must_use]
pub fn scale(p: f64) -> f32 {
    if p == 1.0 {
        1.0
    } else {
        (1.0 / (1.0 - p)) as f32
    }
}

/// Inverted dropout in training.
///
/// # Errors
/// [`Error::Length`] if there is not one bool an element.
pub fn forward(x: &[f32], kept: &[bool], p: f64) -> Result<Vec<f32>> {
    select(x, kept, scale(p))
}

/// The gradient of [`forward`] for the gradient `g` of its result.
///
/// # Errors
/// [`Error::Length`] if there is not one bool an element.
pub fn backward(g: &[f32], kept: &[bool], p: f64) -> Result<Vec<f32>> {
    select(g, kept, scale(p))
}

/// The original form in training, which does not scale; its gradient is the same function of `g`.
///
/// # Errors
/// [`Error::Length`] if there is not one bool an element.
pub fn forward_original(x: &[f32], kept: &[bool]) -> Result<Vec<f32>> {
    select(x, kept, 1.0)
}

/// The original form at inference, which scales by `1 - p`.
#[must_use]
pub fn inference_original(x: &[f32], p: f64) -> Vec<f32> {
    x.iter().map(|x| x * (1.0 - p) as f32).collect()
}

fn select(x: &[f32], kept: &[bool], scale: f32) -> Result<Vec<f32>> {
    if x.len() != kept.len() {
        return Err(Error::Length {
            what: "keep bits",
            expected: x.len(),
            found: kept.len(),
        });
    }
    Ok(x.iter()
        .zip(kept)
        .map(|(&x, &kept)| if kept { x * scale } else { 0.0 })
        .collect())
}
