//! One bit a group, read as one bit an element.
//!
//! A mask on a reduced shape is broadcast without being stored at the tensor's size. Neighbouring axes of a kind
//! are joined into runs, own (each index has bits of its own) and shared (all indices have the same bits) in turn.
//! A range of elements is then written by three word operations: filling what the innermost axes share, copying what
//! they do not, and doubling what an outer axis repeats.

use super::bits::{Writer, bits_at};
use super::period::MAX_PERIOD;
use super::{Mask, words_for};
use crate::error::{Error, Result};
use crate::tensor::{Dims, MAX_RANK};

/// Some neighbouring axes that are all shared or all own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Run {
    /// The product of their sizes.
    size: usize,
    /// Whether all indices have the same bits.
    shared: bool,
    /// Elements of the tensor within one index.
    inner: usize,
    /// Bits of the reduced mask within one index.
    bits: usize,
}

impl Run {
    /// Whether its elements are read without the run around it, if it is the innermost one.
    fn is_long(&self) -> bool {
        self.size >= if self.shared { LONG_RUN } else { LONG_ROW }
    }

    /// What is read from element `at` of this run on, if `last` is all that is within it.
    fn over(&self, last: &Self, first: usize, at: usize) -> Span {
        let (index, at) = (at / last.size, at % last.size);
        if self.shared {
            Span::Repeated {
                first,
                period: last.size,
                at,
            }
        } else {
            Span::Runs {
                first: first + index,
                left: last.size - at,
                len: last.size,
            }
        }
    }
}

/// How the bits of a reduced shape lie over a shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Broadcast {
    /// The outermost first.
    runs: [Run; MAX_RANK],
    count: usize,
    elements: usize,
    bits: usize,
}

/// Rows with bits of their own that are at least as long are read where they lie, each by itself.
const LONG_ROW: usize = MAX_PERIOD + 1;
/// Runs of one fate that are at least as long are worth copying or clearing whole.
const LONG_RUN: usize = 1024;

/// What the elements from some place on read, up to where that changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Span {
    /// All of them one bit.
    One(bool),
    /// One bit after another, from that one on.
    Each(usize),
    /// The `period` bits from bit `first` on again and again, beginning with number `at` of them.
    Repeated {
        first: usize,
        period: usize,
        at: usize,
    },
    /// `left` elements bit `first`, then `len` elements each of the bits behind it.
    Runs {
        first: usize,
        left: usize,
        len: usize,
    },
}

impl Broadcast {
    /// The bits of `noise_shape` over `shape`: aligned at the last axis, each size of `noise_shape` is that of
    /// `shape` or 1, and an absent axis counts as 1.
    pub(crate) fn new(noise_shape: &[usize], shape: &[usize]) -> Result<Self> {
        let (noise, shape) = (Dims::new(noise_shape)?, Dims::new(shape)?);
        let fits = |(&noise, &size): (&usize, &usize)| noise == size || noise == 1;
        let pairs = noise.iter().rev().zip(shape.iter().rev());
        if noise.len() > shape.len() || !pairs.clone().all(fits) {
            return Err(Error::Broadcast {
                left: noise_shape.into(),
                right: (&shape[..]).into(),
            });
        }
        let (elements, bits) = (shape.count()?, noise.count()?);
        let mut broadcast = Self {
            runs: [Run::default(); MAX_RANK],
            count: 0,
            elements,
            bits,
        };
        let absent = shape.len() - noise.len();
        if elements > 0 {
            for (axis, &size) in shape.iter().enumerate().rev() {
                broadcast.wrap(size, axis < absent || noise[axis - absent] == 1);
            }
            broadcast.runs[..broadcast.count].reverse();
        }
        Ok(broadcast)
    }

    /// Puts an axis around those that are there, innermost first.
    fn wrap(&mut self, size: usize, shared: bool) {
        if size == 1 {
            return;
        }
        let (inner, bits) = match self.runs[..self.count].last_mut() {
            Some(last) if last.shared == shared => {
                last.size *= size;
                return;
            }
            Some(last) if last.shared => (last.inner * last.size, last.bits),
            Some(last) => (last.inner * last.size, last.bits * last.size),
            None => (1, 1),
        };
        self.runs[self.count] = Run {
            size,
            shared,
            inner,
            bits,
        };
        self.count += 1;
    }

    fn runs(&self) -> &[Run] {
        &self.runs[..self.count]
    }

    /// The number of elements.
    pub(crate) fn elements(&self) -> usize {
        self.elements
    }

    /// The number of bits that they read.
    pub(crate) fn bits(&self) -> usize {
        self.bits
    }

    /// Whether each element has a bit of its own.
    pub(crate) fn is_identity(&self) -> bool {
        self.bits == self.elements
    }

    /// How many elements [`span`](Broadcast::span) can describe at once.
    pub(crate) fn span_len(&self) -> usize {
        match self.runs() {
            [] => 1,
            [.., outer, last] if !last.is_long() => outer.size * last.size,
            [.., last] => last.size,
        }
    }

    /// What the elements from `start` on read, and how many there are until that changes.
    pub(crate) fn span(&self, small: &[u64], start: usize) -> (Span, usize) {
        let (mut at, mut first) = (start, 0);
        let runs = self.runs();
        for (i, run) in runs.iter().enumerate() {
            match &runs[i + 1..] {
                [] if run.shared => return (Span::One(bit(small, first)), run.size - at),
                [] => return (Span::Each(first + at), run.size - at),
                [last] if !last.is_long() => {
                    return (run.over(last, first, at), run.size * last.size - at);
                }
                _ => {}
            }
            let index = at / run.inner;
            at %= run.inner;
            if !run.shared {
                first += index * run.bits;
            }
        }
        (Span::One(bit(small, first)), 1)
    }

    /// Writes the bits of the elements `start..start + n` to the first words of `out`; the last word's other
    /// bits become zero.
    pub(crate) fn write(&self, small: &[u64], start: usize, n: usize, out: &mut [u64]) {
        let out = &mut out[..words_for(n)];
        out.fill(0);
        let range = start..start + n;
        write(self.runs(), small, 0, range, &mut Writer::new(out));
    }
}

/// Appends the bits of a range of elements within `runs`, which read the reduced mask from bit `first` on.
fn write(
    runs: &[Run],
    small: &[u64],
    first: usize,
    range: std::ops::Range<usize>,
    out: &mut Writer<'_>,
) {
    let n = range.len();
    let Some((run, rest)) = runs.split_first() else {
        return out.fill(bit(small, first), n);
    };
    match (run.shared, rest.is_empty()) {
        (true, true) => out.fill(bit(small, first), n),
        (false, true) => out.copy(small, first + range.start, n),
        (true, false) => {
            // One period, whole or what there is of it, from the middle on; then the same again and again.
            let phase = range.start % run.inner;
            let head = n.min(run.inner - phase);
            write(rest, small, first, phase..phase + head, out);
            let tail = (n - head).min(phase);
            write(rest, small, first, 0..tail, out);
            out.repeat(run.inner, n - head - tail);
        }
        (false, false) => write_own(run, rest, small, first, range, out),
    }
}

/// The same for a run whose indices have bits of their own, around others.
fn write_own(
    run: &Run,
    rest: &[Run],
    small: &[u64],
    first: usize,
    range: std::ops::Range<usize>,
    out: &mut Writer<'_>,
) {
    let (mut index, mut phase) = (range.start / run.inner, range.start % run.inner);
    let mut left = range.len();
    let filled = rest.len() == 1 && rest[0].shared;
    while left > 0 {
        let n = left.min(run.inner - phase);
        let first = first + index * run.bits;
        if filled {
            out.fill(bit(small, first), n);
        } else {
            write(rest, small, first, phase..phase + n, out);
        }
        (index, phase, left) = (index + 1, 0, left - n);
    }
}

fn bit(words: &[u64], i: usize) -> bool {
    bits_at(words, i) & 1 == 1
}

impl Mask {
    /// One bit an element from one bit a group: this mask, which has the shape `noise_shape`, read at each element of
    /// `shape`. Shapes are aligned at the last axis; along an axis where `noise_shape` has 1, or no size at all, all
    /// elements share their fate (Keras calls it a noise shape).
    ///
    /// ```
    /// use elision::Mask;
    /// let columns = Mask::from_bools(&[true, false, true]);
    /// let mask = columns.broadcast(&[1, 3], &[2, 3])?;
    /// assert_eq!(mask, Mask::from_bools(&[true, false, true, true, false, true]));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Broadcast`] if `noise_shape` is not `shape` with some sizes replaced by 1, [`Error::Length`] if this
    /// mask has not one bit for each element of `noise_shape`, [`Error::RankLimit`] and [`Error::Overflow`] if a shape
    /// is too large.
    pub fn broadcast(&self, noise_shape: &[usize], shape: &[usize]) -> Result<Self> {
        let broadcast = Broadcast::new(noise_shape, shape)?;
        check_groups(&broadcast, self.len())?;
        let mut mask = Self::try_none(broadcast.elements())?;
        broadcast.write(&self.words, 0, broadcast.elements(), &mut mask.words);
        Ok(mask)
    }
}

/// A reduced mask must have one bit for each element of its shape.
pub(crate) fn check_groups(broadcast: &Broadcast, found: usize) -> Result<()> {
    let (what, expected) = ("mask on a reduced shape", broadcast.bits());
    match expected == found {
        true => Ok(()),
        false => Err(Error::Length {
            what,
            expected,
            found,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The index of the bit that an element reads.
    fn naive(noise: &[usize], shape: &[usize], element: usize) -> usize {
        let (mut left, mut index, mut step) = (element, 0, 1);
        for (&noise, &size) in noise.iter().zip(shape).rev() {
            index += if noise == 1 { 0 } else { left % size * step };
            step *= noise;
            left /= size;
        }
        index
    }

    fn pattern(len: usize) -> Mask {
        let kept = (0..len).map(|i| i.wrapping_mul(2_654_435_761) >> 7 & 1 == 1);
        Mask::from_bools(&kept.collect::<Vec<_>>())
    }

    #[test]
    fn every_range_of_every_geometry_is_the_naive_one() {
        for shape in [[3, 5, 1, 7, 2, 13], [2, 1, 3, 1, 1, 1100]] {
            every_range(&shape);
        }
    }

    fn every_range(shape: &[usize; 6]) {
        for bits in 0..64 {
            let noise: Vec<_> = (0..6)
                .map(|i| if bits >> i & 1 == 1 { 1 } else { shape[i] })
                .collect();
            let broadcast = Broadcast::new(&noise, shape).unwrap();
            let small = pattern(broadcast.bits());
            let all: Vec<bool> = (0..broadcast.elements())
                .map(|i| small.get(naive(&noise, shape, i)).unwrap())
                .collect();
            for (start, n) in [
                (0, 2730),
                (1, 0),
                (17, 64),
                (63, 65),
                (129, 1000),
                (2729, 1),
            ] {
                let mut words = vec![!0; words_for(n) + 1];
                broadcast.write(small.as_words(), start, n, &mut words);
                assert_eq!(words.pop(), Some(!0), "the word past the end");
                let expected = Mask::from_bools(&all[start..start + n]);
                assert_eq!(words, expected.as_words(), "{noise:?} {start} {n}");
            }
            for start in (0..broadcast.elements()).step_by(31) {
                let (span, len) = broadcast.span(small.as_words(), start);
                assert!((1..=broadcast.span_len()).contains(&len));
                for i in 0..len {
                    let found = match span {
                        Span::One(kept) => Some(kept),
                        Span::Each(first) => small.get(first + i),
                        Span::Repeated { first, period, at } => {
                            small.get(first + (at + i) % period)
                        }
                        Span::Runs { first, left, len } => {
                            small.get(first + (i + len - left) / len)
                        }
                    };
                    assert_eq!(found, Some(all[start + i]), "{noise:?} {start} {i}");
                }
            }
        }
    }

    #[test]
    fn neighbours_of_a_kind_are_one_run() {
        let count = |noise: &[usize], shape: &[usize]| Broadcast::new(noise, shape).unwrap().count;
        assert_eq!(count(&[4, 8, 1, 1], &[4, 8, 14, 14]), 2);
        assert_eq!(count(&[4, 1, 1, 8], &[4, 14, 14, 8]), 3);
        assert_eq!(count(&[8], &[4, 14, 14, 8]), 2);
        assert_eq!(count(&[1, 1], &[1, 1]), 0);
        assert_eq!(count(&[3, 1, 4], &[3, 1, 4]), 1);
    }
}
