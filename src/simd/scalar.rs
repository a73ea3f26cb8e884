//! The scalar backend: every vector is an array, every operation a loop over it. The easiest to read of
//! the four, and the one that the others are compared with.

use std::array::from_fn;

use super::{LANES, Level, Simd, WORDS, sealed::Sealed};

/// Plain loops over arrays; every processor has it.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Sealed for Scalar {}

/// Writes the methods that apply one expression to each lane.
macro_rules! lanewise {
    ($($name:ident($($x:ident: $vector:ident),+ $(; $n:ident)?) -> $out:ident { $body:expr })+) => {$(
        #[inline(always)]
        fn $name(self, $($x: Self::$vector,)+ $($n: u32)?) -> Self::$out {
            from_fn(|i| { $(let $x = $x[i];)+ $body })
        }
    )+};
}

/// Collects a decision for each lane into bits.
#[inline(always)]
fn decide(f: impl Fn(usize) -> bool) -> u16 {
    (0..LANES).fold(0, |bits, i| bits | u16::from(f(i)) << i)
}

impl Simd for Scalar {
    const LEVEL: Level = Level::Scalar;
    type F32 = [f32; LANES];
    type U32 = [u32; LANES];
    type U64 = [u64; WORDS];
    type Pred = u16;

    lanewise! {
        add(a: F32, b: F32) -> F32 { a + b }
        sub(a: F32, b: F32) -> F32 { a - b }
        mul(a: F32, b: F32) -> F32 { a * b }
        div(a: F32, b: F32) -> F32 { a / b }
        mul_add(a: F32, b: F32, c: F32) -> F32 { a * b + c }
        max(a: F32, b: F32) -> F32 { if a > b { a } else { b } }
        min(a: F32, b: F32) -> F32 { if a < b { a } else { b } }
        sqrt(a: F32) -> F32 { a.sqrt() }
        to_bits(a: F32) -> U32 { a.to_bits() }
        f32_from_bits(a: U32) -> F32 { f32::from_bits(a) }
        u32_add(a: U32, b: U32) -> U32 { a.wrapping_add(b) }
        u32_sub(a: U32, b: U32) -> U32 { a.wrapping_sub(b) }
        u32_and(a: U32, b: U32) -> U32 { a & b }
        u32_or(a: U32, b: U32) -> U32 { a | b }
        u32_xor(a: U32, b: U32) -> U32 { a ^ b }
        u32_shl(a: U32; n) -> U32 { a << n }
        u32_shr(a: U32; n) -> U32 { a >> n }
        f32_from_i32(a: U32) -> F32 { a.cast_signed() as f32 }
        u64_add(a: U64, b: U64) -> U64 { a.wrapping_add(b) }
        u64_mul(a: U64, b: U64) -> U64 { a.wrapping_mul(b) }
        u64_and(a: U64, b: U64) -> U64 { a & b }
        u64_and_not(a: U64, b: U64) -> U64 { a & !b }
        u64_or(a: U64, b: U64) -> U64 { a | b }
        u64_xor(a: U64, b: U64) -> U64 { a ^ b }
        u64_shl(a: U64; n) -> U64 { a << n }
        u64_shr(a: U64; n) -> U64 { a >> n }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, src: &[f32; LANES]) -> Self::F32 {
        *src
    }
    #[inline(always)]
    fn store(self, v: Self::F32, dst: &mut [f32; LANES]) {
        *dst = v;
    }
    #[inline(always)]
    fn lt(self, a: Self::F32, b: Self::F32) -> u16 {
        decide(|i| a[i] < b[i])
    }
    #[inline(always)]
    fn le(self, a: Self::F32, b: Self::F32) -> u16 {
        decide(|i| a[i] <= b[i])
    }
    #[inline(always)]
    fn eq(self, a: Self::F32, b: Self::F32) -> u16 {
        decide(|i| a[i] == b[i])
    }
    #[inline(always)]
    fn select(self, p: u16, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| if p >> i & 1 == 1 { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn select_or_zero(self, p: u16, a: Self::F32) -> Self::F32 {
        from_fn(|i| if p >> i & 1 == 1 { a[i] } else { 0.0 })
    }
    #[inline(always)]
    fn pred_from_bits(self, bits: u16) -> u16 {
        bits
    }
    #[inline(always)]
    fn pred_to_bits(self, p: u16) -> u16 {
        p
    }
    #[inline(always)]
    fn u32_splat(self, x: u32) -> Self::U32 {
        [x; LANES]
    }
    #[inline(always)]
    fn u32_from_u64(self, a: Self::U64) -> Self::U32 {
        from_fn(|i| (a[i / 2] >> (32 * (i % 2))) as u32)
    }
    #[inline(always)]
    fn u64_splat(self, x: u64) -> Self::U64 {
        [x; WORDS]
    }
    #[inline(always)]
    fn u64_load(self, src: &[u64; WORDS]) -> Self::U64 {
        *src
    }
    #[inline(always)]
    fn u64_store(self, v: Self::U64, dst: &mut [u64; WORDS]) {
        *dst = v;
    }
    #[inline(always)]
    fn u64_is_zero(self, a: Self::U64) -> bool {
        a.iter().fold(0, |all, &word| all | word) == 0
    }
}
