//! Selecting elements by bits, wherever the bits come from.
//!
//! A dropped element is selected away, not multiplied: it is `+0.0` whatever it was. Bits that many elements share are
//! made 64 at a time in a register, between the loads of one word of elements and the next, so that they cost no pass
//! and no memory of their own.

use crate::mask::bits_at;
use crate::simd::{Kernel, LANES, Simd};

/// The bits of some elements in order, 64 at a time.
pub(crate) trait Bits {
    /// Those of the next 64 elements; bits past the last element are anything.
    fn next(&mut self) -> u64;
}

/// A bit an element, from bit `at` on.
pub(crate) struct Each<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) at: usize,
}

impl Bits for Each<'_> {
    #[inline(always)]
    fn next(&mut self) -> u64 {
        let bits = bits_at(self.words, self.at);
        self.at += 64;
        bits
    }
}

/// The same bits again and again, from bit `at` of the period on.
pub(crate) struct Repeated<'a> {
    /// A period, and 64 bits of the next.
    pub(crate) words: &'a [u64],
    /// At least 64.
    pub(crate) period: usize,
    pub(crate) at: usize,
}

impl Bits for Repeated<'_> {
    #[inline(always)]
    fn next(&mut self) -> u64 {
        let bits = bits_at(self.words, self.at);
        self.at += 64;
        if self.at >= self.period {
            self.at -= self.period;
        }
        bits
    }
}

/// One bit for all elements of a run, from within run `run` on.
pub(crate) struct Runs<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) run: usize,
    /// What is left of it, not zero.
    pub(crate) left: usize,
    /// The length of the others, not zero.
    pub(crate) len: usize,
}

impl Bits for Runs<'_> {
    #[inline(always)]
    fn next(&mut self) -> u64 {
        let (mut bits, mut done) = (0, 0);
        loop {
            let same = (bits_at(self.words, self.run) & 1).wrapping_neg();
            bits |= same << done;
            let room = 64 - done;
            if self.left > room {
                self.left -= room;
                return bits;
            }
            done += self.left;
            (self.run, self.left) = (self.run + 1, self.len);
            if done == 64 {
                return bits;
            }
            // The next run's bits go where those of this one went too far.
            bits &= (1 << done) - 1;
        }
    }
}

/// `out = if bit { x * scale } else { +0.0 }`.
pub(crate) struct Apply<'a, B> {
    /// The input, or `None` to work in place.
    pub(crate) x: Option<&'a [f32]>,
    /// The output, as long as the input.
    pub(crate) out: &'a mut [f32],
    /// The keep bits of its elements.
    pub(crate) bits: B,
    /// The factor of a kept element.
    pub(crate) scale: f32,
}

impl<B: Bits> Kernel for Apply<'_, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        if self.scale == 1.0 {
            self.pass::<S, false>(simd);
        } else {
            self.pass::<S, true>(simd);
        }
    }
}

impl<B: Bits> Apply<'_, B> {
    #[inline(always)]
    fn pass<S: Simd, const SCALED: bool>(mut self, simd: S) {
        let scale = simd.splat(self.scale);
        for (i, out) in self.out.chunks_mut(64).enumerate() {
            let bits = self.bits.next();
            let x = self.x.map(|x| &x[64 * i..64 * i + out.len()]);
            apply_word::<S, SCALED>(simd, bits, x, out, scale);
        }
    }
}

/// Applies one word's bits to at most 64 elements.
#[inline(always)]
pub(super) fn apply_word<S: Simd, const SCALED: bool>(
    simd: S,
    bits: u64,
    x: Option<&[f32]>,
    out: &mut [f32],
    scale: S::F32,
) {
    let (whole, tail) = out.as_chunks_mut::<LANES>();
    let rest = LANES * whole.len();
    if let Some(x) = x {
        let (x_whole, x_tail) = x.as_chunks::<LANES>();
        for (i, (out, x)) in whole.iter_mut().zip(x_whole).enumerate() {
            let kept = keep::<S, SCALED>(simd, bits >> (LANES * i), simd.load(x), scale);
            simd.store(kept, out);
        }
        if !tail.is_empty() {
            let x = simd.load_up_to(x_tail);
            simd.store_up_to(keep::<S, SCALED>(simd, bits >> rest, x, scale), tail);
        }
    } else {
        for (i, out) in whole.iter_mut().enumerate() {
            let kept = keep::<S, SCALED>(simd, bits >> (LANES * i), simd.load(out), scale);
            simd.store(kept, out);
        }
        if !tail.is_empty() {
            let x = simd.load_up_to(tail);
            simd.store_up_to(keep::<S, SCALED>(simd, bits >> rest, x, scale), tail);
        }
    }
}

/// `if bit { x * scale } else { +0.0 }` for the lowest 16 bits. A factor of 1 is not multiplied by: that
/// would make a signalling NaN quiet, and p = 0 promises the identity.
#[inline(always)]
fn keep<S: Simd, const SCALED: bool>(simd: S, bits: u64, x: S::F32, scale: S::F32) -> S::F32 {
    let scaled = if SCALED { simd.mul(x, scale) } else { x };
    simd.select_or_zero(simd.pred_from_bits(bits as u16), scaled)
}
