//! The blocks of `DropBlock`, grown from their seeds.
//!
//! A seed stands at the corner of its block, and seeds are drawn only where a whole block fits. So a block never leaves
//! its row, some samples are one string of bits, and a block grows along an axis by shifts over the axis's stride, twice
//! as far each time. A piece of some samples is drawn, laid out and grown before the next, while it is in the first
//! cache.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::draw::draw_words;
use crate::dropout::DropBlock;
use crate::error::Result;
use crate::exec::for_each_heavy_chunk;
use crate::kernels::dilate::{NotCount, ShiftOr};
use crate::kernels::dropout::Stream;
use crate::mask::{Mask, Writer, bits_at, words_for};
use crate::simd::{Isa, dispatch};
use crate::tensor::Dims;

/// Cost of a word of 64 elements against an element of a scaled copy.
const WORD_WEIGHT: usize = 32;
/// About how many words are grown at a time: two such buffers fit the first cache.
const PIECE: usize = 1024;

/// How seeds become blocks, sample by sample.
pub(super) struct Blocks<'a> {
    seeds: Dims,
    /// The shape of the mask.
    shape: &'a Dims,
    /// By how many bits a piece is shifted over itself, one after the other.
    shifts: Vec<usize>,
}

impl<'a> Blocks<'a> {
    /// The blocks of a mask of that shape, which has elements.
    pub(super) fn new(block: &DropBlock, shape: &'a Dims) -> Result<Self> {
        let mut shifts = Vec::new();
        for axis in block.spatial(shape)? {
            let stride: usize = shape[axis + 1..].iter().product();
            let mut width = 1;
            while width < block.block() {
                let more = width.min(block.block() - width);
                shifts.push(more * stride);
                width += more;
            }
        }
        Ok(Self {
            seeds: block.seed_shape(shape)?,
            shape,
            shifts,
        })
    }

    /// Makes a mask of zeros that of the blocks whose seeds are the zeros of `stream`. Returns how many elements are kept.
    pub(super) fn draw(&self, isa: Isa, stream: Stream, mask: &mut Mask) -> usize {
        let sample: usize = self.shape[1..].iter().product();
        // Pieces are whole samples and whole words.
        let tile = sample / (1 << sample.trailing_zeros().min(6));
        let piece = PIECE.next_multiple_of(tile);
        let ones = AtomicUsize::new(0);
        for_each_heavy_chunk(mask.words_mut(), WORD_WEIGHT, tile, |first, words| {
            let mut buffer = Vec::new();
            for (i, words) in words.chunks_mut(piece).enumerate() {
                let first = 64 * (first + i * piece) / sample;
                let samples = (64 * words.len() / sample).min(self.shape[0] - first);
                let count = self.draw_samples(isa, stream, [first, samples], words, &mut buffer);
                ones.fetch_add(count, Ordering::Relaxed);
            }
        });
        let past_end = 64 * mask.as_words().len() - mask.len();
        mask.clear_tail();
        ones.into_inner() - past_end
    }

    /// The words of some samples, from a first one on. Returns how many of their bits are one.
    fn draw_samples(
        &self,
        isa: Isa,
        stream: Stream,
        [first, samples]: [usize; 2],
        words: &mut [u64],
        buffer: &mut Vec<u64>,
    ) -> usize {
        let sample: usize = self.seeds[1..].iter().product();
        let len = samples * sample;
        buffer.clear();
        buffer.resize(words_for(len) + words.len(), 0);
        let (drawn, other) = buffer.split_at_mut(words_for(len));
        let stream = stream.skip(first * sample);
        draw_words(isa, stream, drawn, len);
        dispatch(isa, NotCount(drawn));
        let (mut from, mut to) = match self.shifts.len() % 2 {
            0 => (words, other),
            _ => (other, words),
        };
        for i in 0..samples {
            let map = i * self.shape[1..].iter().product::<usize>();
            lay(
                [&self.seeds[1..], &self.shape[1..]],
                (drawn, i * sample),
                (from, map),
            );
        }
        for &shift in &self.shifts {
            let (src, dst) = (&*from, &mut *to);
            dispatch(isa, ShiftOr { src, dst, shift });
            (from, to) = (to, from);
        }
        dispatch(isa, NotCount(from))
    }
}

/// Copies the bits of one shape, from bit `at` of `src` on, into the corner of another, larger one, from bit `to` of
/// `dst` on, which is zero.
fn lay([small, large]: [&[usize]; 2], (src, at): (&[u64], usize), (dst, to): (&mut [u64], usize)) {
    let ([n, small @ ..], [_, large @ ..]) = (small, large) else {
        return;
    };
    let (from, into) = (
        small.iter().product::<usize>(),
        large.iter().product::<usize>(),
    );
    if from == into {
        return Writer::from_bit(dst, to).copy(src, at, n * from);
    }
    for i in 0..*n {
        let at = at + i * from;
        // Seeds are rare: most rows have none.
        if from > 64 || bits_at(src, at) << (64 - from) != 0 {
            lay([small, large], (src, at), (dst, to + i * into));
        }
    }
}
