//! Normal and uniform numbers have their law, as far as these statistics see.
//!
//! A test fails with probability 1e-7 for perfect numbers (`support/stats.rs`). The keys are fixed. The last tests show
//! that each statistic can fail.

#[path = "support/stats.rs"]
#[allow(dead_code, reason = "numbers take a part of this")]
mod stats;

use elision::reference::math::normal_cdf;
use elision::{Key, ops};
use stats::{Scores, binomial, chi_square, normal};

/// Numbers under all statistics.
const MANY: usize = 1 << 24;

fn normals(key: Key, n: usize) -> Vec<f32> {
    ops::normal(key, &[n]).unwrap().into_vec()
}

fn uniforms(key: Key, n: usize) -> Vec<f32> {
    ops::uniform(key, &[n]).unwrap().into_vec()
}

/// The mean of x^k against the law's, whose own moments are `moment(k)`.
fn raw_moment(x: &[f32], k: i32, moment: impl Fn(i32) -> f64) -> f64 {
    let n = x.len() as f64;
    let mean = x.iter().map(|&x| f64::from(x).powi(k)).sum::<f64>() / n;
    let variance = moment(2 * k) - moment(k).powi(2);
    normal((mean - moment(k)) / (variance / n).sqrt())
}

/// 1 * 3 * 5 ... for even k.
fn normal_moment(k: i32) -> f64 {
    match k % 2 {
        0 => (1..k).step_by(2).map(f64::from).product(),
        _ => 0.0,
    }
}

/// Of a number uniform in (-1, 1).
fn centred_moment(k: i32) -> f64 {
    match k % 2 {
        0 => 1.0 / f64::from(k + 1),
        _ => 0.0,
    }
}

/// Chi-square over bins between `edges`, with the law's distribution function.
fn bins(x: &[f32], edges: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
    let mut seen = vec![0u64; edges.len() + 1];
    for &x in x {
        seen[edges.partition_point(|&edge| edge < f64::from(x))] += 1;
    }
    let below = |i: usize| if i < edges.len() { cdf(edges[i]) } else { 1.0 };
    let mut score = 0.0;
    for (i, &seen) in seen.iter().enumerate() {
        let from = if i == 0 { 0.0 } else { below(i - 1) };
        let expected = (below(i) - from) * x.len() as f64;
        assert!(expected > 10.0, "bin {i} expects {expected}");
        score += (seen as f64 - expected).powi(2) / expected;
    }
    chi_square(score, edges.len() as u32)
}

/// Kolmogorov and Smirnov's largest distance, by the asymptotic law with the first terms of its series.
fn kolmogorov_smirnov(x: &[f32], cdf: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = x.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let n = sorted.len() as f64;
    let mut worst = 0f64;
    for (i, &x) in (0u32..).zip(&sorted) {
        let at = cdf(x.into());
        let (before, after) = (f64::from(i) / n, f64::from(i + 1) / n);
        worst = worst.max((at - before).abs()).max((after - at).abs());
    }
    let z = worst * n.sqrt();
    let terms = (1..20).map(|k| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * z * z).exp()
    });
    terms.sum::<f64>().clamp(0.0, 1.0)
}

/// Correlation of pairs of uncorrelated numbers with mean 0 and that variance each.
fn correlation(pairs: impl Iterator<Item = (f64, f64)>, variance: f64) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0f64);
    for (a, b) in pairs {
        sum += a * b;
        n += 1.0;
    }
    normal(sum / (n.sqrt() * variance))
}

/// Everything, for numbers with these moments and this distribution.
struct Law {
    moment: fn(i32) -> f64,
    cdf: fn(f64) -> f64,
    edges: Vec<f64>,
}

impl Law {
    fn normal() -> Self {
        // Beyond 4.5 a number is expected 114 times in 2^24, beyond 4.75 34 times.
        let edges = (-38..=38).map(|i| f64::from(i) / 8.0).collect();
        Self {
            moment: normal_moment,
            cdf: normal_cdf,
            edges,
        }
    }

    fn centred() -> Self {
        let edges = (-511..512).map(|i| f64::from(i) / 512.0).collect();
        Self {
            moment: centred_moment,
            cdf: |x| (x + 1.0) / 2.0,
            edges,
        }
    }

    fn battery(&self, x: &[f32]) -> Scores {
        let mut scores = Scores::default();
        for (k, name) in [
            (1, "mean"),
            (2, "variance"),
            (3, "skewness"),
            (4, "kurtosis"),
        ] {
            scores.add(raw_moment(x, k, self.moment), || name.to_owned());
        }
        scores.add(bins(x, &self.edges, self.cdf), || "bins".to_owned());
        let ks = kolmogorov_smirnov(&x[..x.len().min(1 << 20)], self.cdf);
        scores.add(ks, || "Kolmogorov-Smirnov".to_owned());
        for lane in 0..32 {
            let own: Vec<f32> = x.iter().copied().skip(lane).step_by(32).collect();
            scores.add(raw_moment(&own, 1, self.moment), || {
                format!("mean of lane {lane}")
            });
            scores.add(raw_moment(&own, 2, self.moment), || {
                format!("variance of lane {lane}")
            });
        }
        let lags = (1..=64).chain([128, 256, 512, 1000, 1024, 2048, 4095, 4096, 4097, 8192]);
        for lag in lags {
            scores.join(self.lagged(x, lag), "lags");
        }
        scores
    }

    /// Elements i and i + lag, and their squares.
    fn lagged(&self, x: &[f32], lag: usize) -> Scores {
        let x = &x[..x.len().min(1 << 21)];
        let variance = (self.moment)(2);
        let spread = (self.moment)(4) - variance.powi(2);
        let pairs = || {
            x.iter()
                .zip(&x[lag..])
                .map(|(&a, &b)| (f64::from(a), f64::from(b)))
        };
        let mut scores = Scores::default();
        scores.add(correlation(pairs(), variance), || format!("lag {lag}"));
        let squares = pairs().map(|(a, b)| (a * a - variance, b * b - variance));
        scores.add(correlation(squares, spread), || {
            format!("squares at lag {lag}")
        });
        let mixed = pairs().map(|(a, b)| (a, b * b - variance));
        let both = (variance * spread).sqrt();
        scores.add(correlation(mixed, both), || {
            format!("number and square at lag {lag}")
        });
        scores
    }
}

/// Twice a uniform number minus 1.
fn centred(key: Key, n: usize) -> Vec<f32> {
    uniforms(key, n)
        .into_iter()
        .map(|u| 2.0 * u - 1.0)
        .collect()
}

#[test]
fn one_long_stream_is_normal() {
    Law::normal()
        .battery(&normals(Key::new(1), MANY))
        .assert_random();
}

#[test]
fn one_long_stream_is_uniform() {
    Law::centred()
        .battery(&centred(Key::new(1), MANY))
        .assert_random();
}

#[test]
fn first_numbers_of_many_keys_are_normal_and_uniform() {
    let keys = |i: u64| {
        if i.is_multiple_of(2) {
            Key::new(i)
        } else {
            Key::new(3).fold_in(i)
        }
    };
    let join = |draw: fn(Key, usize) -> Vec<f32>| -> Vec<f32> {
        (0..1 << 15).flat_map(|i| draw(keys(i), 64)).collect()
    };
    let mut law = Law::normal();
    law.edges.retain(|edge| edge.abs() < 4.0);
    law.battery(&join(normals)).assert_random();
    Law::centred().battery(&join(centred)).assert_random();
}

#[test]
fn far_tails_have_their_mass() {
    // Some 2^26 numbers: beyond 4, 5 and 5.5 on either side, counted exactly.
    let mut scores = Scores::default();
    let (mut counts, mut n) = ([[0u64; 2]; 4], 0);
    let edges = [4.0f32, 4.5, 5.0, 5.5];
    for part in 0..16 {
        let x = normals(Key::new(9).fold_in(part), 1 << 22);
        n += x.len() as u64;
        for x in x.into_iter().filter(|x| x.abs() > 4.0) {
            for (count, edge) in counts.iter_mut().zip(edges) {
                count[usize::from(x > 0.0)] += u64::from(x.abs() > edge);
            }
        }
    }
    for (count, edge) in counts.into_iter().zip(edges) {
        let mass = normal_cdf(-f64::from(edge));
        for (side, count) in ["below", "above"].into_iter().zip(count) {
            scores.add(binomial(count, n, mass), || {
                format!("{side} {edge}: {count}")
            });
        }
    }
    scores.assert_random();
}

#[test]
fn the_two_numbers_of_a_pair_are_independent() {
    // First and second number of a pair lie 16 apart: signs, sizes, and which is larger.
    let x = normals(Key::new(2), MANY);
    let pairs = || x.chunks(32).flat_map(|c| c[..16].iter().zip(&c[16..]));
    let n = MANY as u64 / 2;
    let mut scores = Scores::default();
    let count = |f: &dyn Fn(f32, f32) -> bool| pairs().filter(|&(&a, &b)| f(a, b)).count() as u64;
    scores.add(binomial(count(&|a, b| a > b), n, 0.5), || {
        "first larger".to_owned()
    });
    scores.add(binomial(count(&|a, b| a.abs() > b.abs()), n, 0.5), || {
        "size".to_owned()
    });
    for signs in 0..4 {
        let k = count(&|a, b| (a < 0.0) == (signs & 1 == 1) && (b < 0.0) == (signs & 2 == 2));
        scores.add(binomial(k, n, 0.25), || format!("signs {signs}"));
    }
    // Both within, and both beyond, some radius: products of the marginal probabilities.
    for edge in [0.1, 0.5, 1.0, 2.0, 3.0] {
        let inside = 1.0 - 2.0 * normal_cdf(-f64::from(edge));
        let k = count(&|a, b| a.abs() < edge && b.abs() < edge);
        scores.add(binomial(k, n, inside * inside), || {
            format!("both within {edge}")
        });
        let k = count(&|a, b| a.abs() >= edge && b.abs() >= edge);
        let outside = (1.0 - inside).powi(2);
        scores.add(binomial(k, n, outside), || format!("both beyond {edge}"));
    }
    scores.assert_random();
}

#[test]
fn streams_of_different_keys_do_not_correlate() {
    let n = 1 << 18;
    let mut scores = Scores::default();
    let keys: Vec<Key> = (0..12)
        .map(|i: u64| {
            if i.is_multiple_of(2) {
                Key::new(i)
            } else {
                Key::new(9).fold_in(i)
            }
        })
        .collect();
    for draw in [normals, centred] {
        let all: Vec<Vec<f32>> = keys.iter().map(|&key| draw(key, n)).collect();
        let variance = if draw(keys[0], 1) == normals(keys[0], 1) {
            1.0
        } else {
            1.0 / 3.0
        };
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate().skip(i + 1) {
                let pairs = a.iter().zip(b).map(|(&a, &b)| (a.into(), b.into()));
                scores.add(correlation(pairs, variance), || format!("keys {i} and {j}"));
            }
        }
    }
    // Normal and uniform numbers, and the mask, of one key.
    let (a, b) = (normals(keys[0], n), centred(keys[0], n));
    let pairs = a.iter().zip(&b).map(|(&a, &b)| (a.into(), b.into()));
    scores.add(correlation(pairs, (1.0f64 / 3.0).sqrt()), || {
        "two laws of a key".to_owned()
    });
    scores.assert_random();
}

/// The battery's worst for spoiled numbers.
#[track_caller]
fn assert_rejected(x: &[f32], by: &str) {
    let scores = Law::normal().battery(x);
    assert!(
        scores.reject() && scores.what.contains(by),
        "expected {by}: {scores:?}"
    );
}

#[test]
fn each_statistic_can_fail() {
    let x = normals(Key::new(4), 1 << 22);
    let mut law = Law::normal();
    law.edges.retain(|edge| edge.abs() < 4.0);
    assert!(!law.battery(&x).reject());
    let wide: Vec<f32> = x.iter().map(|x| 1.01 * x).collect();
    assert!(raw_moment(&wide, 2, normal_moment) < 1e-9);
    let shifted: Vec<f32> = x.iter().map(|x| x + 0.01).collect();
    assert!(raw_moment(&shifted, 1, normal_moment) < 1e-9);
    assert!(kolmogorov_smirnov(&shifted[..1 << 20], normal_cdf) < 1e-9);
    let cut: Vec<f32> = x.iter().map(|x| x.clamp(-3.8, 3.8)).collect();
    assert!(
        bins(&cut, &law.edges, normal_cdf) < 1e-9,
        "tails that are missing"
    );
    let mut twin = normals(Key::new(4), MANY);
    twin.chunks_mut(32).for_each(|c| c.copy_within(..16, 16));
    assert_rejected(&twin, "lag 16");
    let mut sizes = normals(Key::new(4), MANY);
    for chunk in sizes.chunks_mut(32) {
        for i in 0..16 {
            chunk[16 + i] = chunk[i].abs().copysign(chunk[16 + i]);
        }
    }
    assert_rejected(&sizes, "squares at lag 16");
}
