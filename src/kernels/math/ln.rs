//! The natural logarithm.
//!
//! x = 2^k m with m in [sqrt(1/2), sqrt(2)), and ln x = k ln 2 + ln(1 + f) with f = m - 1, which is exact.

use super::{polynomial, unless_nan};
use crate::simd::Simd;

/// (ln(1 + f) - f + f^2 / 2) / f^3 on [-0.2930, 0.4143]: degree 8, error of ln(1 + f) below 2^-30.2 relative.
const LN: [f32; 9] = [
    0.333_333_13,
    -0.250_000_1,
    0.200_020_73,
    -0.166_679_95,
    0.142_203_23,
    -0.124_060_66,
    0.118_836_67,
    -0.116_712_73,
    0.067_504_59,
];
/// The leading 15 bits of ln 2: `k * LN2_HI` is exact.
const LN2_HI: f32 = 0.693_145_75;
/// ln 2 - `LN2_HI`.
const LN2_LO: f32 = 1.428_606_8e-6;
/// The bits of sqrt(1/2).
const SQRT_HALF: u32 = 0x3F35_04F3;
/// The bits of 1.
const ONE: u32 = 0x3F80_0000;
/// The bits of 2^23, to which a small integer is added to make it a float.
const INTEGER: u32 = 0x4B00_0000;

/// The natural logarithm: minus infinity at zero of either sign, NaN below.
#[inline(always)]
pub(crate) fn ln<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let zero = simd.splat(0.0);
    let subnormal = simd.lt(x, simd.splat(f32::MIN_POSITIVE));
    let normal = simd.select(subnormal, simd.mul(x, simd.splat(8_388_608.0)), x);
    let bias = simd.select(
        subnormal,
        simd.splat(8_388_608.0 + 127.0 + 23.0),
        simd.splat(8_388_608.0 + 127.0),
    );
    // Shifted so that the exponent steps at sqrt(1/2) rather than at 1.
    let shifted = simd.u32_add(simd.to_bits(normal), simd.u32_splat(ONE - SQRT_HALF));
    let biased = simd.u32_shr(shifted, 23);
    let k = simd.sub(
        simd.f32_from_bits(simd.u32_or(biased, simd.u32_splat(INTEGER))),
        bias,
    );
    let fraction = simd.u32_and(shifted, simd.u32_splat(0x007F_FFFF));
    let m = simd.f32_from_bits(simd.u32_add(fraction, simd.u32_splat(SQRT_HALF)));
    let y = assembled(simd, k, simd.sub(m, simd.splat(1.0)));
    let infinity = simd.splat(f32::INFINITY);
    let y = simd.select(simd.eq(x, infinity), infinity, y);
    let y = simd.select(simd.eq(x, zero), simd.splat(f32::NEG_INFINITY), y);
    let y = simd.select(simd.lt(x, zero), simd.splat(f32::NAN), y);
    unless_nan(simd, x, y)
}

/// `k ln 2 + ln(1 + f)`, the small terms first.
#[inline(always)]
fn assembled<S: Simd>(simd: S, k: S::F32, f: S::F32) -> S::F32 {
    let square = simd.mul(f, f);
    let cubic = simd.mul(simd.mul(square, f), polynomial(simd, f, LN));
    let curve = simd.sub(cubic, simd.mul(simd.splat(0.5), square));
    let small = simd.add(curve, simd.mul(k, simd.splat(LN2_LO)));
    simd.add(simd.mul(k, simd.splat(LN2_HI)), simd.add(f, small))
}
