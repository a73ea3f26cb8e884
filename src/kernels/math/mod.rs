//! Mathematics on 16 lanes, without FMA, so that every instruction set gives the same bits.
//!
//! Only additions, multiplications, divisions, comparisons, selections and integer operations are used;
//! each is rounded once, in a fixed order. The polynomials are minimax fits of our own (Lawson's
//! iteration on a Chebyshev grid; coefficients rounded to f32 one by one, from the constant up, the
//! others fitted again after each); the error stated beside each is that of the rounded coefficients in
//! exact arithmetic. `docs/accuracy.md` states the bounds that `tests/math.rs` holds them to.
//!
//! A NaN comes out with its sign and payload, quiet, so even its bits are the same everywhere.

mod erf;
mod exp;
mod gelu;
mod ln;
mod sigmoid;

pub(crate) use erf::erf;
pub(crate) use exp::exp;
pub(crate) use gelu::{gelu, gelu_derivative, gelu_erf, gelu_erf_derivative};
pub(crate) use ln::ln;
pub(crate) use sigmoid::{sigmoid, sigmoid_derivative, tanh, tanh_derivative};

use crate::simd::Simd;

/// The sign bit.
const SIGN: u32 = 1 << 31;
/// The bit that makes a NaN a quiet one.
const QUIET: u32 = 1 << 22;

/// `c[0] + x (c[1] + x (c[2] + ...))`, by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::F32, c: [f32; N]) -> S::F32 {
    let mut sum = simd.splat(c[N - 1]);
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        sum = simd.add(simd.mul(sum, x), simd.splat(c[i]));
    }
    sum
}

/// `|x|`.
#[inline(always)]
pub(crate) fn abs<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    simd.f32_from_bits(simd.u32_and(simd.to_bits(x), simd.u32_splat(!SIGN)))
}

/// `y >= 0` with the sign of `x`.
#[inline(always)]
fn with_sign<S: Simd>(simd: S, y: S::F32, x: S::F32) -> S::F32 {
    let sign = simd.u32_and(simd.to_bits(x), simd.u32_splat(SIGN));
    simd.f32_from_bits(simd.u32_or(simd.to_bits(y), sign))
}

/// `y`, or `x` made quiet where it is a NaN. The quiet bit is set by hand: a signalling NaN that meets no
/// arithmetic would stay as it is, and whether it meets some is the compiler's choice.
#[inline(always)]
fn unless_nan<S: Simd>(simd: S, x: S::F32, y: S::F32) -> S::F32 {
    let quiet = simd.f32_from_bits(simd.u32_or(simd.to_bits(x), simd.u32_splat(QUIET)));
    simd.select(simd.eq(x, x), y, quiet)
}

/// The first 12 of 24 significant bits of `x`: the square of the result is exact.
#[inline(always)]
fn head<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    simd.f32_from_bits(simd.u32_and(simd.to_bits(x), simd.u32_splat(0xFFFF_F000)))
}
