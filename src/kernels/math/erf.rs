//! The error function and the tail of the normal distribution.

use super::exp::exp_sum;
use super::{abs, head, polynomial, unless_nan, with_sign};
use crate::simd::Simd;

/// erf(x) / x - 1 in x^2, for |x| <= 0.75: degree 5, error of erf below 2^-29.2 relative.
const ERF: [f32; 6] = [
    0.128_379_17,
    -0.376_126_2,
    0.112_833_79,
    -0.026_834_335,
    0.005_113_157,
    -0.000_673_758_4,
];
/// Below, erf is the polynomial; above, it is at least 0.71 and 1 - erfc loses nothing.
const ERF_SMALL: f32 = 0.75;
/// Phi(-t) e^(t^2 / 2) on [0, 14.6] is `UPPER / LOWER`, polynomials in t: degrees 4 and 5, all coefficients
/// positive so that nothing cancels, error below 2^-26.7 relative.
const UPPER: [f32; 5] = [
    0.5,
    0.437_795_94,
    0.182_829_05,
    0.040_485_784,
    0.004_091_308,
];
/// The denominator.
const LOWER: [f32; 6] = [
    1.0,
    1.673_476_7,
    1.200_895_5,
    0.468_389_24,
    0.101_489_276,
    0.010_255_269,
];
/// From here on Phi(-t) is below half of the least subnormal number.
const TAIL_END: f32 = 14.5;

/// e^(-t^2 / 2) for t in [0, 14.5], with the square's rounding error made good: t = h + l gives
/// t^2 = h^2 + l (t + h), the first of which is exact.
#[inline(always)]
pub(super) fn bell<S: Simd>(simd: S, t: S::F32) -> S::F32 {
    let h = head(simd, t);
    let minus_half = simd.splat(-0.5);
    let hi = simd.mul(minus_half, simd.mul(h, h));
    let lo = simd.mul(minus_half, simd.mul(simd.sub(t, h), simd.add(t, h)));
    exp_sum(simd, hi, lo)
}

/// The normal distribution beyond `t >= 0`: its mass Phi(-t) and e^(-t^2 / 2).
#[inline(always)]
pub(super) fn normal_tail<S: Simd>(simd: S, t: S::F32) -> (S::F32, S::F32) {
    let t = simd.min(t, simd.splat(TAIL_END));
    let bell = bell(simd, t);
    let ratio = simd.div(polynomial(simd, t, UPPER), polynomial(simd, t, LOWER));
    (simd.mul(bell, ratio), bell)
}

/// The error function, odd to the bit.
#[inline(always)]
pub(crate) fn erf<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let a = abs(simd, x);
    let square = simd.mul(a, a);
    let small = simd.add(a, simd.mul(a, polynomial(simd, square, ERF)));
    // erf(a) = 1 - 2 Phi(-a sqrt 2).
    let (tail, _) = normal_tail(simd, simd.mul(a, simd.splat(std::f32::consts::SQRT_2)));
    let large = simd.sub(simd.splat(1.0), simd.add(tail, tail));
    let y = simd.select(simd.lt(a, simd.splat(ERF_SMALL)), small, large);
    unless_nan(simd, x, with_sign(simd, y, x))
}
