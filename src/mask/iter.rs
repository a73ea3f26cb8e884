//! Iteration over the kept elements.

/// The indices of the kept elements of a mask, ascending; made by [`Mask::kept`](super::Mask::kept).
#[derive(Clone, Debug)]
pub struct Kept<'a> {
    words: &'a [u64],
    /// The index of the word that `current` came from.
    word: usize,
    /// The bits of that word that are still to come.
    current: u64,
}

impl<'a> Kept<'a> {
    pub(super) fn new(words: &'a [u64]) -> Self {
        Self {
            words,
            word: 0,
            current: words.first().copied().unwrap_or(0),
        }
    }
}

impl Iterator for Kept<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.current == 0 {
            self.word += 1;
            self.current = *self.words.get(self.word)?;
        }
        let bit = self.current.trailing_zeros() as usize;
        self.current &= self.current - 1;
        Some(64 * self.word + bit)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = self.words.get(self.word + 1..).unwrap_or(&[]);
        let left = rest
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum::<usize>();
        let left = left + self.current.count_ones() as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Kept<'_> {}
