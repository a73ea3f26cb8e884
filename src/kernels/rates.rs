//! Keep bits at a rate of each element's own.

use crate::key::Key;
use crate::rng::{BLOCK, Xoshiro};
use crate::simd::{Kernel, LANES, Simd, WORDS};

/// Bit i is 0 where the i-th 32 random bits, as a number, are below 2^32 times rate i, rounded.
pub(crate) struct Rates<'a> {
    /// What the bits are a function of.
    pub(crate) key: Key,
    /// The block of `rates[0]`.
    pub(crate) block: u64,
    /// Drop probabilities.
    pub(crate) rates: &'a [f32],
    /// A word for each 64 rates, rounded up.
    pub(crate) words: &'a mut [u64],
}

impl Kernel for Rates<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let blocks = self
            .rates
            .chunks(BLOCK)
            .zip(self.words.chunks_mut(BLOCK / 64));
        for (i, (rates, words)) in blocks.enumerate() {
            let mut generator = Xoshiro::new(simd, self.key, self.block + i as u64);
            for (rates, word) in rates.chunks(64).zip(words) {
                *word = 0;
                for (j, rates) in rates.chunks(LANES).enumerate() {
                    let mut drawn = [0; WORDS];
                    simd.u64_store(generator.next(simd), &mut drawn);
                    *word |= u64::from(keep(&drawn, rates)) << (LANES * j);
                }
            }
        }
    }
}

/// The decisions of at most 16 elements.
#[inline(always)]
fn keep(drawn: &[u64; WORDS], rates: &[f32]) -> u16 {
    let mut kept = 0;
    for (i, &rate) in rates.iter().enumerate() {
        let random = (drawn[i / 2] >> (32 * (i % 2))) as u32;
        // Exact but for the rounding: the product is by a power of two.
        let threshold = (f64::from(rate) * 4_294_967_296.0 + 0.5) as u64;
        kept |= u16::from(u64::from(random) >= threshold) << i;
    }
    kept
}
