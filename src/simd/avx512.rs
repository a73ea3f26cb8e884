//! The AVX-512 backend (F, BW, DQ, VL): one logical vector is one zmm register, a predicate a mask register.
#![allow(
    unsafe_code,
    reason = "intrinsics; the token proves that the processor has them"
)]

use std::arch::x86_64::*;

use super::{LANES, Level, Simd, WORDS, sealed::Sealed};

/// AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl Avx512 {
    /// # Safety
    /// - the processor has AVX-512 F, BW, DQ and VL
    #[inline(always)]
    pub(super) unsafe fn new_unchecked() -> Self {
        Self(())
    }
}

impl Sealed for Avx512 {}

/// Writes the methods that are one expression of intrinsics on values.
macro_rules! forward {
    ($($name:ident($($x:ident: $t:ty),+) -> $out:ty { $body:expr })+) => {$(
        #[inline(always)]
        fn $name(self, $($x: $t),+) -> $out {
            // SAFETY: the token proves that the processor has the instructions, and they touch no memory.
            unsafe { $body }
        }
    )+};
}

/// The first `n < 16` lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    (1 << n) - 1
}

impl Simd for Avx512 {
    const LEVEL: Level = Level::Avx512;
    type F32 = __m512;
    type U32 = __m512i;
    type U64 = __m512i;
    type Pred = __mmask16;

    forward! {
        splat(x: f32) -> __m512 { _mm512_set1_ps(x) }
        add(a: __m512, b: __m512) -> __m512 { _mm512_add_ps(a, b) }
        sub(a: __m512, b: __m512) -> __m512 { _mm512_sub_ps(a, b) }
        mul(a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        div(a: __m512, b: __m512) -> __m512 { _mm512_div_ps(a, b) }
        mul_add(a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        max(a: __m512, b: __m512) -> __m512 { _mm512_max_ps(a, b) }
        min(a: __m512, b: __m512) -> __m512 { _mm512_min_ps(a, b) }
        sqrt(a: __m512) -> __m512 { _mm512_sqrt_ps(a) }
        lt(a: __m512, b: __m512) -> __mmask16 { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b) }
        le(a: __m512, b: __m512) -> __mmask16 { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b) }
        eq(a: __m512, b: __m512) -> __mmask16 { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b) }
        select(p: __mmask16, a: __m512, b: __m512) -> __m512 { _mm512_mask_blend_ps(p, b, a) }
        select_or_zero(p: __mmask16, a: __m512) -> __m512 { _mm512_maskz_mov_ps(p, a) }
        to_bits(a: __m512) -> __m512i { _mm512_castps_si512(a) }
        f32_from_bits(a: __m512i) -> __m512 { _mm512_castsi512_ps(a) }
        u32_splat(x: u32) -> __m512i { _mm512_set1_epi32(x.cast_signed()) }
        u32_add(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi32(a, b) }
        u32_sub(a: __m512i, b: __m512i) -> __m512i { _mm512_sub_epi32(a, b) }
        u32_and(a: __m512i, b: __m512i) -> __m512i { _mm512_and_si512(a, b) }
        u32_or(a: __m512i, b: __m512i) -> __m512i { _mm512_or_si512(a, b) }
        u32_xor(a: __m512i, b: __m512i) -> __m512i { _mm512_xor_si512(a, b) }
        u32_shl(a: __m512i, n: u32) -> __m512i { _mm512_sllv_epi32(a, _mm512_set1_epi32(n.cast_signed())) }
        u32_shr(a: __m512i, n: u32) -> __m512i { _mm512_srlv_epi32(a, _mm512_set1_epi32(n.cast_signed())) }
        f32_from_i32(a: __m512i) -> __m512 { _mm512_cvtepi32_ps(a) }
        u64_splat(x: u64) -> __m512i { _mm512_set1_epi64(x.cast_signed()) }
        u64_add(a: __m512i, b: __m512i) -> __m512i { _mm512_add_epi64(a, b) }
        u64_mul(a: __m512i, b: __m512i) -> __m512i { _mm512_mullo_epi64(a, b) }
        u64_and(a: __m512i, b: __m512i) -> __m512i { _mm512_and_si512(a, b) }
        u64_and_not(a: __m512i, b: __m512i) -> __m512i { _mm512_andnot_si512(b, a) }
        u64_or(a: __m512i, b: __m512i) -> __m512i { _mm512_or_si512(a, b) }
        u64_xor(a: __m512i, b: __m512i) -> __m512i { _mm512_xor_si512(a, b) }
        u64_shl(a: __m512i, n: u32) -> __m512i { _mm512_sllv_epi64(a, _mm512_set1_epi64(n.into())) }
        u64_shr(a: __m512i, n: u32) -> __m512i { _mm512_srlv_epi64(a, _mm512_set1_epi64(n.into())) }
        u64_rotl(a: __m512i, n: u32) -> __m512i { _mm512_rolv_epi64(a, _mm512_set1_epi64(n.into())) }
        u64_is_zero(a: __m512i) -> bool { _mm512_test_epi64_mask(a, a) == 0 }
    }

    #[inline(always)]
    fn u32_from_u64(self, a: __m512i) -> __m512i {
        a
    }
    #[inline(always)]
    fn pred_from_bits(self, bits: u16) -> __mmask16 {
        bits
    }
    #[inline(always)]
    fn pred_to_bits(self, p: __mmask16) -> u16 {
        p
    }
    #[inline(always)]
    fn load(self, src: &[f32; LANES]) -> __m512 {
        // SAFETY: `src` is 64 readable bytes, and the load asks for no alignment.
        unsafe { _mm512_loadu_ps(src.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, v: __m512, dst: &mut [f32; LANES]) {
        // SAFETY: `dst` is 64 writable bytes, and the store asks for no alignment.
        unsafe { _mm512_storeu_ps(dst.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn load_up_to(self, src: &[f32]) -> __m512 {
        if let Some(whole) = src.first_chunk() {
            return self.load(whole);
        }
        // SAFETY: a masked load touches the first `src.len()` elements only.
        unsafe { _mm512_maskz_loadu_ps(first(src.len()), src.as_ptr()) }
    }
    #[inline(always)]
    fn store_up_to(self, v: __m512, dst: &mut [f32]) {
        if let Some(whole) = dst.first_chunk_mut() {
            return self.store(v, whole);
        }
        // SAFETY: a masked store touches the first `dst.len()` elements only.
        unsafe { _mm512_mask_storeu_ps(dst.as_mut_ptr(), first(dst.len()), v) }
    }
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        // SAFETY: a prefetch has no effect but on speed, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    fn transpose(self, rows: [__m512; LANES]) -> [__m512; LANES] {
        // Pairs of rows, then fours, within each 128-bit lane; then the lanes of all sixteen.
        let (mut pairs, mut fours, mut columns) = (rows, rows, rows);
        // SAFETY: the token proves that the processor has the instructions, and they touch no memory.
        unsafe {
            for i in (0..LANES).step_by(2) {
                pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
                pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
            }
            for i in (0..LANES).step_by(4) {
                for (half, at) in [(0, i), (1, i + 2)] {
                    let a = _mm512_castps_pd(pairs[i + half]);
                    let b = _mm512_castps_pd(pairs[i + half + 2]);
                    fours[at] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                    fours[at + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                }
            }
            for i in 0..4 {
                let even_low = _mm512_shuffle_f32x4::<0x88>(fours[i], fours[i + 4]);
                let odd_low = _mm512_shuffle_f32x4::<0xDD>(fours[i], fours[i + 4]);
                let even_high = _mm512_shuffle_f32x4::<0x88>(fours[i + 8], fours[i + 12]);
                let odd_high = _mm512_shuffle_f32x4::<0xDD>(fours[i + 8], fours[i + 12]);
                columns[i] = _mm512_shuffle_f32x4::<0x88>(even_low, even_high);
                columns[i + 8] = _mm512_shuffle_f32x4::<0xDD>(even_low, even_high);
                columns[i + 4] = _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high);
                columns[i + 12] = _mm512_shuffle_f32x4::<0xDD>(odd_low, odd_high);
            }
        }
        columns
    }
    #[inline(always)]
    fn u64_load(self, src: &[u64; WORDS]) -> __m512i {
        // SAFETY: `src` is 64 readable bytes, and the load asks for no alignment.
        unsafe { _mm512_loadu_si512(src.as_ptr().cast()) }
    }
    #[inline(always)]
    fn u64_store(self, v: __m512i, dst: &mut [u64; WORDS]) {
        // SAFETY: `dst` is 64 writable bytes, and the store asks for no alignment.
        unsafe { _mm512_storeu_si512(dst.as_mut_ptr().cast(), v) }
    }
}
