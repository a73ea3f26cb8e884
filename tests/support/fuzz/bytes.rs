//! Small numbers from arbitrary bytes.

/// A source of numbers that gives zeros when it is used up, so that every input is a program.
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    /// A number below `n`, which is at most 256; zero if `n` is zero.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n.max(1)
    }

    /// Mostly a number below `n`, and now and then one that must be refused.
    pub(crate) fn wild(&mut self, n: usize) -> usize {
        match self.byte() {
            255 => usize::MAX,
            254 => usize::MAX / 2 + 1,
            253 => 1 << 33,
            byte => usize::from(byte) % (n + 2),
        }
    }

    /// As many numbers from `next` as its first number says, at most `most`.
    pub(crate) fn list(
        &mut self,
        most: usize,
        mut next: impl FnMut(&mut Self) -> usize,
    ) -> Vec<usize> {
        let n = self.below(most + 1);
        (0..n).map(|_| next(self)).collect()
    }
}
