//! Keys: what every random draw is a function of.
//!
//! The functions of this file influence the random stream (`docs/determinism.md`, section 2).

/// 2^64 divided by the golden ratio, made odd: SplitMix64's increment.
pub(crate) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64's output function (Steele, Lea and Flood 2014, with Stafford's mix 13): a bijection.
#[inline(always)]
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The `n`-th output (from 1) of a SplitMix64 generator seeded with `seed`.
#[inline(always)]
const fn splitmix(seed: u64, n: u64) -> u64 {
    mix(seed.wrapping_add(GOLDEN.wrapping_mul(n)))
}

/// A 128-bit name of a random stream. Keys are values: nothing is consumed, and the same key always
/// gives the same numbers. Derive a key for each layer, step or sample with [`fold_in`](Key::fold_in).
///
/// ```
/// use elision::Key;
/// let run = Key::new(7);
/// let layer = run.fold_in(3);
/// assert_eq!(layer.fold_in(100), Key::new(7).fold_in(3).fold_in(100));
/// assert_ne!(layer.fold_in(100), run.fold_in(100).fold_in(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl Key {
    /// The key of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            low: splitmix(seed, 1),
            high: splitmix(seed, 2),
        }
    }

    /// The key with exactly these 128 bits.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self {
            low: bits as u64,
            high: (bits >> 64) as u64,
        }
    }

    /// The 128 bits of the key.
    #[must_use]
    pub const fn to_u128(self) -> u128 {
        self.low as u128 | (self.high as u128) << 64
    }

    /// The `n`-th child of this key. For a fixed key, different numbers give different children; for a
    /// fixed number, different keys do.
    #[must_use]
    #[inline(always)]
    pub const fn fold_in(self, n: u64) -> Self {
        // Three Feistel rounds: a bijection of (low, high) whatever the round function is.
        let mut low = self.low ^ splitmix(n, 1);
        let mut high = self.high ^ splitmix(n, 2);
        low ^= splitmix(high, 1);
        high ^= splitmix(low, 2);
        low ^= splitmix(high, 3);
        Self { low, high }
    }
}

impl Key {
    /// The child of that name: the key folded with the number of bytes, then with each eight of them as a
    /// little-endian number, the last ones padded with zeros.
    ///
    /// ```
    /// use elision::Key;
    /// let run = Key::new(7);
    /// assert_ne!(run.named("hidden"), run.named("output"));
    /// assert_eq!(run.named("ab"), run.fold_in(2).fold_in(u64::from(b'a') + 256 * u64::from(b'b')));
    /// ```
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        let bytes = name.as_bytes();
        bytes
            .chunks(8)
            .fold(self.fold_in(bytes.len() as u64), |key, chunk| {
                let mut number = [0; 8];
                number[..chunk.len()].copy_from_slice(chunk);
                key.fold_in(u64::from_le_bytes(number))
            })
    }

    /// A number below `bound` that is a function of the key: the high half of a 128-bit product, whose bias is at most
    /// `bound / 2^64`.
    pub(crate) fn below(self, bound: u64) -> u64 {
        ((u128::from(self.high) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mix_is_splitmix64() {
        // The first outputs of the generator seeded with 1234567, from its authors' test vectors.
        let expected = [
            6457827717110365317,
            3203168211198807973,
            9817491932198370423,
        ];
        for (n, want) in (1..).zip(expected) {
            assert_eq!(splitmix(1234567, n), want);
        }
    }

    #[test]
    fn keys_survive_a_round_trip() {
        let key = Key::new(0).fold_in(u64::MAX);
        assert_eq!(Key::from_u128(key.to_u128()), key);
    }

    #[test]
    fn children_differ() {
        let root = Key::new(0);
        let mut seen = std::collections::HashSet::new();
        for n in 0..10_000 {
            assert!(seen.insert(root.fold_in(n)), "child {n} repeats");
            assert!(seen.insert(Key::new(n + 1)), "seed {n} repeats");
        }
    }
}
