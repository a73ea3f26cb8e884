//! The Gaussian error linear unit x Phi(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415), exactly and with
//! its tanh approximation, and both derivatives.

use super::erf::normal_tail;
use super::sigmoid::{sigmoid, sigmoid_derivative, weighted_sigmoid};
use super::{abs, unless_nan};
use crate::simd::Simd;

/// 2 sqrt(2 / pi).
const LINEAR: f32 = 1.595_769_2;
/// 2 sqrt(2 / pi) * 0.044715.
const CUBIC: f32 = 0.071_354_814;
/// 1 / sqrt(2 pi).
const DENSITY: f32 = 0.398_942_3;

/// Twice the argument of the tanh: 0.5 (1 + tanh(u)) is the logistic function of 2u.
#[inline(always)]
fn twice_argument<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let square = simd.mul(x, x);
    simd.mul(
        x,
        simd.add(simd.splat(LINEAR), simd.mul(square, simd.splat(CUBIC))),
    )
}

/// `max(x, -f32::MAX)`: minus infinity times a share of zero would be NaN, where the limit is -0.0.
#[inline(always)]
fn finite_below<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    simd.max(x, simd.splat(f32::MIN))
}

/// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
#[inline(always)]
pub(crate) fn gelu<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let y = weighted_sigmoid(simd, twice_argument(simd, x), finite_below(simd, x));
    unless_nan(simd, x, y)
}

/// The derivative of [`gelu`]: s + x s (1 - s) v', with s the logistic function of v = 2u.
#[inline(always)]
pub(crate) fn gelu_derivative<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    // Beyond 16 the derivative is 0 or 1 to the last bit, and infinity times zero is avoided.
    let z = simd.max(simd.min(x, simd.splat(16.0)), simd.splat(-16.0));
    let v = twice_argument(simd, z);
    let square = simd.mul(z, z);
    let slope = simd.add(
        simd.splat(LINEAR),
        simd.mul(square, simd.splat(3.0 * CUBIC)),
    );
    let change = simd.mul(simd.mul(z, slope), sigmoid_derivative(simd, v));
    unless_nan(simd, x, simd.add(sigmoid(simd, v), change))
}

/// Phi(x) and e^(-x^2 / 2).
#[inline(always)]
fn normal<S: Simd>(simd: S, x: S::F32) -> (S::F32, S::F32) {
    let (tail, bell) = normal_tail(simd, abs(simd, x));
    let phi = simd.select(
        simd.lt(x, simd.splat(0.0)),
        tail,
        simd.sub(simd.splat(1.0), tail),
    );
    (phi, bell)
}

/// x Phi(x).
#[inline(always)]
pub(crate) fn gelu_erf<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let (phi, _) = normal(simd, x);
    unless_nan(simd, x, simd.mul(finite_below(simd, x), phi))
}

/// The derivative of [`gelu_erf`]: Phi(x) + x e^(-x^2 / 2) / sqrt(2 pi).
#[inline(always)]
pub(crate) fn gelu_erf_derivative<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let (phi, bell) = normal(simd, x);
    let z = simd.max(simd.min(x, simd.splat(16.0)), simd.splat(-16.0));
    let change = simd.mul(z, simd.mul(bell, simd.splat(DENSITY)));
    unless_nan(simd, x, simd.add(phi, change))
}
