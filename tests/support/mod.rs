//! What several test binaries share.
#![allow(dead_code, reason = "each test binary uses a part of this")]

pub(crate) mod norm;

use std::io::Write;

use elision::{Isa, Key, Level, Tensor};

/// Runs `check` on every instruction set that this processor has and says on the terminal which ran, so
/// that a level that is absent is seen to be absent. Fails if an available level did not run.
pub(crate) fn on_every_isa(test: &str, mut check: impl FnMut(Isa)) {
    let mut ran = Vec::new();
    for &isa in Isa::available() {
        isa.install(|| check(isa));
        ran.push(isa.level());
    }
    report(test, &ran);
    for level in Level::ALL {
        assert_eq!(
            Isa::new(level).is_ok(),
            ran.contains(&level),
            "{test}: {level} is available and did not run"
        );
    }
}

/// One line past libtest's capture, which only takes what the print macros write.
fn report(test: &str, ran: &[Level]) {
    let word = |level: &Level| {
        if ran.contains(level) {
            format!("{level} ran")
        } else {
            format!("{level} ABSENT")
        }
    };
    let words: Vec<String> = Level::ALL.iter().map(word).collect();
    let line = format!("{test}: {}\n", words.join(", "));
    // A terminal that is gone is no reason to fail a test.
    std::io::stderr().write_all(line.as_bytes()).unwrap_or(());
}

/// Runs `f` in a rayon pool of `threads` threads.
pub(crate) fn on_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("threads can be started");
    pool.install(f)
}

/// The key of a seed, folded with each number in turn.
pub(crate) fn key(seed: u64, folds: &[u64]) -> Key {
    folds.iter().fold(Key::new(seed), |key, &n| key.fold_in(n))
}

/// The bit patterns, for comparisons that tell -0.0 from 0.0.
pub(crate) fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// 64-bit FNV-1a.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Finite values of both signs and many magnitudes, the same in every run.
pub(crate) fn values(n: usize) -> Vec<f32> {
    (0..n as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) as i32) as f32 / 65_536.0)
        .collect()
}

/// Numbers in (-1, 1) that a seed decides.
pub(crate) fn noise(shape: &[usize], seed: u64) -> Tensor {
    let key = Key::new(seed);
    let number = |i| ((key.fold_in(i).to_u128() >> 104) as f32 / 8_388_608.0) - 1.0;
    let len: usize = shape.iter().product();
    Tensor::from_vec((0..len as u64).map(number).collect(), shape).unwrap()
}

/// Values that go wrong where a dropped element is multiplied by zero.
pub(crate) const SPECIAL: [f32; 12] = [
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    0.0,
    -0.0,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1e-45,
    -1e-45,
    1.0,
];

/// The same sums, in which zeros may be left out.
pub(crate) fn close(what: &str, found: &Tensor, wanted: &Tensor) {
    assert_eq!(found.shape(), wanted.shape(), "{what}");
    for (found, wanted) in found.as_slice().iter().zip(wanted.as_slice()) {
        let off = (found - wanted).abs();
        assert!(
            off <= 1e-5 * wanted.abs().max(1.0),
            "{what}: {found} instead of {wanted}"
        );
    }
}
