//! Stream v1 as `docs/determinism.md` specifies it, one element at a time.
//!
//! A key is one number here, `high * 2^64 + low`: what [`Key::to_u128`](crate::Key::to_u128) returns.
//! `rand_xoshiro` is the generator of a lane.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::error::{Error, Result};

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const BLOCK: u64 = 4096;
const GROUP: usize = 512;
/// Elements of a group that read the same lane.
const LANE: usize = 64;

fn mix(z: u64) -> u64 {
    let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

fn splitmix(seed: u64, n: u64) -> u64 {
    mix(seed.wrapping_add(n.wrapping_mul(GOLDEN)))
}

fn halves(key: u128) -> (u64, u64) {
    (key as u64, (key >> 64) as u64)
}

fn whole(low: u64, high: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// The key of a seed (section 2).
#[must_use]
pub fn key(seed: u64) -> u128 {
    whole(splitmix(seed, 1), splitmix(seed, 2))
}

/// The `n`-th child of a key (section 2).
#[must_use]
pub fn fold_in(key: u128, n: u64) -> u128 {
    let (low, high) = halves(key);
    let low = low ^ splitmix(n, 1);
    let high = high ^ splitmix(n, 2);
    let low = low ^ splitmix(high, 1);
    let high = high ^ splitmix(low, 2);
    let low = low ^ splitmix(high, 3);
    whole(low, high)
}

/// The first state of a lane, 0 to 7, of a block (section 3).
#[must_use]
pub fn lane_state(key: u128, block: u64, lane: u64) -> [u64; 4] {
    let (low, high) = halves(fold_in(key, block));
    [(low, 1), (low, 9), (high, 1), (high, 9)].map(|(half, n)| splitmix(half, lane.wrapping_add(n)))
}

pub(super) fn lane_generator(key: u128, block: u64, lane: u64) -> Xoshiro256PlusPlus {
    let mut seed = [0; 32];
    for (bytes, word) in seed.chunks_exact_mut(8).zip(lane_state(key, block, lane)) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    Xoshiro256PlusPlus::from_seed(seed)
}

/// The binary digits of p in (0, 1) after the point, up to the last one that is 1 (section 4).
/// Doubling and subtracting 1 are exact.
fn digits(mut p: f64) -> Vec<bool> {
    let mut digits = Vec::new();
    while p > 0.0 {
        p *= 2.0;
        digits.push(p >= 1.0);
        if p >= 1.0 {
            p -= 1.0;
        }
    }
    digits
}

/// The next 512 keep bits of a block (section 4).
fn group(lanes: &mut [Xoshiro256PlusPlus], digits: &[bool]) -> [bool; GROUP] {
    let mut fates = [None; GROUP];
    for (i, &digit) in digits.iter().enumerate() {
        let drawn: Vec<u64> = lanes.iter_mut().map(Rng::next_u64).collect();
        for (e, fate) in fates.iter_mut().enumerate() {
            let random = drawn[e / LANE] >> (e % LANE) & 1 == 1;
            if fate.is_none() && random != digit {
                *fate = Some(random);
            }
        }
        if i + 1 >= 8 && fates.iter().all(Option::is_some) {
            break;
        }
    }
    fates.map(|fate| fate.unwrap_or(true))
}

/// The 4,096 keep bits of a block.
fn block_bits(key: u128, p: f64, block: u64) -> Vec<bool> {
    if p == 0.0 || p == 1.0 {
        return vec![p == 0.0; BLOCK as usize];
    }
    let mut lanes: Vec<_> = (0..8)
        .map(|lane| lane_generator(key, block, lane))
        .collect();
    let digits = digits(p);
    (0..8).flat_map(|_| group(&mut lanes, &digits)).collect()
}

/// Whether each of the elements `first..first + n` is kept.
///
/// ```
/// use elision::{Dropout, Key, Mask, reference::stream};
/// let key = Key::new(7).fold_in(3);
/// assert_eq!(stream::fold_in(stream::key(7), 3), key.to_u128());
/// let naive = stream::keep_bits(key.to_u128(), 0.1, 5000, 1000)?;
/// let mask = Mask::draw(&Dropout::new(key, 0.1)?.with_offset(5000), 1000)?;
/// assert_eq!(mask.to_bools(), naive);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Probability`] if `p` is NaN or outside [0, 1], [`Error::Overflow`] if the last index does
/// not fit 64 bits or the bits do not fit the memory.
pub fn keep_bits(key: u128, p: f64, first: u64, n: usize) -> Result<Vec<bool>> {
    if !(0.0..=1.0).contains(&p) {
        return Err(Error::Probability(p));
    }
    let overflow = Error::Overflow("keep bits");
    let end = u64::try_from(n)
        .ok()
        .and_then(|n| first.checked_add(n))
        .ok_or(overflow.clone())?;
    let mut kept = Vec::new();
    kept.try_reserve_exact(n).map_err(|_| overflow)?;
    for block in first / BLOCK..end.div_ceil(BLOCK) {
        for (i, bit) in (0..BLOCK).zip(block_bits(key, p, block)) {
            if (first..end).contains(&(block * BLOCK + i)) {
                kept.push(bit);
            }
        }
    }
    Ok(kept)
}
