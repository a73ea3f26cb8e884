//! The exponential.
//!
//! x = n ln 2 + r with |r| <= ln 2 / 2, and e^x = 2^n e^r. Adding 1.5 * 2^23 rounds x / ln 2 to the
//! integer n in the low bits of the sum, so that neither a rounding mode nor a conversion is needed.

use super::{polynomial, unless_nan};
use crate::simd::Simd;

/// 1.5 * 2^23: the unit in the last place of numbers nearby is 1.
const ROUND: f32 = 12_582_912.0;
/// The leading 15 bits of ln 2: `n * LN2_HI` is exact for |n| < 512.
const LN2_HI: f32 = 0.693_145_75;
/// ln 2 - `LN2_HI`.
const LN2_LO: f32 = 1.428_606_8e-6;
/// (e^r - 1 - r) / r^2 on |r| <= 0.3467: degree 4, error of e^r below 2^-28.2 relative.
const EXP: [f32; 5] = [
    0.499_999_94,
    0.166_665_21,
    0.041_668_266,
    0.008_368_677,
    0.001_382_073_4,
];

/// e^x; overflows to infinity and underflows through the subnormals exactly where it should.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let bounded = simd.max(simd.splat(-104.0), simd.min(simd.splat(89.0), x));
    unless_nan(simd, x, Reduced::new(simd, bounded).scaled(simd))
}

/// e^x for x in [-174, 0], where subnormal results still count; for NaN anything.
#[inline(always)]
pub(super) fn exp_negative<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    Reduced::new(simd, simd.max(x, simd.splat(-104.0))).scaled(simd)
}

/// e^x for x in [-87, 88], where neither the result nor the scale is subnormal; for NaN anything.
#[inline(always)]
pub(super) fn exp_moderate<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    Reduced::new(simd, x).scaled_once(simd)
}

/// e^(hi + lo) for hi + lo in [-174, 89] and |lo| far below |hi|: what rounding hi + lo would cost is saved.
#[inline(always)]
pub(super) fn exp_sum<S: Simd>(simd: S, hi: S::F32, lo: S::F32) -> S::F32 {
    Reduced::of_sum(simd, hi, lo).scaled(simd)
}

/// `mantissa * 2^exponent`, the mantissa in [0.7, 1.42].
struct Reduced<S: Simd> {
    mantissa: S::F32,
    /// Two's complement.
    exponent: S::U32,
}

impl<S: Simd> Reduced<S> {
    #[inline(always)]
    fn new(simd: S, x: S::F32) -> Self {
        Self::reduce(simd, x, x, simd.splat(0.0))
    }

    #[inline(always)]
    fn of_sum(simd: S, hi: S::F32, lo: S::F32) -> Self {
        Self::reduce(simd, simd.add(hi, lo), hi, lo)
    }

    /// `sum` is `hi + lo` rounded. The head of r is exact; its tail joins only after the polynomial, so
    /// that it is rounded once, with the last but one addition.
    #[inline(always)]
    fn reduce(simd: S, sum: S::F32, hi: S::F32, lo: S::F32) -> Self {
        let shifted = simd.add(
            simd.mul(sum, simd.splat(std::f32::consts::LOG2_E)),
            simd.splat(ROUND),
        );
        let n = simd.sub(shifted, simd.splat(ROUND));
        let head = simd.sub(hi, simd.mul(n, simd.splat(LN2_HI)));
        let tail = simd.sub(simd.mul(n, simd.splat(LN2_LO)), lo);
        let r = simd.sub(head, tail);
        let square = simd.mul(r, r);
        let curve = simd.sub(simd.mul(square, polynomial(simd, r, EXP)), tail);
        Self {
            mantissa: simd.add(simd.splat(1.0), simd.add(head, curve)),
            exponent: simd.u32_sub(simd.to_bits(shifted), simd.u32_splat(ROUND.to_bits())),
        }
    }

    /// For exponents in [-126, 127].
    #[inline(always)]
    fn scaled_once(self, simd: S) -> S::F32 {
        let biased = simd.u32_add(self.exponent, simd.u32_splat(127));
        simd.mul(self.mantissa, simd.f32_from_bits(simd.u32_shl(biased, 23)))
    }

    /// For exponents in [-252, 254]: by half of the exponent, exactly, and then by the rest, which rounds
    /// a subnormal result once.
    #[inline(always)]
    fn scaled(self, simd: S) -> S::F32 {
        // floor(exponent / 2) + 128; the offset keeps the shifted number positive.
        let half = simd.u32_shr(simd.u32_add(self.exponent, simd.u32_splat(256)), 1);
        let rest = simd.u32_sub(self.exponent, half);
        let first = simd.u32_sub(half, simd.u32_splat(1));
        let second = simd.u32_add(rest, simd.u32_splat(255));
        let once = simd.mul(self.mantissa, simd.f32_from_bits(simd.u32_shl(first, 23)));
        simd.mul(once, simd.f32_from_bits(simd.u32_shl(second, 23)))
    }
}
