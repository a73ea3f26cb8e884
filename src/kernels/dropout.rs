//! Drawing keep bits, alone or with dropout.
//!
//! [`Draw`] writes the bits; [`Forward`] applies them in the same pass, group by group, so that the processor draws the
//! bits of one group while it waits for the memory of another.

use super::select::apply_word;
use crate::key::Key;
use crate::mask::bits_at;
use crate::rng::{BLOCK, Bernoulli, GROUP};
use crate::simd::{Kernel, LANES, Simd, WORDS};

/// The keep bits of the elements `first..first + n` of a key.
#[derive(Clone, Copy)]
pub(crate) struct Stream {
    /// What the bits are a function of.
    pub(crate) key: Key,
    /// The drop probability.
    pub(crate) bernoulli: Bernoulli,
    /// The global index of the first element.
    pub(crate) first: u64,
}

/// Some consecutive elements of one group.
struct Piece {
    /// Index of the first, counted from the stream's first element.
    at: usize,
    /// How many, at most 512.
    len: usize,
    /// Index of the first within the group.
    skipped: usize,
}

impl Stream {
    /// The same stream from `n` elements later on.
    pub(crate) fn skip(self, n: usize) -> Self {
        Self {
            first: self.first + n as u64,
            ..self
        }
    }

    /// Calls `visit` with the bits of each group that meets the first `n` elements, in order.
    #[inline(always)]
    fn groups<S: Simd>(self, simd: S, n: usize, mut visitor: impl Visitor<S>) {
        let end = self.first + n as u64;
        let mut at = self.first;
        // The next block's seeding overlaps with this block's draws: a fifth off the time at p = 0.5.
        let mut ahead = self.bernoulli.start(simd, self.key, at / BLOCK as u64);
        while at < end {
            let block = at / BLOCK as u64;
            let mut groups = ahead;
            ahead = self.bernoulli.start(simd, self.key, block + 1);
            let mut start = block * BLOCK as u64;
            for _ in 0..BLOCK / GROUP {
                if start >= end {
                    break;
                }
                let bits = groups.next();
                let stop = start.saturating_add(GROUP as u64);
                if stop > at {
                    let len = (stop.min(end) - at) as usize;
                    visitor.visit(
                        simd,
                        bits,
                        Piece {
                            at: (at - self.first) as usize,
                            len,
                            skipped: (at - start) as usize,
                        },
                    );
                    at += len as u64;
                }
                start = stop;
            }
        }
    }
}

/// What is done with each group's bits.
trait Visitor<S: Simd> {
    fn visit(&mut self, simd: S, bits: S::U64, piece: Piece);
}

/// Writes the keep bits of `len` elements into words that are zero.
pub(crate) struct Draw<'a> {
    /// Which bits.
    pub(crate) stream: Stream,
    /// Where to.
    pub(crate) words: &'a mut [u64],
    /// How many.
    pub(crate) len: usize,
}

impl Kernel for Draw<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        self.stream.groups(simd, self.len, self.words);
    }
}

impl<S: Simd> Visitor<S> for &mut [u64] {
    #[inline(always)]
    fn visit(&mut self, simd: S, bits: S::U64, piece: Piece) {
        let (word, shift) = (piece.at / 64, piece.at % 64);
        if let (GROUP, 0, Some(whole)) = (piece.len, shift, self[word..].first_chunk_mut()) {
            simd.u64_store(bits, whole);
            return;
        }
        let mut group = [0; WORDS];
        simd.u64_store(bits, &mut group);
        or_bits(&mut self[word..], shift, &group, &piece);
    }
}

/// ORs the piece's bits of a group into `words` from bit `shift < 64` on.
#[inline(always)]
fn or_bits(words: &mut [u64], shift: usize, group: &[u64; WORDS], piece: &Piece) {
    let mut done = 0;
    while done < piece.len {
        let left = piece.len - done;
        let mut bits = bits_at(group, piece.skipped + done);
        if left < 64 {
            bits &= (1 << left) - 1;
        }
        words[done / 64] |= bits << shift;
        let spill = if shift == 0 { 0 } else { bits >> (64 - shift) };
        if spill != 0 {
            words[done / 64 + 1] |= spill;
        }
        done += 64;
    }
}

/// Draws and applies in one pass; keeps the bits if `words` is given.
pub(crate) struct Forward<'a> {
    /// Which bits.
    pub(crate) stream: Stream,
    /// The input, or `None` to work in place.
    pub(crate) x: Option<&'a [f32]>,
    /// The output, as long as the input.
    pub(crate) out: &'a mut [f32],
    /// Where to keep the bits: words that are zero.
    pub(crate) words: Option<&'a mut [u64]>,
    /// The factor of a kept element.
    pub(crate) scale: f32,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (stream, n) = (self.stream, self.out.len());
        if self.scale == 1.0 {
            stream.groups(simd, n, Pass::<false>(self));
        } else {
            stream.groups(simd, n, Pass::<true>(self));
        }
    }
}

/// How far ahead of its draws a pass asks for its input: drawing holds up the loads that would have told
/// the processor where the pass is going. From memory this takes a twentieth off, in cache it costs as much.
const AHEAD: usize = 2 * GROUP;

/// [`Forward`] with or without a factor.
struct Pass<'a, const SCALED: bool>(Forward<'a>);

impl<S: Simd, const SCALED: bool> Visitor<S> for Pass<'_, SCALED> {
    #[inline(always)]
    fn visit(&mut self, simd: S, bits: S::U64, piece: Piece) {
        let Forward {
            x,
            out,
            words,
            scale,
            ..
        } = &mut self.0;
        let scale = simd.splat(*scale);
        let mut group = [0; WORDS];
        simd.u64_store(bits, &mut group);
        let out = &mut out[piece.at..piece.at + piece.len];
        let ahead = piece.at + AHEAD;
        let next = x.and_then(|x| x.get(ahead..ahead + GROUP));
        let x = x.map(|x| &x[piece.at..piece.at + piece.len]);
        if piece.len == GROUP {
            if let Some(next) = next {
                for line in next.as_chunks::<LANES>().0 {
                    simd.prefetch(line.as_ptr());
                }
            }
            for (i, &bits) in group.iter().enumerate() {
                let range = 64 * i..64 * i + 64;
                let x = x.map(|x| &x[range.clone()]);
                apply_word::<S, SCALED>(simd, bits, x, &mut out[range], scale);
            }
        } else {
            for (i, out) in out.chunks_mut(64).enumerate() {
                let bits = bits_at(&group, piece.skipped + 64 * i);
                let x = x.map(|x| &x[64 * i..64 * i + out.len()]);
                apply_word::<S, SCALED>(simd, bits, x, out, scale);
            }
        }
        if let Some(words) = words {
            words.visit(simd, bits, piece);
        }
    }
}
