//! Masks: one bit an element, packed in row-major order, bit 1 = kept.

mod bits;
mod blocks;
mod broadcast;
mod iter;
mod period;
mod shared;
mod unit;

use std::fmt;

use crate::error::{Error, Result};
pub(crate) use bits::{Writer, bits_at, copy_bits, count_bits, words_for};
pub use blocks::BlockMask;
pub(crate) use broadcast::{Broadcast, Span, check_groups};
pub use iter::Kept;
pub(crate) use period::Period;
pub use shared::SharedMask;
pub use unit::UnitMask;
pub(crate) use unit::check_units;

/// Which elements of a tensor are kept: bit `i % 64` of word `i / 64` is 1 if element i is.
///
/// A mask of n elements takes n bits, rounded up to a multiple of 64. Bits past the end are zero.
/// [`Mask::draw`] makes a random one.
///
/// ```
/// use elision::Mask;
/// let mask = Mask::from_bools(&[true, false, true]);
/// assert_eq!((mask.len(), mask.count_kept()), (3, 2));
/// assert_eq!(mask.kept().collect::<Vec<_>>(), [0, 2]);
/// assert_eq!(mask.not().to_bools(), [false, true, false]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Mask {
    words: Vec<u64>,
    len: usize,
}

impl Mask {
    /// A mask that keeps every one of `len` elements.
    #[must_use]
    pub fn all(len: usize) -> Self {
        let mut mask = Self {
            words: vec![!0; words_for(len)],
            len,
        };
        mask.clear_tail();
        mask
    }

    /// A mask that drops every one of `len` elements.
    #[must_use]
    pub fn none(len: usize) -> Self {
        Self {
            words: vec![0; words_for(len)],
            len,
        }
    }

    /// The same, or an error if there is no memory for it.
    pub(crate) fn try_none(len: usize) -> Result<Self> {
        let (mut words, count) = (Vec::new(), words_for(len));
        let reserved = words.try_reserve_exact(count);
        reserved.map_err(|_| Error::Overflow("mask"))?;
        words.resize(count, 0);
        Ok(Self { words, len })
    }

    /// A mask from packed words; bits past `len` are ignored.
    ///
    /// # Errors
    /// [`Error::Length`] if there are not exactly `len / 64` words, rounded up.
    pub fn from_words(mut words: Vec<u64>, len: usize) -> Result<Self> {
        let (expected, found) = (words_for(len), words.len());
        if found != expected {
            return Err(Error::Length {
                what: "words of a mask",
                expected,
                found,
            });
        }
        words.shrink_to_fit();
        let mut mask = Self { words, len };
        mask.clear_tail();
        Ok(mask)
    }

    /// A mask from packed bytes, the first element in the lowest bit of the first byte; bits past `len`
    /// are ignored.
    ///
    /// # Errors
    /// [`Error::Length`] if there are not exactly `len / 8` bytes, rounded up.
    pub fn from_bytes(bytes: &[u8], len: usize) -> Result<Self> {
        let (expected, found) = (len.div_ceil(8), bytes.len());
        if found != expected {
            return Err(Error::Length {
                what: "bytes of a mask",
                expected,
                found,
            });
        }
        let mut mask = Self::none(len);
        for (word, chunk) in mask.words.iter_mut().zip(bytes.chunks(8)) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_le_bytes(eight);
        }
        mask.clear_tail();
        Ok(mask)
    }

    /// A mask from one bool an element, `true` = kept.
    #[must_use]
    pub fn from_bools(kept: &[bool]) -> Self {
        let mut mask = Self::none(kept.len());
        for (word, chunk) in mask.words.iter_mut().zip(kept.chunks(64)) {
            *word = (0..)
                .zip(chunk)
                .fold(0, |word, (i, &kept)| word | u64::from(kept) << i);
        }
        mask
    }

    /// The packed bytes, `len / 8` rounded up, the inverse of [`from_bytes`](Mask::from_bytes).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self
            .words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        bytes.truncate(self.len.div_ceil(8));
        bytes
    }

    /// One bool an element, the inverse of [`from_bools`](Mask::from_bools).
    #[must_use]
    pub fn to_bools(&self) -> Vec<bool> {
        (0..self.len)
            .map(|i| self.words[i / 64] >> (i % 64) & 1 == 1)
            .collect()
    }

    /// The packed words.
    #[must_use]
    pub fn as_words(&self) -> &[u64] {
        &self.words
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether element `i` is kept; `None` past the end.
    #[must_use]
    pub fn get(&self, i: usize) -> Option<bool> {
        (i < self.len).then(|| self.words[i / 64] >> (i % 64) & 1 == 1)
    }

    /// The number of kept elements.
    #[must_use]
    pub fn count_kept(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// The indices of the kept elements, ascending.
    #[must_use]
    pub fn kept(&self) -> Kept<'_> {
        Kept::new(&self.words)
    }

    /// The mask of the elements `start..end`, at any bit offset.
    ///
    /// # Errors
    /// [`Error::Range`] if the range is reversed or ends past the mask.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Result<Self> {
        let std::ops::Range { start, end } = range;
        if start > end || end > self.len {
            return Err(Error::Range {
                what: "slice of a mask",
                start,
                end,
                length: self.len,
            });
        }
        let mut mask = Self::none(end - start);
        copy_bits(&self.words, start, &mut mask.words);
        mask.clear_tail();
        Ok(mask)
    }

    /// What both keep.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ; likewise for the other combinations.
    pub fn and(&self, other: &Self) -> Result<Self> {
        self.zip(other, |a, b| a & b)
    }

    /// What either keeps.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ.
    pub fn or(&self, other: &Self) -> Result<Self> {
        self.zip(other, |a, b| a | b)
    }

    /// What exactly one keeps.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ.
    pub fn xor(&self, other: &Self) -> Result<Self> {
        self.zip(other, |a, b| a ^ b)
    }

    /// What this one drops.
    #[must_use]
    pub fn not(&self) -> Self {
        let mut mask = Self {
            words: self.words.iter().map(|word| !word).collect(),
            len: self.len,
        };
        mask.clear_tail();
        mask
    }

    fn zip(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Result<Self> {
        if self.len != other.len {
            return Err(Error::Length {
                what: "right mask",
                expected: self.len,
                found: other.len,
            });
        }
        let words = self
            .words
            .iter()
            .zip(&other.words)
            .map(|(&a, &b)| f(a, b))
            .collect();
        Ok(Self {
            words,
            len: self.len,
        })
    }

    /// The words of a mask that is about to be written whole; the writer keeps the tail zero.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// Becomes a mask that drops all of `len` elements, in the same memory if it suffices.
    pub(crate) fn reset(&mut self, len: usize) {
        self.words.clear();
        self.words.resize(words_for(len), 0);
        self.len = len;
    }

    /// Restores the invariant that bits past the end are zero.
    pub(crate) fn clear_tail(&mut self) {
        let used = self.len % 64;
        if let (1.., Some(last)) = (used, self.words.last_mut()) {
            *last &= (1 << used) - 1;
        }
    }
}

impl fmt::Debug for Mask {
    /// The length, the number kept and the first 64 elements: never more than a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        write!(f, "Mask({} of {} kept: ", self.count_kept(), self.len)?;
        for i in 0..self.len.min(SHOWN) {
            write!(f, "{}", self.words[i / 64] >> (i % 64) & 1)?;
        }
        f.write_str(if self.len > SHOWN { "…)" } else { ")" })
    }
}
