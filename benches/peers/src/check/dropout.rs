//! Masks and elementwise dropout: every element is looked at.

use elision::reference::dropout::scale;

use super::{check_close, check_share};
use crate::work::RATE;

/// A mask is of zeros and ones.
pub(super) fn check_mask(mask: &[f32]) -> Result<(), String> {
    if let Some(i) = mask.iter().position(|&x| x != 0.0 && x != 1.0) {
        return Err(format!("mask[{i}] is {}", mask[i]));
    }
    let kept = mask.iter().filter(|&&x| x == 1.0).count();
    check_share(kept, mask.len(), RATE)
}

/// An output is zero or the input scaled. No input is zero.
pub(super) fn check_forward(x: &[f32], y: &[f32]) -> Result<(), String> {
    let kept = |y: f32| y != 0.0;
    for (i, (&x, &y)) in x.iter().zip(y).enumerate().filter(|(_, (_, y))| kept(**y)) {
        check_scaled("y", i, y, x)?;
    }
    check_share(y.iter().filter(|&&y| kept(y)).count(), y.len(), RATE)
}

/// A gradient is zero where the output is, and the gradient of the output scaled elsewhere.
pub(super) fn check_backward(g: &[f32], y: &[f32], dx: &[f32]) -> Result<(), String> {
    for (i, ((&g, &y), &dx)) in g.iter().zip(y).zip(dx).enumerate() {
        check_scaled("dx", i, dx, if y == 0.0 { 0.0 } else { g })?;
    }
    Ok(())
}

/// One rounding of the product with the scale, and one of the scale itself.
fn check_scaled(what: &str, at: usize, found: f32, x: f32) -> Result<(), String> {
    let expected = f64::from(x) * f64::from(scale(RATE));
    check_close(what, at, found, expected, expected.abs() * 2f64.powi(-22))
}
