//! Eight lanes of xoshiro256++ (Blackman and Vigna 2018), seeded counter-wise from SplitMix64.

use crate::key::{GOLDEN, Key};
use crate::simd::{Simd, WORDS};

/// The generator of one block: lane j of the vectors is an independent xoshiro256++.
#[derive(Clone, Copy)]
pub(crate) struct Xoshiro<S: Simd> {
    state: [S::U64; 4],
}

/// `1..=8` times SplitMix64's increment.
const STEPS: [u64; WORDS] = {
    let mut steps = [0; WORDS];
    let mut i = 0;
    while i < WORDS {
        steps[i] = GOLDEN.wrapping_mul(i as u64 + 1);
        i += 1;
    }
    steps
};

/// Eight times SplitMix64's increment: from one state word's counters to the next one's.
const LAP: u64 = GOLDEN.wrapping_mul(WORDS as u64);

impl<S: Simd> Xoshiro<S> {
    /// The generator of block `block` of `key`. State words 0 and 1 of the lanes come from the low half
    /// of the block's key, words 2 and 3 from the high half, so that all 128 bits count. Words 0 and 1
    /// are images of different counters under a bijection: no lane's state can be all zero.
    #[inline(always)]
    pub(crate) fn new(simd: S, key: Key, block: u64) -> Self {
        let key = key.fold_in(block);
        let (low, high) = (key.low, key.high);
        let state = [
            seed(simd, low),
            seed(simd, low.wrapping_add(LAP)),
            seed(simd, high),
            seed(simd, high.wrapping_add(LAP)),
        ];
        Self { state }
    }

    /// The next 64 bits of each lane.
    #[inline(always)]
    pub(crate) fn next(&mut self, simd: S) -> S::U64 {
        let [s0, s1, s2, s3] = self.state;
        let result = simd.u64_add(simd.u64_rotl(simd.u64_add(s0, s3), 23), s0);
        let t = simd.u64_shl(s1, 17);
        let s2 = simd.u64_xor(s2, s0);
        let s3 = simd.u64_xor(s3, s1);
        let s1 = simd.u64_xor(s1, s2);
        let s0 = simd.u64_xor(s0, s3);
        self.state = [s0, s1, simd.u64_xor(s2, t), simd.u64_rotl(s3, 45)];
        result
    }
}

/// Outputs 1 to 8 of a SplitMix64 generator in state `base`.
#[inline(always)]
fn seed<S: Simd>(simd: S, base: u64) -> S::U64 {
    mix(
        simd,
        simd.u64_add(simd.u64_splat(base), simd.u64_load(&STEPS)),
    )
}

/// [`crate::key::mix`] on eight lanes.
#[inline(always)]
fn mix<S: Simd>(simd: S, z: S::U64) -> S::U64 {
    let z = simd.u64_xor(z, simd.u64_shr(z, 30));
    let z = simd.u64_mul(z, simd.u64_splat(0xBF58_476D_1CE4_E5B9));
    let z = simd.u64_xor(z, simd.u64_shr(z, 27));
    let z = simd.u64_mul(z, simd.u64_splat(0x94D0_49BB_1331_11EB));
    simd.u64_xor(z, simd.u64_shr(z, 31))
}
