//! Numbers of a law, 32 at a time, from a block's generator.
//!
//! Normal numbers are those of Box and Muller (1958), arranged so that 32 of them take one logarithm, one
//! square root and one sine and cosine of 16 lanes. With u uniform in (0, 1] and phi in (-pi/4, pi/4),
//! `sqrt(-2 ln u)` is the radius, and phi - pi/4 an angle of the fourth quadrant, whose cosine and sine are
//! `(cos phi ± sin phi) / sqrt 2`. The roots of 2 cancel, and two random signs reach the other quadrants:
//!
//! ```text
//! r = sqrt(-ln u);   first = ± r (cos phi + sin phi);   second = ± r (cos phi - sin phi)
//! ```
//!
//! The logarithm needs no general argument. u is an odd number of 31 bits times 2^-31, as a float 2^-k (1 + m)
//! with k from 0 to 31. With d = (1 - m) / 2,
//!
//! ```text
//! -ln u = (k - m) ln 2 - d G(d),   G(d) = 2 ln 2 + ln(1 - d) / d
//! ```
//!
//! `(k - m) 2^23` is a difference of bit patterns, so the logarithm is taken in units of ln 2 times 2^-23, and the root
//! of the unit is in the polynomials of sine and cosine. Where u is near 1 both terms are small multiples of d: nothing
//! cancels. No FMA: all instruction sets give the same bits.

use super::xoshiro::Xoshiro;
use crate::simd::{LANES, Simd};

/// Numbers that a law makes at a time.
pub(crate) const PAIR: usize = 2 * LANES;

/// A law of random numbers; `pair` must be `#[inline(always)]`. What it draws, and in which order, influences
/// the random stream.
pub(crate) trait Law: Copy + Send + Sync {
    /// The next 32 numbers of a block, the first 16 and the second.
    fn pair<S: Simd>(self, simd: S, generator: &mut Xoshiro<S>) -> [S::F32; 2];
}

/// Uniform in (0, 1): the odd multiples of 2^-24.
#[derive(Clone, Copy)]
pub(crate) struct Unit;

impl Law for Unit {
    #[inline(always)]
    fn pair<S: Simd>(self, simd: S, generator: &mut Xoshiro<S>) -> [S::F32; 2] {
        let below = simd.splat(1.0 - HALF_ULP);
        let first = simd.sub(one_to_two(simd, generator), below);
        let second = simd.sub(one_to_two(simd, generator), below);
        [first, second]
    }
}

/// Uniform in (-1, 1): twice [`Unit`]'s number minus 1, exactly.
#[derive(Clone, Copy)]
pub(crate) struct Centred;

impl Law for Centred {
    #[inline(always)]
    fn pair<S: Simd>(self, simd: S, generator: &mut Xoshiro<S>) -> [S::F32; 2] {
        let [first, second] = Unit.pair(simd, generator);
        let one = simd.splat(1.0);
        [
            simd.sub(simd.add(first, first), one),
            simd.sub(simd.add(second, second), one),
        ]
    }
}

/// 2^-24.
const HALF_ULP: f32 = 1.0 / 16_777_216.0;

/// Uniform among the 2^23 floats of [1, 2).
#[inline(always)]
fn one_to_two<S: Simd>(simd: S, generator: &mut Xoshiro<S>) -> S::F32 {
    let fraction = simd.u32_shr(halves(simd, generator), 9);
    simd.f32_from_bits(simd.u32_or(fraction, simd.u32_splat(ONE)))
}

/// The next 32 random bits of each of 16 lanes.
#[inline(always)]
fn halves<S: Simd>(simd: S, generator: &mut Xoshiro<S>) -> S::U32 {
    let words = generator.next(simd);
    simd.u32_from_u64(words)
}

/// The sign bit.
const SIGN: u32 = 1 << 31;
/// The bits of a float after the exponent.
const FRACTION: u32 = 0x007F_FFFF;
/// The bits of 1/2, of 1 and of 2^31.
const HALF: u32 = 0x3F00_0000;
const ONE: u32 = 0x3F80_0000;
const TWO_31: u32 = 0x4F00_0000;

/// G / h on (0, 1/2], where h is ln 2 times 2^-23: degree 6, -ln u is within 2^-19.7 of itself, and the radius within
/// 2^-20.7. G(1/2) comes out below zero, so that u = 1, where the other term is 0, has a radius too.
const G: [f32; 7] = [
    4.674_999_5e6,
    -6.048_616_5e6,
    -4.108_669_2e6,
    -2.201_734_5e6,
    -6.615_491_5e6,
    8.282_522_5e6,
    -1.239_481_2e7,
];
/// sqrt(h) sin(pi/4 t) / t in t^2 on [0, 1]: within 2^-27.
const SIN: [f32; 4] = [
    2.257_655_4e-4,
    -2.321_056_3e-5,
    7.157_508_4e-7,
    -1.032_847_5e-8,
];
/// sqrt(h) cos(pi/4 t) in t^2 on [0, 1]: within 2^-24.
const COS: [f32; 4] = [2.874_536_1e-4, -8.865_768e-5, 4.556_119_6e-6, -9.165_572e-8];
/// 2^-31.
const ANGLE: f32 = 1.0 / 2_147_483_648.0;

/// Standard normal numbers: mean 0, variance 1; none is beyond 6.6 in size.
#[derive(Clone, Copy)]
pub(crate) struct Normal;

impl Law for Normal {
    #[inline(always)]
    fn pair<S: Simd>(self, simd: S, generator: &mut Xoshiro<S>) -> [S::F32; 2] {
        let (radii, angles) = (halves(simd, generator), halves(simd, generator));
        let r = radius(simd, radii);
        let t = simd.mul(simd.f32_from_i32(angles), simd.splat(ANGLE));
        let square = simd.mul(t, t);
        let sine = simd.mul(t, cubic(simd, square, SIN));
        let cosine = cubic(simd, square, COS);
        let first = simd.mul(r, simd.add(cosine, sine));
        let second = simd.mul(r, simd.sub(cosine, sine));
        // The radius does not use its highest bit, and the angle hardly its lowest.
        [
            signed(simd, first, radii),
            signed(simd, second, simd.u32_shl(angles, 31)),
        ]
    }
}

/// `y` with its sign changed where the highest bit is set.
#[inline(always)]
fn signed<S: Simd>(simd: S, y: S::F32, bits: S::U32) -> S::F32 {
    let sign = simd.u32_and(bits, simd.u32_splat(SIGN));
    simd.f32_from_bits(simd.u32_xor(simd.to_bits(y), sign))
}

/// `sqrt(-ln u / h)` for u = (the lower 31 bits, made odd) times 2^-31.
#[inline(always)]
fn radius<S: Simd>(simd: S, bits: S::U32) -> S::F32 {
    let odd = simd.u32_or(simd.u32_and(bits, simd.u32_splat(!SIGN)), simd.u32_splat(1));
    let u = simd.to_bits(simd.f32_from_i32(odd));
    let steps = simd.f32_from_i32(simd.u32_sub(simd.u32_splat(TWO_31), u));
    let half = simd.u32_or(
        simd.u32_and(u, simd.u32_splat(FRACTION)),
        simd.u32_splat(HALF),
    );
    let d = simd.sub(simd.splat(1.0), simd.f32_from_bits(half));
    let mut g = simd.splat(G[6]);
    let mut i = 6;
    while i > 0 {
        i -= 1;
        g = simd.add(simd.mul(g, d), simd.splat(G[i]));
    }
    simd.sqrt(simd.sub(steps, simd.mul(d, g)))
}

/// A polynomial of degree 3, by Horner's rule.
#[inline(always)]
fn cubic<S: Simd>(simd: S, x: S::F32, c: [f32; 4]) -> S::F32 {
    let y = simd.add(simd.mul(simd.splat(c[3]), x), simd.splat(c[2]));
    let y = simd.add(simd.mul(y, x), simd.splat(c[1]));
    simd.add(simd.mul(y, x), simd.splat(c[0]))
}
