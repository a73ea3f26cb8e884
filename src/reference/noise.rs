//! Normal and uniform numbers of a key, one at a time and in f64 (`docs/determinism.md`), and noise made of them.
//!
//! A key is one number here, `high * 2^64 + low`, and is that of the numbers' stream: `Key::named("normal")` or
//! `Key::named("uniform")` of the key that an operation takes.

use std::f64::consts::FRAC_PI_4;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;

use super::stream::lane_generator;

/// Elements of a block.
const BLOCK: u64 = 4096;
/// Numbers that one draw of all eight lanes has 32 bits for.
const DRAW: usize = 16;

/// The first `n` draws of a block: 16 numbers of 32 bits each, the lower half of a lane's word first.
fn draws(key: u128, block: u64, n: usize) -> Vec<[u32; DRAW]> {
    let mut lanes: Vec<Xoshiro256PlusPlus> = (0..8)
        .map(|lane| lane_generator(key, block, lane))
        .collect();
    let mut draw = || {
        let words: Vec<u64> = lanes.iter_mut().map(Rng::next_u64).collect();
        std::array::from_fn(|i| (words[i / 2] >> (32 * (i % 2))) as u32)
    };
    (0..n).map(|_| draw()).collect()
}

/// Number `i` of a key, uniform in (0, 1).
#[must_use]
pub fn uniform(key: u128, i: u64) -> f64 {
    let at = (i % BLOCK) as usize;
    let bits = draws(key, i / BLOCK, at / DRAW + 1)[at / DRAW][at % DRAW];
    (f64::from(bits >> 9) + 0.5) / 8_388_608.0
}

/// Number `i` of a key, standard normal.
#[must_use]
pub fn normal(key: u128, i: u64) -> f64 {
    let at = (i % BLOCK) as usize;
    let (pair, lane) = (at / (2 * DRAW), at % DRAW);
    let draws = draws(key, i / BLOCK, 2 * pair + 2);
    let (radius, angle) = (draws[2 * pair][lane], draws[2 * pair + 1][lane]);
    let second = at % (2 * DRAW) >= DRAW;
    box_muller(radius, angle, second)
}

/// The first or the second number of a pair; both integers are rounded to f32 first.
fn box_muller(radius: u32, angle: u32, second: bool) -> f64 {
    let odd = (radius & 0x7FFF_FFFF | 1) as f32;
    let u = f64::from(odd) / 2_147_483_648.0;
    let turn = angle.cast_signed() as f32;
    let phi = FRAC_PI_4 * f64::from(turn) / 2_147_483_648.0;
    let r = (-u.ln()).sqrt();
    let (size, negative) = if second {
        (r * (phi.cos() - phi.sin()), angle & 1 == 1)
    } else {
        (r * (phi.cos() + phi.sin()), radius >> 31 == 1)
    };
    if negative { -size } else { size }
}

/// `x * (1 + spread * n)`: multiplicative noise.
#[must_use]
pub fn multiplied(x: &[f32], spread: f32, n: &[f32]) -> Vec<f32> {
    let pairs = x.iter().zip(n);
    pairs.map(|(x, n)| x * (1.0 + spread * n)).collect()
}

/// `x + spread * n`: additive noise.
#[must_use]
pub fn added(x: &[f32], spread: f32, n: &[f32]) -> Vec<f32> {
    x.iter().zip(n).map(|(x, n)| x + spread * n).collect()
}

/// Whether element `i` of a key, that of `Key::named("rates")`, is kept at the drop probability `rate`.
#[must_use]
pub fn kept_at(key: u128, i: u64, rate: f32) -> bool {
    let at = (i % BLOCK) as usize;
    let bits = draws(key, i / BLOCK, at / DRAW + 1)[at / DRAW][at % DRAW];
    f64::from(bits) >= (f64::from(rate) * 4_294_967_296.0).round()
}
