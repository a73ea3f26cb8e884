//! The keep bits are random, as far as these statistics see.
//!
//! A test fails with probability 1e-7 for a perfect generator (`support/stats.rs`); eight tests make
//! less than 1e-6 for the file. The keys are fixed: what passes once passes always. The last tests
//! show that each statistic can fail, by feeding it generators that are broken on purpose.

#[path = "support/stats.rs"]
mod stats;
mod support;

use elision::{Dropout, Key, Mask};
use stats::{
    Scores, autocorrelation, battery, binomial, cross_correlation, frequency, popcounts, positions,
};

/// Elements of a mask under the whole battery.
const MANY: usize = 1 << 21;
const RATES: [f64; 5] = [0.05, 0.1, 0.5, 0.75, 0.9];

fn draw(key: Key, p: f64, offset: u64, len: usize) -> Mask {
    let dropout = Dropout::new(key, p)
        .expect("p is a probability")
        .with_offset(offset);
    Mask::draw(&dropout, len).expect("the indices fit")
}

#[test]
fn the_kept_fraction_is_exact() {
    let mut scores = Scores::default();
    let rates = [
        2f64.powi(-40),
        2f64.powi(-30),
        2f64.powi(-24),
        2f64.powi(-20),
        2f64.powi(-16) * 1.1,
        0.001,
        0.01,
        0.1,
        0.25,
        1.0 / 3.0,
        0.5,
        0.75,
        0.9,
        0.999,
        1.0 - 2f64.powi(-16),
        1.0 - 2f64.powi(-24),
    ];
    for (i, p) in (0..).zip(rates) {
        let mask = draw(Key::new(100).fold_in(i), p, 0, 1 << 25);
        scores.add(frequency(mask.as_words(), p), || {
            format!("kept fraction at p = {p:e}")
        });
    }
    scores.assert_random();
}

#[test]
fn one_long_stream_is_random() {
    let mut scores = Scores::default();
    for p in RATES {
        let mask = draw(Key::new(1), p, 0, 4 * MANY);
        scores.join(battery(&mask, p), &format!("one stream, p = {p}"));
    }
    scores.assert_random();
}

/// The first `len` elements of each key, one after the other.
fn concatenated(keys: impl Iterator<Item = Key>, p: f64, len: usize) -> Mask {
    let masks = keys.map(|key| draw(key, p, 0, len));
    let words: Vec<u64> = masks.flat_map(|mask| mask.as_words().to_vec()).collect();
    let len = 64 * words.len();
    Mask::from_words(words, len).expect("the length is right")
}

#[test]
fn adjacent_seeds_are_independent() {
    let mut scores = Scores::default();
    for p in RATES {
        let mask = concatenated((0..).map(Key::new).take(MANY / 512), p, 512);
        scores.join(
            battery(&mask, p),
            &format!("first group of each seed, p = {p}"),
        );
    }
    scores.assert_random();
}

#[test]
fn adjacent_numbers_folded_in_are_independent() {
    let mut scores = Scores::default();
    for p in RATES {
        let layers = (0..).map(|n| Key::new(3).fold_in(n)).take(MANY / 512);
        let mask = concatenated(layers, p, 512);
        scores.join(
            battery(&mask, p),
            &format!("first group of each layer, p = {p}"),
        );
        let steps = (0..MANY as u64 / 1024).map(|n| Key::new(3).fold_in(n % 8).fold_in(n / 8));
        let mask = concatenated(steps, p, 1024);
        scores.join(battery(&mask, p), &format!("layers of each step, p = {p}"));
    }
    scores.assert_random();
}

#[test]
fn distant_blocks_are_independent() {
    let mut scores = Scores::default();
    for p in RATES {
        let mut words = Vec::new();
        for power in 22..54 {
            let mask = draw(Key::new(4), p, 1 << power, MANY / 32);
            words.extend_from_slice(mask.as_words());
        }
        let mask = Mask::from_words(words, MANY).expect("the length is right");
        scores.join(
            battery(&mask, p),
            &format!("pieces at powers of two, p = {p}"),
        );
    }
    scores.assert_random();
}

/// The p-values of every pair of these masks.
fn pairs(masks: &[Mask], p: f64, name: &str) -> Scores {
    let mut scores = Scores::default();
    for (i, a) in masks.iter().enumerate() {
        for (j, b) in masks.iter().enumerate().skip(i + 1) {
            let p_value = cross_correlation(a.as_words(), b.as_words(), p);
            scores.add(p_value, || format!("{name} {i} and {j}, p = {p}"));
        }
    }
    scores
}

#[test]
fn masks_of_different_keys_do_not_correlate() {
    let (count, len) = (24, 1 << 18);
    let mut scores = Scores::default();
    for p in RATES {
        let draw_all = |key: &dyn Fn(u64) -> Key| -> Vec<Mask> {
            (0..count).map(|n| draw(key(n), p, 0, len)).collect()
        };
        scores.join(pairs(&draw_all(&Key::new), p, "seeds"), "keys");
        scores.join(
            pairs(&draw_all(&|n| Key::new(9).fold_in(n)), p, "children"),
            "keys",
        );
        // A key, its child, its child's child: what a careless user mixes.
        let nested = |n| (0..n).fold(Key::new(9), |key, _| key.fold_in(0));
        scores.join(pairs(&draw_all(&nested), p, "generations"), "keys");
        let one_bit = |n| Key::from_u128(Key::new(9).to_u128() ^ (1u128 << (5 * n)));
        scores.join(
            pairs(&draw_all(&one_bit), p, "keys that differ in two bits"),
            "keys",
        );
        let blocks: Vec<Mask> = (0..count)
            .map(|n| draw(Key::new(9), p, n * len as u64, len))
            .collect();
        scores.join(pairs(&blocks, p, "pieces of one stream"), "keys");
    }
    scores.assert_random();
}

#[test]
fn masks_of_different_rates_are_as_related_as_the_comparison_makes_them() {
    // One key's first group of a block compares the same digits with either rate: what the larger rate
    // keeps, the smaller keeps. The page warns of it.
    let (low, high) = (
        draw(Key::new(6), 0.3, 0, MANY),
        draw(Key::new(6), 0.5, 0, MANY),
    );
    for (low, high) in low.as_words().chunks(64).zip(high.as_words().chunks(64)) {
        for (low, high) in low[..8].iter().zip(&high[..8]) {
            assert_eq!(high & !low, 0, "kept at p = 0.5, dropped at p = 0.3");
        }
    }
}

#[test]
fn moments_of_dropout_are_those_of_the_formulas() {
    // s = sum of w x m / q has mean sum of w x and variance p / q times the sum of (w x)^2. The mean of
    // many keys' sums is normal; their variance is a chi-square up to an excess below 2 / n.
    let (n, keys) = (512, 20_000);
    let terms: Vec<f64> = (0..n)
        .map(|i| f64::from((i * 37 % 101) - 50) / 50.0)
        .collect();
    let (sum, squares) = (
        terms.iter().sum::<f64>(),
        terms.iter().map(|x| x * x).sum::<f64>(),
    );
    let mut scores = Scores::default();
    for p in [0.1, 0.5, 0.75] {
        let q = 1.0 - p;
        let samples: Vec<f64> = (0..keys)
            .map(|seed| {
                let mask = draw(Key::new(7).fold_in(seed), p, 0, n as usize);
                mask.kept().map(|i| terms[i] / q).sum::<f64>() - sum
            })
            .collect();
        let variance = p / q * squares;
        let mean = samples.iter().sum::<f64>() / keys as f64;
        scores.add(
            stats::normal(mean / (variance / keys as f64).sqrt()),
            || format!("mean at {p}"),
        );
        let spread = samples.iter().map(|x| x * x).sum::<f64>() / variance;
        let z = (spread - keys as f64) / (2.0 * keys as f64).sqrt();
        scores.add(stats::normal(z), || format!("variance at {p}"));
    }
    scores.assert_random();
}

/// A mask of `MANY` elements whose words went through `spoil`.
fn spoiled(p: f64, spoil: impl Fn(&mut [u64])) -> Mask {
    let mut words = draw(Key::new(8), p, 0, MANY).as_words().to_vec();
    spoil(&mut words);
    Mask::from_words(words, MANY).expect("the length is right")
}

#[test]
fn the_battery_accepts_what_is_not_spoiled() {
    assert!(!battery(&spoiled(0.1, |_| ()), 0.1).reject());
}

/// Asserts that the battery rejects the mask, and names what rejected it.
#[track_caller]
fn assert_rejected(mask: &Mask, p: f64, by: &str) {
    let scores = battery(mask, p);
    assert!(
        scores.reject() && scores.what.starts_with(by),
        "expected {by}: {scores:?}"
    );
}

#[test]
fn a_rate_rounded_to_eight_bits_is_rejected() {
    let rounded = draw(Key::new(8), 26.0 / 256.0, 0, 4 * MANY);
    assert_rejected(&rounded, 0.1, "kept fraction");
    let rounded = draw(
        Key::new(8),
        (0.1f64 * 65_536.0).round() / 65_536.0,
        0,
        1 << 20,
    );
    assert!(
        !battery(&rounded, 0.1).reject(),
        "16 bits are beyond the power of a million elements"
    );
}

#[test]
fn a_repeated_block_is_rejected() {
    let mask = spoiled(0.1, |words| {
        for two in words.chunks_mut(128) {
            two.copy_within(..64, 64);
        }
    });
    assert_rejected(&mask, 0.1, "lag 4096");
}

#[test]
fn a_copied_lane_is_rejected() {
    let mask = spoiled(0.5, |words| {
        words.chunks_mut(8).for_each(|group| group[5] = group[4])
    });
    assert_rejected(&mask, 0.5, "lag 64");
}

#[test]
fn a_weak_bit_position_is_rejected() {
    let mask = spoiled(0.5, |words| {
        for (i, word) in words.iter_mut().enumerate() {
            // The lowest bit is 1 in nine words of sixteen.
            *word |= u64::from(i % 8 == 0);
        }
    });
    let words = mask.as_words();
    let worst = positions(words, 0.5)
        .into_iter()
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(&b.1));
    assert_eq!(worst.map(|(m, _)| m), Some(0));
    assert!(battery(&mask, 0.5).reject());
}

#[test]
fn neighbours_that_agree_too_often_are_rejected() {
    let mask = spoiled(0.5, |words| {
        for word in words {
            // In the lowest byte, odd bits repeat even ones: every position keeps its own frequency.
            let even = *word & 0x55;
            *word = *word & !0xAA | even << 1;
        }
    });
    assert_rejected(&mask, 0.5, "lag 1");
    assert!(
        popcounts(mask.as_words(), 0.5) < 1e-9,
        "words of equal pairs vary more"
    );
}

#[test]
fn the_other_statistics_can_fail() {
    let mask = draw(Key::new(8), 0.5, 0, MANY);
    let words = mask.as_words();
    assert!(cross_correlation(words, words, 0.5) < 1e-9);
    assert!(autocorrelation(&[words, words].concat(), 0.5, 64 * words.len()) < 1e-9);
    assert!(
        binomial(0, 1 << 25, 2f64.powi(-20)) < 1e-9,
        "a rate that was rounded to zero"
    );
    assert!(frequency(&words[..100], 0.9) < 1e-9);
}
