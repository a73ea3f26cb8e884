//! Numbers in their ranges. What a file may say and what a flag may say is checked by the same functions.

use serde::de::{Deserialize, Deserializer, Error};

/// The largest seed: TOML's integers end there.
pub(crate) const MOST_SEED: u64 = i64::MAX as u64;
/// More threads than any machine that this was written for has; far more would exhaust the system's limits.
pub(crate) const MOST_THREADS: usize = 1024;

pub(super) const fn one() -> u64 {
    1
}

/// Checks a number that is read.
fn checked<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    valid: impl FnOnce(&T) -> bool,
    expected: &str,
) -> Result<T, D::Error> {
    let number = T::deserialize(deserializer)?;
    match valid(&number) {
        true => Ok(number),
        false => Err(Error::custom(format!("expected {expected}"))),
    }
}

pub(super) fn seed<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    checked(d, |&seed| seed <= MOST_SEED, "a whole number below 2^63")
}

pub(super) fn count<'de, D: Deserializer<'de>>(d: D) -> Result<usize, D::Error> {
    checked(d, |&count| count > 0, "a whole number above 0")
}

pub(super) fn maybe_count<'de, D: Deserializer<'de>>(d: D) -> Result<Option<usize>, D::Error> {
    count(d).map(Some)
}

pub(super) fn maybe_steps<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    checked(d, |&steps| steps > 0, "a whole number above 0").map(Some)
}

pub(super) fn maybe_threads<'de, D: Deserializer<'de>>(d: D) -> Result<Option<usize>, D::Error> {
    let valid = |threads: &usize| (1..=MOST_THREADS).contains(threads);
    checked(d, valid, "a number of threads from 1 to 1024").map(Some)
}

pub(super) fn maybe_probability<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    let valid = |p: &f64| (0.0..=1.0).contains(p);
    checked(d, valid, "a probability from 0 to 1").map(Some)
}

pub(super) fn maybe_fraction<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    let valid = |part: &f64| *part > 0.0 && *part < 1.0;
    checked(d, valid, "a number between 0 and 1, both excluded").map(Some)
}

pub(super) fn maybe_share<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    let valid = |share: &f64| (0.0..1.0).contains(share);
    checked(d, valid, "a number from 0 to below 1").map(Some)
}

pub(super) fn maybe_positive<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    checked(d, |&x| is_positive(x), "a finite number above 0").map(Some)
}

pub(super) fn weight<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    let valid = |&x: &f64| x == 0.0 || is_positive(x);
    checked(d, valid, "a finite number from 0 on")
}

pub(super) fn maybe_weight<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
    weight(d).map(Some)
}

/// Whether an f32 can hold the number, which is above zero.
fn is_positive(x: f64) -> bool {
    x as f32 > 0.0 && (x as f32).is_finite()
}
