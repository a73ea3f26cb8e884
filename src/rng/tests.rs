//! The lanes against `rand_xoshiro`, on every instruction set.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::xoshiro::Xoshiro;
use super::{BLOCK, Bernoulli, GROUP};
use crate::key::Key;
use crate::reference::stream;
use crate::simd::{Isa, Kernel, Simd, WORDS, dispatch};

/// The first draws of a block.
struct Draws {
    key: Key,
    block: u64,
    count: usize,
}

impl Kernel for Draws {
    type Output = Vec<[u64; WORDS]>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Self::Output {
        let mut generator = Xoshiro::new(simd, self.key, self.block);
        let mut draws = vec![[0; WORDS]; self.count];
        for draw in &mut draws {
            simd.u64_store(generator.next(simd), draw);
        }
        draws
    }
}

#[test]
fn a_lane_is_xoshiro256_plus_plus() {
    for isa in Isa::available() {
        for (seed, block) in [(0, 0), (0, 1), (7, (1 << 52) - 1), (u64::MAX, 12_345)] {
            let key = Key::new(seed);
            let draws = dispatch(
                *isa,
                Draws {
                    key,
                    block,
                    count: 1100,
                },
            );
            for lane in 0..WORDS {
                let state = stream::lane_state(key.to_u128(), block, lane as u64);
                let mut bytes = [0; 32];
                for (bytes, word) in bytes.chunks_exact_mut(8).zip(state) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
                let mut oracle = Xoshiro256PlusPlus::from_seed(bytes);
                for (i, draw) in draws.iter().enumerate() {
                    assert_eq!(
                        draw[lane],
                        oracle.next_u64(),
                        "{isa}: lane {lane}, draw {i}"
                    );
                }
            }
        }
    }
}

/// All groups of a block.
struct Groups(Key, f64);

impl Kernel for Groups {
    type Output = Vec<bool>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Vec<bool> {
        let mut groups = Bernoulli::new(self.1).start(simd, self.0, 3);
        let mut kept = Vec::new();
        for _ in 0..BLOCK / GROUP {
            let mut words = [0; WORDS];
            simd.u64_store(groups.next(), &mut words);
            kept.extend((0..GROUP).map(|i| words[i / 64] >> (i % 64) & 1 == 1));
        }
        kept
    }
}

#[test]
fn a_block_is_the_references() {
    let key = Key::new(1).fold_in(2);
    // Around the eight digits that are never tested: p with 6 to 10 digits.
    let short = (6..=10).map(|digits| 1.0 - 0.5f64.powi(digits));
    for p in short.chain([0.1, 0.5, 2f64.powi(-9), f64::MIN_POSITIVE]) {
        let naive = stream::keep_bits(key.to_u128(), p, 3 * BLOCK as u64, BLOCK);
        for isa in Isa::available() {
            assert_eq!(
                Ok(dispatch(*isa, Groups(key, p))),
                naive,
                "{isa}: p = {p:e}"
            );
        }
    }
}
