//! Registers: the one place with intrinsics.
//!
//! A zero-sized *token* proves that the processor has an instruction set. The sealed trait [`Simd`] is
//! implemented by the four tokens, and every vector of the trait is ONE 64-byte block whatever the
//! hardware's registers are: 16 x `f32`, 16 x `u32` or 8 x `u64`. Lane order, tails, random streams and
//! reduction trees are therefore the same everywhere, which is what lets tests ask for identical bits.
//!
//! A [`Kernel`] is a small struct with one safe generic function; [`dispatch`] runs it under the
//! trampoline of an [`Isa`]. Everything that a kernel calls must be `#[inline(always)]`, or it is
//! compiled without the instruction set; `.ci/symbols.sh` guards this on the built artefact.

mod dispatch;
mod isa;
mod portable;
mod scalar;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(target_arch = "x86_64")]
pub use {avx2::Avx2, avx512::Avx512};

pub use dispatch::{Kernel, dispatch};
pub use isa::{Isa, Level};
pub use portable::Portable;
pub use scalar::Scalar;

/// Lanes of a vector of `f32` or `u32`.
pub const LANES: usize = 16;
/// Lanes of a vector of `u64`.
pub const WORDS: usize = 8;

mod sealed {
    /// Only this crate's tokens implement [`super::Simd`].
    pub trait Sealed {}
}

/// The operations of an instruction set on 64-byte vectors; a token's methods are safe because holding
/// the token is the proof that the processor has the instructions.
///
/// Everything but [`mul_add`](Simd::mul_add) gives the same bits on every instruction set.
pub trait Simd: Copy + Send + Sync + sealed::Sealed + 'static {
    /// The level that this token stands for.
    const LEVEL: Level;
    /// 16 x `f32`.
    type F32: Copy;
    /// 16 x `u32`.
    type U32: Copy;
    /// 8 x `u64`.
    type U64: Copy;
    /// A decision for each of 16 lanes.
    type Pred: Copy;

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::F32;
    /// Reads 16 lanes.
    fn load(self, src: &[f32; LANES]) -> Self::F32;
    /// Writes 16 lanes.
    fn store(self, v: Self::F32, dst: &mut [f32; LANES]);
    /// `a + b`.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a - b`.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b`.
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a / b`.
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`; rounded once where the hardware has FMA and twice elsewhere, so it is for GEMM only.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `if a > b { a } else { b }`: a NaN in either operand gives `b`.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `if a < b { a } else { b }`: a NaN in either operand gives `b`.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// Square root, correctly rounded.
    fn sqrt(self, a: Self::F32) -> Self::F32;

    /// `a < b`, false for NaN.
    fn lt(self, a: Self::F32, b: Self::F32) -> Self::Pred;
    /// `a <= b`, false for NaN.
    fn le(self, a: Self::F32, b: Self::F32) -> Self::Pred;
    /// `a == b`, false for NaN.
    fn eq(self, a: Self::F32, b: Self::F32) -> Self::Pred;
    /// `if p { a } else { b }`.
    fn select(self, p: Self::Pred, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `if p { a } else { +0.0 }`.
    fn select_or_zero(self, p: Self::Pred, a: Self::F32) -> Self::F32;
    /// Bit i of `bits` decides for lane i.
    fn pred_from_bits(self, bits: u16) -> Self::Pred;
    /// The inverse of [`pred_from_bits`](Simd::pred_from_bits).
    fn pred_to_bits(self, p: Self::Pred) -> u16;

    /// The bit patterns of the lanes.
    fn to_bits(self, a: Self::F32) -> Self::U32;
    /// The inverse of [`to_bits`](Simd::to_bits).
    fn f32_from_bits(self, a: Self::U32) -> Self::F32;
    /// All lanes `x`.
    fn u32_splat(self, x: u32) -> Self::U32;
    /// `a + b`, wrapping.
    fn u32_add(self, a: Self::U32, b: Self::U32) -> Self::U32;
    /// `a - b`, wrapping.
    fn u32_sub(self, a: Self::U32, b: Self::U32) -> Self::U32;
    /// `a & b`.
    fn u32_and(self, a: Self::U32, b: Self::U32) -> Self::U32;
    /// `a | b`.
    fn u32_or(self, a: Self::U32, b: Self::U32) -> Self::U32;
    /// `a ^ b`.
    fn u32_xor(self, a: Self::U32, b: Self::U32) -> Self::U32;
    /// `a << n`; `n` must be a literal below 32.
    fn u32_shl(self, a: Self::U32, n: u32) -> Self::U32;
    /// `a >> n`, unsigned; `n` must be a literal below 32.
    fn u32_shr(self, a: Self::U32, n: u32) -> Self::U32;

    /// The lanes as signed integers, rounded to the nearest number, ties to even.
    fn f32_from_i32(self, a: Self::U32) -> Self::F32;
    /// The halves of the words: lane `2 j` is the lower half of word j, lane `2 j + 1` the higher.
    fn u32_from_u64(self, a: Self::U64) -> Self::U32;

    /// All lanes `x`.
    fn u64_splat(self, x: u64) -> Self::U64;
    /// Reads 8 words.
    fn u64_load(self, src: &[u64; WORDS]) -> Self::U64;
    /// Writes 8 words.
    fn u64_store(self, v: Self::U64, dst: &mut [u64; WORDS]);
    /// `a + b`, wrapping.
    fn u64_add(self, a: Self::U64, b: Self::U64) -> Self::U64;
    /// The low 64 bits of `a * b`.
    fn u64_mul(self, a: Self::U64, b: Self::U64) -> Self::U64;
    /// `a & b`.
    fn u64_and(self, a: Self::U64, b: Self::U64) -> Self::U64;
    /// `a & !b`.
    fn u64_and_not(self, a: Self::U64, b: Self::U64) -> Self::U64;
    /// `a | b`.
    fn u64_or(self, a: Self::U64, b: Self::U64) -> Self::U64;
    /// `a ^ b`.
    fn u64_xor(self, a: Self::U64, b: Self::U64) -> Self::U64;
    /// `a << n`; `n` must be a literal from 1 to 63.
    fn u64_shl(self, a: Self::U64, n: u32) -> Self::U64;
    /// `a >> n`; `n` must be a literal from 1 to 63.
    fn u64_shr(self, a: Self::U64, n: u32) -> Self::U64;
    /// `a` rotated left by `n`; `n` must be a literal from 1 to 63.
    #[inline(always)]
    fn u64_rotl(self, a: Self::U64, n: u32) -> Self::U64 {
        self.u64_or(self.u64_shl(a, n), self.u64_shr(a, 64 - n))
    }
    /// Whether every bit of every lane is zero.
    fn u64_is_zero(self, a: Self::U64) -> bool;

    /// Reads the first 16 elements, or as many as there are; the absent ones are `+0.0`.
    #[inline(always)]
    fn load_up_to(self, src: &[f32]) -> Self::F32 {
        if let Some(whole) = src.first_chunk() {
            return self.load(whole);
        }
        let mut lanes = [0.0; LANES];
        lanes[..src.len()].copy_from_slice(src);
        self.load(&lanes)
    }
    /// Writes the first 16 elements, or as many as there are.
    #[inline(always)]
    fn store_up_to(self, v: Self::F32, dst: &mut [f32]) {
        if let Some(whole) = dst.first_chunk_mut() {
            return self.store(v, whole);
        }
        dst.copy_from_slice(&self.to_array(v)[..dst.len()]);
    }
    /// Asks for the cache line of an address that will be needed soon; any address will do.
    #[inline(always)]
    fn prefetch(self, _at: *const f32) {}
    /// Exchanges rows and columns of a 16 x 16 block.
    #[inline(always)]
    fn transpose(self, rows: [Self::F32; LANES]) -> [Self::F32; LANES] {
        let mut columns = [[0.0; LANES]; LANES];
        for i in 0..LANES {
            let row = self.to_array(rows[i]);
            for j in 0..LANES {
                columns[j][i] = row[j];
            }
        }
        let mut result = rows;
        for j in 0..LANES {
            result[j] = self.load(&columns[j]);
        }
        result
    }
    /// The lanes as an array.
    #[inline(always)]
    fn to_array(self, v: Self::F32) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(v, &mut lanes);
        lanes
    }
    /// Folds the lanes by halves with `f(left, right)`: 16, 8, 4, 2, 1. The tree is part of promise 5.
    #[inline(always)]
    fn fold_lanes(self, v: Self::F32, f: fn(f32, f32) -> f32) -> f32 {
        let mut lanes = self.to_array(v);
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                lanes[i] = f(lanes[i], lanes[i + half]);
            }
            half /= 2;
        }
        lanes[0]
    }
}
