//! A short row of bits, ready to be read again and again.

use super::bits::Writer;

/// The longest row.
pub(crate) const MAX_PERIOD: usize = 511;
/// Words of the longest row, and of 64 bits more from any bit of it on.
const WORDS: usize = (MAX_PERIOD + 64).div_ceil(64);

/// Some bits as often as they make a period of at least 64, and 64 bits of the next.
pub(crate) struct Period {
    words: [u64; WORDS],
    len: usize,
}

impl Period {
    /// The `len` bits of `words` from bit `first` on; 1 to [`MAX_PERIOD`] of them.
    pub(crate) fn new(words: &[u64], first: usize, len: usize) -> Self {
        let period = len * 64_usize.div_ceil(len);
        let mut repeated = [0; WORDS];
        let mut writer = Writer::new(&mut repeated);
        writer.copy(words, first, len);
        writer.repeat(len, period + 64 - len);
        Self {
            words: repeated,
            len: period,
        }
    }

    /// The period, and 64 bits of the next.
    pub(crate) fn as_words(&self) -> &[u64] {
        &self.words
    }

    /// How many bits it has, at least 64.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::bits_at;

    #[test]
    fn sixty_four_bits_can_be_read_from_any_bit_of_the_period() {
        let words: Vec<u64> = (1..20_u64)
            .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .collect();
        for first in [0, 1, 100] {
            for len in (1..70).chain([127, 128, 448, MAX_PERIOD]) {
                let period = Period::new(&words, first, len);
                assert_eq!((period.len() % len, period.len() >= 64), (0, true));
                for at in 0..period.len() {
                    let found = bits_at(period.as_words(), at);
                    for i in 0..64 {
                        let want = bits_at(&words, first + (at + i) % len);
                        assert_eq!(found >> i & 1, want & 1, "{first} {len} {at} {i}");
                    }
                }
            }
        }
    }
}
