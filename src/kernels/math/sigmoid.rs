//! The logistic function and the hyperbolic tangent, with their derivatives.
//!
//! Only e^-|x| is ever formed: it cannot overflow, and the quotients cancel nowhere.

use super::exp::{exp_moderate, exp_negative};
use super::{SIGN, abs, polynomial, unless_nan, with_sign};
use crate::simd::Simd;

/// (tanh(x) / x - 1) / x^2 in x^2, for |x| <= 0.625: degree 4, error of tanh below 2^-27.7 relative.
const TANH: [f32; 5] = [
    -0.333_332_8,
    0.133_314_06,
    -0.053_736_515,
    0.020_628_167,
    -0.005_692_296,
];
/// Below, tanh is the polynomial; above, it is at least 0.55 and the other form loses nothing.
const TANH_SMALL: f32 = 0.625;

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    unless_nan(simd, x, weighted_sigmoid(simd, x, simd.splat(1.0)))
}

/// `weight / (1 + e^-x)`; for x = NaN anything.
#[inline(always)]
pub(super) fn weighted_sigmoid<S: Simd>(simd: S, x: S::F32, weight: S::F32) -> S::F32 {
    let (one, zero) = (simd.splat(1.0), simd.splat(0.0));
    let e = exp_negative(simd, minus_abs(simd, x));
    let share = simd.select(simd.lt(x, zero), e, one);
    simd.div(simd.mul(weight, share), simd.add(one, e))
}

/// s (1 - s) of s = 1 / (1 + e^-x), as e / (1 + e)^2 with e = e^-|x|.
#[inline(always)]
pub(crate) fn sigmoid_derivative<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let e = exp_negative(simd, minus_abs(simd, x));
    let sum = simd.add(simd.splat(1.0), e);
    unless_nan(simd, x, simd.div(e, simd.mul(sum, sum)))
}

/// The hyperbolic tangent, odd to the bit.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let a = abs(simd, x);
    let square = simd.mul(a, a);
    let curve = simd.mul(square, polynomial(simd, square, TANH));
    let small = simd.add(a, simd.mul(a, curve));
    // 1 - tanh is below half a unit in the last place from 9.02 on.
    let twice = simd.min(simd.add(a, a), simd.splat(20.0));
    let (one, two) = (simd.splat(1.0), simd.splat(2.0));
    let e = exp_moderate(simd, twice);
    let large = simd.sub(one, simd.div(two, simd.add(e, one)));
    let y = simd.select(simd.lt(a, simd.splat(TANH_SMALL)), small, large);
    unless_nan(simd, x, with_sign(simd, y, x))
}

/// 1 - tanh^2, without the cancellation: four times the logistic function's derivative at 2x.
#[inline(always)]
pub(crate) fn tanh_derivative<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let quarter = sigmoid_derivative(simd, simd.add(x, x));
    unless_nan(simd, x, simd.mul(simd.splat(4.0), quarter))
}

/// `-|x|`.
#[inline(always)]
fn minus_abs<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    simd.f32_from_bits(simd.u32_or(simd.to_bits(x), simd.u32_splat(SIGN)))
}
