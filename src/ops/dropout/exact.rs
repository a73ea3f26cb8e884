//! Masks that keep an exact number of elements.

use super::draw::draw_words;
use crate::dropout::Dropout;
use crate::error::{Error, Result, check_number};
use crate::exec::current_isa;
use crate::kernels::dropout::Stream;
use crate::key::Key;
use crate::mask::Mask;
use crate::rng::{BLOCK, Bernoulli};
use crate::simd::Isa;

/// Words of a block of a key.
const WORDS: usize = BLOCK / 64;

/// The random words of a key, in order: its keep bits at probability one half, 64 at a time.
pub(super) struct Words {
    isa: Isa,
    stream: Stream,
    buffer: [u64; WORDS],
    used: usize,
}

impl Words {
    pub(super) fn new(key: Key) -> Result<Self> {
        let bernoulli = Bernoulli::new(0.5);
        Ok(Self {
            isa: current_isa()?,
            stream: Stream {
                key,
                bernoulli,
                first: 0,
            },
            buffer: [0; WORDS],
            used: WORDS,
        })
    }

    /// The next 64 random bits.
    pub(super) fn next(&mut self) -> u64 {
        if self.used == WORDS {
            self.refill();
        }
        self.used += 1;
        self.buffer[self.used - 1]
    }

    fn refill(&mut self) {
        self.buffer.fill(0);
        draw_words(self.isa, self.stream, &mut self.buffer, BLOCK);
        self.stream = self.stream.skip(BLOCK);
        self.used = 0;
    }

    /// A whole number below `n > 0`, each equally often: the high half of a product with a random word, drawn again
    /// where the low half falls into the part that would count once too often (Lemire 2019,
    /// <https://arxiv.org/abs/1805.10941>).
    fn below(&mut self, n: u64) -> u64 {
        let excess = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.next()) * u128::from(n);
            if product as u64 >= excess {
                return (product >> 64) as u64;
            }
        }
    }
}

impl Mask {
    /// A mask that keeps exactly `kept` of `len` elements, each choice of them equally likely.
    ///
    /// It is a function of the key and of the two numbers. The bounded numbers that it takes are exact, not rounded
    /// from a fraction.
    ///
    /// ```
    /// use elision::{Key, Mask};
    /// let mask = Mask::draw_exact(Key::new(1), 30, 100)?;
    /// assert_eq!(mask.count_kept(), 30);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Number`] if more elements are to be kept than there are, [`Error::Overflow`] if the mask does not fit in
    /// memory.
    pub fn draw_exact(key: Key, kept: usize, len: usize) -> Result<Self> {
        check_kept(kept, len)?;
        let mut mask = room(len)?;
        choose(key, kept, 0..len, &mut mask)?;
        Ok(mask)
    }

    /// A mask over `groups` groups of `group` elements that keeps exactly `kept` of each. Group i is
    /// [`draw_exact`](Mask::draw_exact) of `key.fold_in(i)`.
    ///
    /// ```
    /// use elision::{Key, Mask};
    /// let two_of_four = Mask::draw_exact_in_groups(Key::new(1), 2, 4, 100)?;
    /// assert_eq!(two_of_four.slice(40..44)?.count_kept(), 2);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`draw_exact`](Mask::draw_exact).
    pub fn draw_exact_in_groups(
        key: Key,
        kept: usize,
        group: usize,
        groups: usize,
    ) -> Result<Self> {
        check_kept(kept, group)?;
        let len = group.checked_mul(groups).ok_or(Error::Overflow("mask"))?;
        let mut mask = room(len)?;
        for i in 0..groups {
            let range = i * group..(i + 1) * group;
            choose(key.fold_in(i as u64), kept, range, &mut mask)?;
        }
        Ok(mask)
    }
}

fn check_kept(kept: usize, len: usize) -> Result<()> {
    let what = "number of elements that a mask keeps (at most all)";
    check_number(what, kept as f64, kept <= len)
}

/// A mask of zeros, or an error where memory is short.
fn room(len: usize) -> Result<Mask> {
    Mask::draw(&Dropout::new(Key::new(0), 1.0)?, len)
}

/// Keeps `kept` elements of a range, all of which are dropped before (Floyd's choice of a subset: of each number j of
/// the last ones, either a random number up to j, or j itself if that one is taken).
fn choose(key: Key, kept: usize, range: std::ops::Range<usize>, mask: &mut Mask) -> Result<()> {
    let (n, first) = (range.len(), range.start);
    // The smaller part is chosen, and the bits turned round if it is the other one.
    let inverted = kept > n / 2;
    let chosen = if inverted { n - kept } else { kept };
    let mut numbers = Words::new(key)?;
    let words = mask.words_mut();
    let mut put = |i: usize| {
        let (word, bit) = ((first + i) / 64, 1 << ((first + i) % 64));
        let was = words[word] & bit;
        words[word] |= bit;
        was == 0
    };
    for j in n - chosen..n {
        if !put(numbers.below(j as u64 + 1) as usize) {
            put(j);
        }
    }
    if inverted {
        invert(words, range);
    }
    Ok(())
}

/// Turns round the bits of a range.
fn invert(words: &mut [u64], range: std::ops::Range<usize>) {
    let mut at = range.start;
    while at < range.end {
        let n = (64 - at % 64).min(range.end - at);
        words[at / 64] ^= (!0 >> (64 - n)) << (at % 64);
        at += n;
    }
}
