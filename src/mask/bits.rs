//! Reading packed bits at any offset.

/// The number of words that `len` bits take.
#[inline(always)]
pub(crate) const fn words_for(len: usize) -> usize {
    len.div_ceil(64)
}

/// The 64 bits from bit `start` on; bits past the end of `words` are zero.
#[inline(always)]
pub(crate) fn bits_at(words: &[u64], start: usize) -> u64 {
    let (word, shift) = (start / 64, start % 64);
    let low = words.get(word).copied().unwrap_or(0) >> shift;
    if shift == 0 {
        return low;
    }
    low | words.get(word + 1).copied().unwrap_or(0) << (64 - shift)
}

/// Fills `dst` with the bits of `src` from bit `start` on; bits past the end of `src` are zero.
pub(crate) fn copy_bits(src: &[u64], start: usize, dst: &mut [u64]) {
    for (i, word) in dst.iter_mut().enumerate() {
        *word = bits_at(src, start + 64 * i);
    }
}
