//! The portable backend on the `wide` crate. `wide` chooses its instructions when it is compiled (SSE2
//! on plain x86-64, NEON, wasm), so it is never the dispatcher.

use wide::{f32x16, u32x16, u64x8};

use super::{LANES, Level, Simd, WORDS, sealed::Sealed};

/// Whatever the compilation target guarantees; every processor has it.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Sealed for Portable {}

/// Bit i in lane i.
const LANE_BITS: [u32; LANES] = {
    let mut bits = [0; LANES];
    let mut i = 0;
    while i < LANES {
        bits[i] = 1 << i;
        i += 1;
    }
    bits
};

/// Writes the methods that are one expression.
macro_rules! forward {
    ($($name:ident($($x:ident: $t:ty),+) -> $out:ty { $body:expr })+) => {$(
        #[inline(always)]
        fn $name(self, $($x: $t),+) -> $out { $body }
    )+};
}

impl Simd for Portable {
    const LEVEL: Level = Level::Portable;
    type F32 = f32x16;
    type U32 = u32x16;
    type U64 = u64x8;
    /// All ones or all zeros in each lane.
    type Pred = f32x16;

    forward! {
        splat(x: f32) -> f32x16 { f32x16::splat(x) }
        load(src: &[f32; LANES]) -> f32x16 { f32x16::new(*src) }
        add(a: f32x16, b: f32x16) -> f32x16 { a + b }
        sub(a: f32x16, b: f32x16) -> f32x16 { a - b }
        mul(a: f32x16, b: f32x16) -> f32x16 { a * b }
        div(a: f32x16, b: f32x16) -> f32x16 { a / b }
        mul_add(a: f32x16, b: f32x16, c: f32x16) -> f32x16 { a.mul_add(b, c) }
        max(a: f32x16, b: f32x16) -> f32x16 { a.simd_gt(b).select(a, b) }
        min(a: f32x16, b: f32x16) -> f32x16 { a.simd_lt(b).select(a, b) }
        sqrt(a: f32x16) -> f32x16 { a.sqrt() }
        lt(a: f32x16, b: f32x16) -> f32x16 { a.simd_lt(b) }
        le(a: f32x16, b: f32x16) -> f32x16 { a.simd_le(b) }
        eq(a: f32x16, b: f32x16) -> f32x16 { a.simd_eq(b) }
        select(p: f32x16, a: f32x16, b: f32x16) -> f32x16 { p.select(a, b) }
        select_or_zero(p: f32x16, a: f32x16) -> f32x16 { p & a }
        transpose(rows: [f32x16; LANES]) -> [f32x16; LANES] { f32x16::transpose(rows) }
        pred_to_bits(p: f32x16) -> u16 { p.to_bitmask() as u16 }
        to_bits(a: f32x16) -> u32x16 { bytemuck::cast(a) }
        f32_from_bits(a: u32x16) -> f32x16 { bytemuck::cast(a) }
        u32_splat(x: u32) -> u32x16 { u32x16::splat(x) }
        u32_add(a: u32x16, b: u32x16) -> u32x16 { a + b }
        u32_sub(a: u32x16, b: u32x16) -> u32x16 { a - b }
        u32_and(a: u32x16, b: u32x16) -> u32x16 { a & b }
        u32_or(a: u32x16, b: u32x16) -> u32x16 { a | b }
        u32_xor(a: u32x16, b: u32x16) -> u32x16 { a ^ b }
        u32_shl(a: u32x16, n: u32) -> u32x16 { a << n }
        u32_shr(a: u32x16, n: u32) -> u32x16 { a >> n }
        f32_from_i32(a: u32x16) -> f32x16 { f32x16::from_i32x16(bytemuck::cast(a)) }
        u64_splat(x: u64) -> u64x8 { u64x8::splat(x) }
        u64_load(src: &[u64; WORDS]) -> u64x8 { u64x8::new(*src) }
        u64_add(a: u64x8, b: u64x8) -> u64x8 { a + b }
        u64_mul(a: u64x8, b: u64x8) -> u64x8 { a * b }
        u64_and(a: u64x8, b: u64x8) -> u64x8 { a & b }
        u64_and_not(a: u64x8, b: u64x8) -> u64x8 { a & !b }
        u64_or(a: u64x8, b: u64x8) -> u64x8 { a | b }
        u64_xor(a: u64x8, b: u64x8) -> u64x8 { a ^ b }
        u64_shl(a: u64x8, n: u32) -> u64x8 { a << n }
        u64_shr(a: u64x8, n: u32) -> u64x8 { a >> n }
    }

    #[inline(always)]
    fn store(self, v: f32x16, dst: &mut [f32; LANES]) {
        *dst = v.to_array();
    }
    #[inline(always)]
    fn pred_from_bits(self, bits: u16) -> f32x16 {
        let lanes = u32x16::new(LANE_BITS);
        bytemuck::cast((u32x16::splat(bits.into()) & lanes).simd_eq(lanes))
    }
    #[inline(always)]
    fn u32_from_u64(self, a: u64x8) -> u32x16 {
        let words = a.to_array();
        let mut lanes = [0; LANES];
        for (halves, word) in lanes.as_chunks_mut::<2>().0.iter_mut().zip(words) {
            *halves = [word as u32, (word >> 32) as u32];
        }
        u32x16::new(lanes)
    }
    #[inline(always)]
    fn u64_store(self, v: u64x8, dst: &mut [u64; WORDS]) {
        *dst = v.to_array();
    }
    #[inline(always)]
    fn u64_is_zero(self, a: u64x8) -> bool {
        a.to_array().iter().fold(0, |all, &word| all | word) == 0
    }
}
