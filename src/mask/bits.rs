//! Reading packed bits at any offset.

/// The number of words that `len` bits take.
#[inline(always)]
pub(crate) const fn words_for(len: usize) -> usize {
    len.div_ceil(64)
}

/// The 64 bits from bit `start` on; bits past the end of `words` are zero.
#[inline(always)]
pub(crate) fn bits_at(words: &[u64], start: usize) -> u64 {
    let (word, shift) = (start / 64, start % 64);
    let low = words.get(word).copied().unwrap_or(0) >> shift;
    if shift == 0 {
        return low;
    }
    low | words.get(word + 1).copied().unwrap_or(0) << (64 - shift)
}

/// Fills `dst` with the bits of `src` from bit `start` on; bits past the end of `src` are zero.
pub(crate) fn copy_bits(src: &[u64], start: usize, dst: &mut [u64]) {
    for (i, word) in dst.iter_mut().enumerate() {
        *word = bits_at(src, start + 64 * i);
    }
}

/// How many of the `n` bits from bit `start` on are 1.
pub(crate) fn count_bits(words: &[u64], start: usize, n: usize) -> usize {
    let count =
        |done: usize| (bits_at(words, start + done) & low_bits((n - done).min(64))).count_ones();
    (0..n).step_by(64).map(|done| count(done) as usize).sum()
}

/// Appends bits to words that are zero.
pub(crate) struct Writer<'a> {
    words: &'a mut [u64],
    /// The index of the next bit.
    at: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(words: &'a mut [u64]) -> Self {
        Self::from_bit(words, 0)
    }

    /// From bit `at` on.
    pub(crate) fn from_bit(words: &'a mut [u64], at: usize) -> Self {
        Self { words, at }
    }

    /// The lowest `n <= 64` bits of `bits`, whose others are zero.
    #[inline(always)]
    fn push(&mut self, bits: u64, n: usize) {
        let (word, shift) = (self.at / 64, self.at % 64);
        self.at += n;
        if n == 0 {
            return;
        }
        self.words[word] |= bits << shift;
        if shift + n > 64 {
            self.words[word + 1] |= bits >> (64 - shift);
        }
    }

    /// `n` bits that are all one or all zero.
    #[inline(always)]
    pub(crate) fn fill(&mut self, kept: bool, n: usize) {
        let (start, end) = (self.at, self.at + n);
        self.at = end;
        if !kept || n == 0 {
            return;
        }
        let (first, last) = (start / 64, (end - 1) / 64);
        let (low, high) = (!0 << (start % 64), !0 >> (63 - (end - 1) % 64));
        if first == last {
            self.words[first] |= low & high;
            return;
        }
        self.words[first] |= low;
        for word in &mut self.words[first + 1..last] {
            *word = !0;
        }
        self.words[last] |= high;
    }

    /// The bits `start..start + n` of `src`.
    pub(crate) fn copy(&mut self, src: &[u64], start: usize, n: usize) {
        for done in (0..n).step_by(64) {
            let left = (n - done).min(64);
            self.push(bits_at(src, start + done) & low_bits(left), left);
        }
    }

    /// `n` more bits that go on with the period of the last `period` ones.
    pub(crate) fn repeat(&mut self, period: usize, n: usize) {
        let (mut left, mut known) = (n, period);
        let first = self.at.saturating_sub(period);
        while left > 0 && known > 0 {
            let more = left.min(known);
            for done in (0..more).step_by(64) {
                let len = (more - done).min(64);
                self.push(bits_at(self.words, first + done) & low_bits(len), len);
            }
            (left, known) = (left - more, known + more);
        }
    }
}

/// The lowest `n` bits, 1 to 64 of them.
#[inline(always)]
fn low_bits(n: usize) -> u64 {
    !0 >> (64 - n)
}
