//! What alpha dropout does with its bits.

use crate::mask::bits_at;
use crate::simd::{Kernel, LANES, Simd};

/// `out = if bit { x * scale + shift } else { dropped }`, from bit `offset` of `words` on.
pub(crate) struct Saturate<'a> {
    /// The input, or `None` to work in place.
    pub(crate) x: Option<&'a [f32]>,
    /// The output, as long as the input.
    pub(crate) out: &'a mut [f32],
    /// The keep bits.
    pub(crate) words: &'a [u64],
    /// The bit of the first element.
    pub(crate) offset: usize,
    /// The factor of a kept element, what is added to it, and what a dropped one becomes.
    pub(crate) values: [f32; 3],
}

impl Kernel for Saturate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let [scale, shift, dropped] = self.values;
        let (scale, shift) = (simd.splat(scale), simd.splat(shift));
        let dropped = simd.splat(dropped);
        for (i, out) in self.out.chunks_mut(64).enumerate() {
            let bits = bits_at(self.words, self.offset + 64 * i);
            for (j, out) in out.chunks_mut(LANES).enumerate() {
                let at = 64 * i + LANES * j;
                let x = match self.x {
                    Some(x) => simd.load_up_to(&x[at..at + out.len()]),
                    None => simd.load_up_to(out),
                };
                let kept = simd.add(simd.mul(x, scale), shift);
                let pred = simd.pred_from_bits((bits >> (LANES * j)) as u16);
                simd.store_up_to(simd.select(pred, kept, dropped), out);
            }
        }
    }
}
