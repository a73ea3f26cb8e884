//! The AVX2 + FMA backend: one logical vector is two ymm registers, low half first.
#![allow(
    unsafe_code,
    reason = "intrinsics; the token proves that the processor has them"
)]

use std::arch::x86_64::*;

use super::{LANES, Level, Simd, WORDS, sealed::Sealed};

/// AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// # Safety
    /// - the processor has AVX2 and FMA
    #[inline(always)]
    pub(super) unsafe fn new_unchecked() -> Self {
        Self(())
    }
}

impl Sealed for Avx2 {}

type F = (__m256, __m256);
type I = (__m256i, __m256i);

/// Writes the methods that do the same to both halves.
macro_rules! halves {
    ($($name:ident($($x:ident: $t:ty),+ $(; $n:ident)?) -> $out:ty { $body:expr })+) => {$(
        #[inline(always)]
        fn $name(self, $($x: $t,)+ $($n: u32)?) -> $out {
            // SAFETY: the token proves that the processor has the instructions, and they touch no memory.
            let low = unsafe { $(let $x = $x.0;)+ $body };
            // SAFETY: as above.
            let high = unsafe { $(let $x = $x.1;)+ $body };
            (low, high)
        }
    )+};
}

/// The low 64 bits of the products, from three products of 32 bits.
///
/// # Safety
/// - the processor has AVX2
#[inline(always)]
unsafe fn mul_u64(a: __m256i, b: __m256i) -> __m256i {
    // SAFETY: the caller vouches for AVX2, and the instructions touch no memory.
    unsafe {
        let low = _mm256_mul_epu32(a, b);
        let cross = _mm256_add_epi64(
            _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), b),
            _mm256_mul_epu32(a, _mm256_srli_epi64::<32>(b)),
        );
        _mm256_add_epi64(low, _mm256_slli_epi64::<32>(cross))
    }
}

/// Exchanges rows and columns of an 8 x 8 block.
///
/// # Safety
/// - the processor has AVX2
#[inline(always)]
unsafe fn transpose_8(rows: [__m256; 8]) -> [__m256; 8] {
    let (mut pairs, mut fours, mut columns) = (rows, rows, rows);
    // SAFETY: the caller vouches for AVX2, and the instructions touch no memory.
    unsafe {
        for i in (0..8).step_by(2) {
            pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
            pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
        }
        for i in [0, 4] {
            for half in [0, 1] {
                let (a, b) = (pairs[i + half], pairs[i + half + 2]);
                fours[i + 2 * half] = _mm256_shuffle_ps::<0x44>(a, b);
                fours[i + 2 * half + 1] = _mm256_shuffle_ps::<0xEE>(a, b);
            }
        }
        for i in 0..4 {
            columns[i] = _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]);
            columns[i + 4] = _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]);
        }
    }
    columns
}

impl Simd for Avx2 {
    const LEVEL: Level = Level::Avx2;
    type F32 = F;
    type U32 = I;
    type U64 = I;
    /// All ones or all zeros in each lane.
    type Pred = F;

    halves! {
        add(a: F, b: F) -> F { _mm256_add_ps(a, b) }
        sub(a: F, b: F) -> F { _mm256_sub_ps(a, b) }
        mul(a: F, b: F) -> F { _mm256_mul_ps(a, b) }
        div(a: F, b: F) -> F { _mm256_div_ps(a, b) }
        mul_add(a: F, b: F, c: F) -> F { _mm256_fmadd_ps(a, b, c) }
        max(a: F, b: F) -> F { _mm256_max_ps(a, b) }
        min(a: F, b: F) -> F { _mm256_min_ps(a, b) }
        sqrt(a: F) -> F { _mm256_sqrt_ps(a) }
        lt(a: F, b: F) -> F { _mm256_cmp_ps::<_CMP_LT_OQ>(a, b) }
        le(a: F, b: F) -> F { _mm256_cmp_ps::<_CMP_LE_OQ>(a, b) }
        eq(a: F, b: F) -> F { _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b) }
        select(p: F, a: F, b: F) -> F { _mm256_blendv_ps(b, a, p) }
        select_or_zero(p: F, a: F) -> F { _mm256_and_ps(p, a) }
        to_bits(a: F) -> I { _mm256_castps_si256(a) }
        f32_from_bits(a: I) -> F { _mm256_castsi256_ps(a) }
        u32_add(a: I, b: I) -> I { _mm256_add_epi32(a, b) }
        u32_sub(a: I, b: I) -> I { _mm256_sub_epi32(a, b) }
        u32_and(a: I, b: I) -> I { _mm256_and_si256(a, b) }
        u32_or(a: I, b: I) -> I { _mm256_or_si256(a, b) }
        u32_xor(a: I, b: I) -> I { _mm256_xor_si256(a, b) }
        u32_shl(a: I; n) -> I { _mm256_sllv_epi32(a, _mm256_set1_epi32(n.cast_signed())) }
        u32_shr(a: I; n) -> I { _mm256_srlv_epi32(a, _mm256_set1_epi32(n.cast_signed())) }
        f32_from_i32(a: I) -> F { _mm256_cvtepi32_ps(a) }
        u64_add(a: I, b: I) -> I { _mm256_add_epi64(a, b) }
        u64_mul(a: I, b: I) -> I { mul_u64(a, b) }
        u64_and(a: I, b: I) -> I { _mm256_and_si256(a, b) }
        u64_and_not(a: I, b: I) -> I { _mm256_andnot_si256(b, a) }
        u64_or(a: I, b: I) -> I { _mm256_or_si256(a, b) }
        u64_xor(a: I, b: I) -> I { _mm256_xor_si256(a, b) }
        u64_shl(a: I; n) -> I { _mm256_sllv_epi64(a, _mm256_set1_epi64x(n.into())) }
        u64_shr(a: I; n) -> I { _mm256_srlv_epi64(a, _mm256_set1_epi64x(n.into())) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> F {
        // SAFETY: the token proves AVX2, and the instruction touches no memory.
        let half = unsafe { _mm256_set1_ps(x) };
        (half, half)
    }
    #[inline(always)]
    fn load(self, src: &[f32; LANES]) -> F {
        // SAFETY: `src` is 64 readable bytes, and the loads ask for no alignment.
        unsafe {
            (
                _mm256_loadu_ps(src.as_ptr()),
                _mm256_loadu_ps(src.as_ptr().add(8)),
            )
        }
    }
    #[inline(always)]
    fn store(self, v: F, dst: &mut [f32; LANES]) {
        // SAFETY: `dst` is 64 writable bytes, and the stores ask for no alignment.
        unsafe {
            _mm256_storeu_ps(dst.as_mut_ptr(), v.0);
            _mm256_storeu_ps(dst.as_mut_ptr().add(8), v.1);
        }
    }
    #[inline(always)]
    fn pred_from_bits(self, bits: u16) -> F {
        // SAFETY: the token proves AVX2, and the instructions touch no memory.
        unsafe {
            let bits = _mm256_set1_epi32(bits.into());
            let low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let high = _mm256_setr_epi32(
                1 << 8,
                1 << 9,
                1 << 10,
                1 << 11,
                1 << 12,
                1 << 13,
                1 << 14,
                1 << 15,
            );
            let low = _mm256_cmpeq_epi32(_mm256_and_si256(bits, low), low);
            let high = _mm256_cmpeq_epi32(_mm256_and_si256(bits, high), high);
            (_mm256_castsi256_ps(low), _mm256_castsi256_ps(high))
        }
    }
    #[inline(always)]
    fn pred_to_bits(self, p: F) -> u16 {
        // SAFETY: the token proves AVX2, and the instructions touch no memory.
        let (low, high) = unsafe { (_mm256_movemask_ps(p.0), _mm256_movemask_ps(p.1)) };
        (low | high << 8) as u16
    }
    #[inline(always)]
    fn u32_from_u64(self, a: I) -> I {
        a
    }
    #[inline(always)]
    fn u32_splat(self, x: u32) -> I {
        // SAFETY: the token proves AVX2, and the instruction touches no memory.
        let half = unsafe { _mm256_set1_epi32(x.cast_signed()) };
        (half, half)
    }
    #[inline(always)]
    fn u64_splat(self, x: u64) -> I {
        // SAFETY: the token proves AVX2, and the instruction touches no memory.
        let half = unsafe { _mm256_set1_epi64x(x.cast_signed()) };
        (half, half)
    }
    #[inline(always)]
    fn prefetch(self, at: *const f32) {
        // SAFETY: a prefetch has no effect but on speed, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    fn transpose(self, rows: [F; LANES]) -> [F; LANES] {
        // Written out: a copy of sixteen vectors and its change would go through memory once more.
        let mut quarters = [[rows[0].0; 8]; 4];
        for r in 0..8 {
            let (upper, lower) = (rows[r], rows[r + 8]);
            quarters[0][r] = upper.0;
            quarters[1][r] = lower.0;
            quarters[2][r] = upper.1;
            quarters[3][r] = lower.1;
        }
        // SAFETY: the token proves AVX2.
        let [a, b, c, d] = unsafe {
            [
                transpose_8(quarters[0]),
                transpose_8(quarters[1]),
                transpose_8(quarters[2]),
                transpose_8(quarters[3]),
            ]
        };
        [
            (a[0], b[0]),
            (a[1], b[1]),
            (a[2], b[2]),
            (a[3], b[3]),
            (a[4], b[4]),
            (a[5], b[5]),
            (a[6], b[6]),
            (a[7], b[7]),
            (c[0], d[0]),
            (c[1], d[1]),
            (c[2], d[2]),
            (c[3], d[3]),
            (c[4], d[4]),
            (c[5], d[5]),
            (c[6], d[6]),
            (c[7], d[7]),
        ]
    }
    #[inline(always)]
    fn u64_load(self, src: &[u64; WORDS]) -> I {
        let p = src.as_ptr().cast::<__m256i>();
        // SAFETY: `src` is 64 readable bytes, and the loads ask for no alignment.
        unsafe { (_mm256_loadu_si256(p), _mm256_loadu_si256(p.add(1))) }
    }
    #[inline(always)]
    fn u64_store(self, v: I, dst: &mut [u64; WORDS]) {
        let p = dst.as_mut_ptr().cast::<__m256i>();
        // SAFETY: `dst` is 64 writable bytes, and the stores ask for no alignment.
        unsafe {
            _mm256_storeu_si256(p, v.0);
            _mm256_storeu_si256(p.add(1), v.1);
        }
    }
    #[inline(always)]
    fn u64_is_zero(self, a: I) -> bool {
        // SAFETY: the token proves AVX2, and the instructions touch no memory.
        unsafe {
            let all = _mm256_or_si256(a.0, a.1);
            _mm256_testz_si256(all, all) == 1
        }
    }
}
