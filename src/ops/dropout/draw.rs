//! Drawing masks.

use crate::dropout::Dropout;
use crate::error::{Error, Result};
use crate::exec::{current_isa, for_each_chunk};
use crate::kernels::dropout::{Draw, Stream};
use crate::mask::{Mask, UnitMask, check_units};
use crate::rng::Bernoulli;
use crate::simd::{Isa, dispatch};

/// Cost of a word of 64 bits against an element of a scaled copy.
const BITS_PER_WORD_WEIGHT: usize = 32;

impl Mask {
    /// The keep bits of `len` elements.
    ///
    /// ```
    /// use elision::{Dropout, Key, Mask};
    /// let mask = Mask::draw(&Dropout::new(Key::new(1), 0.25)?, 10_000)?;
    /// assert!((7_300..7_700).contains(&mask.count_kept()));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Overflow`] if the dropout's offset plus `len` does not fit 64 bits.
    pub fn draw(dropout: &Dropout, len: usize) -> Result<Self> {
        check_end(dropout, len)?;
        let mut mask = Self::try_none(len)?;
        draw(current_isa()?, dropout, &mut mask);
        Ok(mask)
    }

    /// Draws this mask's bits anew, without allocating.
    ///
    /// # Errors
    /// [`Error::Overflow`] if the dropout's offset plus the length does not fit 64 bits.
    pub fn redraw(&mut self, dropout: &Dropout) -> Result<()> {
        check_end(dropout, self.len())?;
        let isa = current_isa()?;
        self.words_mut().fill(0);
        draw(isa, dropout, self);
        Ok(())
    }
}

impl UnitMask {
    /// The keep bits of `units` units, those of [`Mask::draw`], with the dropout's scale.
    ///
    /// ```
    /// use elision::{Dropout, Key, Mask, UnitMask};
    /// let dropout = Dropout::new(Key::new(1), 0.5)?;
    /// let units = UnitMask::draw(&dropout, 100)?;
    /// assert_eq!(units.mask(), &Mask::draw(&dropout, 100)?);
    /// assert_eq!((units.kept().len(), units.scale()), (units.mask().count_kept(), 2.0));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Overflow`] if the number of units does not fit 32 bits, or the dropout's offset plus it does
    /// not fit 64 bits.
    pub fn draw(dropout: &Dropout, units: usize) -> Result<Self> {
        check_units(units)?;
        Self::over(Mask::draw(dropout, units)?, dropout.scale())
    }

    /// Draws the decisions of as many units anew, without allocating.
    ///
    /// # Errors
    /// [`Error::Overflow`] if the dropout's offset plus the number of units does not fit 64 bits.
    pub fn redraw(&mut self, dropout: &Dropout) -> Result<()> {
        self.rewrite(dropout.scale(), |mask| mask.redraw(dropout))
    }
}

/// Draws into a mask of zeros.
pub(in crate::ops) fn draw(isa: Isa, dropout: &Dropout, mask: &mut Mask) {
    let (stream, len) = (stream(dropout), mask.len());
    for_each_chunk(mask.words_mut(), BITS_PER_WORD_WEIGHT, |start, words| {
        let first = 64 * start;
        let len = (64 * words.len()).min(len - first);
        draw_words(isa, stream.skip(first), words, len);
    });
}

/// Draws `len` bits into words of zeros, on this thread.
pub(super) fn draw_words(isa: Isa, stream: Stream, words: &mut [u64], len: usize) {
    dispatch(isa, Draw { stream, words, len });
}

/// The bits that a dropout describes.
pub(super) fn stream(dropout: &Dropout) -> Stream {
    let bernoulli = Bernoulli::new(dropout.p());
    Stream {
        key: dropout.key(),
        bernoulli,
        first: dropout.offset(),
    }
}

/// The last element's index must fit, with room for the end of its block.
pub(in crate::ops) fn check_end(dropout: &Dropout, len: usize) -> Result<()> {
    let end = dropout.offset().checked_add(len as u64);
    end.map(|_| ())
        .ok_or(Error::Overflow("offset and length of a dropout"))
}
