//! Statistics of keep bits, with exact tails where they are cheap.
//!
//! Every statistic ends as a p-value: the probability that a perfect generator does worse. A test may
//! raise a false alarm with probability [`FALSE_ALARM`], shared equally among its p-values (Bonferroni).
//! The keys are fixed, so a test that passes once passes always.

use elision::Mask;

/// The probability that a perfect generator fails one test.
pub(crate) const FALSE_ALARM: f64 = 1e-7;

/// The p-values of a test and where the smallest came from.
#[derive(Debug)]
pub(crate) struct Scores {
    pub(crate) count: usize,
    pub(crate) smallest: f64,
    pub(crate) what: String,
}

impl Default for Scores {
    fn default() -> Self {
        Self {
            count: 0,
            smallest: 1.0,
            what: "nothing".to_owned(),
        }
    }
}

impl Scores {
    pub(crate) fn add(&mut self, p_value: f64, what: impl FnOnce() -> String) {
        assert!(
            (0.0..=1.0 + 1e-9).contains(&p_value),
            "{} has p-value {p_value}",
            what()
        );
        self.count += 1;
        if p_value < self.smallest {
            (self.smallest, self.what) = (p_value, what());
        }
    }

    pub(crate) fn join(&mut self, other: Self, source: &str) {
        self.count += other.count;
        if other.smallest < self.smallest {
            (self.smallest, self.what) = (other.smallest, format!("{source}: {}", other.what));
        }
    }

    /// Whether a generator with these p-values is rejected.
    pub(crate) fn reject(&self) -> bool {
        self.smallest * (self.count as f64) < FALSE_ALARM
    }

    pub(crate) fn assert_random(&self) {
        assert!(self.count > 0 && !self.reject(), "not random: {self:?}");
    }
}

/// Every statistic of this file; `mask` should hold some millions of elements.
pub(crate) fn battery(mask: &Mask, p: f64) -> Scores {
    let mut scores = Scores::default();
    let words = whole_words(mask);
    scores.add(frequency(words, p), || "kept fraction".to_owned());
    for (name, count, class) in CLASSES {
        for wanted in 0..*count {
            let some: Vec<u64> = (0..)
                .zip(words)
                .filter(|&(i, _)| class(i) == wanted)
                .map(|(_, &word)| word)
                .collect();
            scores.add(frequency(&some, p), || format!("{name} {wanted}"));
        }
    }
    for (m, p_value) in positions(words, p).into_iter().enumerate() {
        scores.add(p_value, || format!("bit position {m}"));
    }
    scores.add(popcounts(words, p), || "popcounts".to_owned());
    let total = ones(words);
    for lag in (1..=1024).chain(STRIDES) {
        scores.add(lagged(words, total, p, lag), || format!("lag {lag}"));
    }
    scores
}

/// Row strides and multiples of a block.
const STRIDES: [usize; 12] = [
    1500, 2047, 2048, 3072, 4095, 4096, 4097, 8192, 12_288, 16_384, 32_768, 65_536,
];

/// A class of words: its name, how many classes there are, and which one word i is in.
type Class = (&'static str, usize, fn(usize) -> usize);

const CLASSES: &[Class] = &[
    ("lane", 8, |word| word % 8),
    ("group of a block", 8, |word| word / 8 % 8),
    ("word of a block", 64, |word| word % 64),
    ("sixteenth of the blocks", 16, |word| word / 64 % 16),
];

fn whole_words(mask: &Mask) -> &[u64] {
    assert_eq!(mask.len() % 64, 0, "statistics take whole words");
    mask.as_words()
}

fn ones(words: &[u64]) -> u64 {
    words.iter().map(|word| u64::from(word.count_ones())).sum()
}

/// The number of dropped elements against the binomial distribution.
pub(crate) fn frequency(words: &[u64], p: f64) -> f64 {
    let n = 64 * words.len() as u64;
    binomial(n - ones(words), n, p)
}

/// The same for each of the 64 bit positions of a word.
pub(crate) fn positions(words: &[u64], p: f64) -> [f64; 64] {
    std::array::from_fn(|m| {
        let kept: u64 = words.iter().map(|word| word >> m & 1).sum();
        binomial(words.len() as u64 - kept, words.len() as u64, p)
    })
}

/// The number of dropped elements in each word against Binomial(64, p), by chi-square over the counts
/// that are expected at least ten times; the rarer ones on either side are pooled.
pub(crate) fn popcounts(words: &[u64], p: f64) -> f64 {
    let mut seen = [0.0; 65];
    for word in words {
        seen[word.count_zeros() as usize] += 1.0;
    }
    let n = words.len() as f64;
    let expected: Vec<f64> = (0..=64)
        .map(|k| n * ln_binomial_pmf(k, 64, p).exp())
        .collect();
    let (mut chi2, mut cells) = (0.0, 0);
    let (mut seen_pool, mut expected_pool) = (0.0, 0.0);
    let mut rest = n;
    for k in 0..=64 {
        seen_pool += seen[k];
        expected_pool += expected[k];
        let last = k == 64;
        if last || expected_pool >= 10.0 && rest - expected_pool >= 10.0 {
            chi2 += (seen_pool - expected_pool) * (seen_pool - expected_pool) / expected_pool;
            cells += 1;
            rest -= expected_pool;
            (seen_pool, expected_pool) = (0.0, 0.0);
        }
    }
    chi_square(chi2, cells - 1)
}

/// Correlation between the elements i and i + lag, under the normal approximation: the terms
/// (b(i) - q) (b(i + lag) - q) of a perfect generator are uncorrelated, with variance (p q)^2.
pub(crate) fn autocorrelation(words: &[u64], p: f64, lag: usize) -> f64 {
    lagged(words, ones(words), p, lag)
}

/// [`autocorrelation`] of words of which `total` bits are ones.
fn lagged(words: &[u64], total: u64, p: f64, lag: usize) -> f64 {
    let (later, shift) = (&words[lag / 64..], lag % 64);
    let pairs = later.len() - usize::from(shift > 0);
    let both: u32 = match shift {
        0 => words
            .iter()
            .zip(later)
            .map(|(a, b)| (a & b).count_ones())
            .sum(),
        _ => {
            let shifted = later
                .windows(2)
                .map(|two| two[0] >> shift | two[1] << (64 - shift));
            words
                .iter()
                .zip(shifted)
                .map(|(a, b)| (a & b).count_ones())
                .sum()
        }
    };
    // Both sides are the whole but for a few words at an end.
    let a_kept = total - ones(&words[pairs..]);
    let unread = ones(&words[..lag / 64]) + u64::from((later[0] & ((1 << shift) - 1)).count_ones());
    let past = if shift == 0 {
        0
    } else {
        (later[pairs] >> shift).count_ones()
    };
    let b_kept = total - unread - u64::from(past);
    covariance(64 * pairs as u64, [a_kept, b_kept, u64::from(both)], p)
}

/// Correlation between the same elements of two streams, likewise.
pub(crate) fn cross_correlation(a: &[u64], b: &[u64], p: f64) -> f64 {
    assert_eq!(a.len(), b.len());
    let both = a
        .iter()
        .zip(b)
        .map(|(a, b)| u64::from((a & b).count_ones()))
        .sum();
    covariance(64 * a.len() as u64, [ones(a), ones(b), both], p)
}

/// The p-value of `n` pairs of which so many keep the first, the second, and both.
fn covariance(n: u64, [a_kept, b_kept, both]: [u64; 3], p: f64) -> f64 {
    let (n, q) = (n as f64, 1.0 - p);
    let sum = both as f64 - q * (a_kept as f64 + b_kept as f64) + n * q * q;
    normal(sum / (n.sqrt() * p * q))
}

/// Two-sided p-value of a standard normal score.
pub(crate) fn normal(z: f64) -> f64 {
    gamma_q(0.5, z * z / 2.0)
}

/// Upper-tail p-value of a chi-square score.
pub(crate) fn chi_square(x: f64, freedom: u32) -> f64 {
    gamma_q(f64::from(freedom) / 2.0, x / 2.0)
}

/// Two-sided p-value of `k` successes in `n` trials: twice the smaller tail, summed term by term.
pub(crate) fn binomial(k: u64, n: u64, p: f64) -> f64 {
    let odds = p / (1.0 - p);
    let at = ln_binomial_pmf(k, n, p).exp();
    let upper = tail(at, (k..n).map(|k| (n - k) as f64 / (k + 1) as f64 * odds));
    let lower = tail(
        at,
        (1..=k).rev().map(|k| k as f64 / (n - k + 1) as f64 / odds),
    );
    (2.0 * upper.min(lower)).min(1.0)
}

/// The sum of terms that start with `term` and have these ratios, up to where they no longer count. A
/// tail that holds the mode may stop early: it is the larger one, and only needs to be above one half.
fn tail(mut term: f64, ratios: impl Iterator<Item = f64>) -> f64 {
    let mut sum = term;
    for ratio in ratios {
        term *= ratio;
        sum += term;
        if ratio < 1.0 && term < sum * 1e-12 {
            break;
        }
    }
    sum
}

fn ln_binomial_pmf(k: u64, n: u64, p: f64) -> f64 {
    let ways = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    ways + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p()
}

/// Stirling's series; exact sums below 32.
fn ln_factorial(n: u64) -> f64 {
    if n < 32 {
        return (2..=n).map(|i| (i as f64).ln()).sum();
    }
    ln_gamma(n as f64 + 1.0)
}

/// ln Γ(x) for x > 0: Stirling's series at x + 16 and the recurrence down.
fn ln_gamma(x: f64) -> f64 {
    let steps = if x < 16.0 { 16 } else { 0 };
    let down: f64 = (0..steps).map(|i| (x + f64::from(i)).ln()).sum();
    let x = x + f64::from(steps);
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - down
}

/// The regularised upper incomplete gamma function Q(a, x): the series of its complement below a + 1,
/// the continued fraction (modified Lentz) above.
fn gamma_q(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let ratios = (1..10_000).map(|n| x / (a + f64::from(n)));
        return (1.0 - front / a * tail(1.0, ratios)).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let mut c = f64::MAX;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for n in (1..10_000).map(f64::from) {
        let term = -n * (n - a);
        b += 2.0;
        d = 1.0 / (term * d + b);
        c = b + term / c;
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front * fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!(
            (found / expected - 1.0).abs() < 1e-5,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn tails_are_those_of_the_tables() {
        close(normal(1.959_963_985), 0.05);
        close(normal(-6.0), 1.973_175_29e-9);
        close(chi_square(124.342_113_4, 100), 0.05);
        close(chi_square(3.841_458_821, 1), 0.05);
        close(binomial(0, 10, 0.5), 2.0 / 1024.0);
        close(binomial(9, 10, 0.5), 22.0 / 1024.0);
        close(binomial(5, 10, 0.5), 1.0);
        close(binomial(1, 1 << 20, 2f64.powi(-40)), 2.0 * 2f64.powi(-20));
    }

    #[test]
    fn lags_are_counted_bit_by_bit() {
        let words: Vec<u64> = (1..50u64)
            .map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .collect();
        let bit = |i: usize| f64::from((words[i / 64] >> (i % 64) & 1) as u32) - 0.7;
        for lag in [1, 63, 64, 65, 128, 1000] {
            let pairs = (64 * words.len() - lag) / 64 * 64;
            let sum: f64 = (0..pairs).map(|i| bit(i) * bit(i + lag)).sum();
            close(
                autocorrelation(&words, 0.3, lag),
                normal(sum / (pairs as f64).sqrt() / 0.21),
            );
        }
    }

    #[test]
    fn binomial_tails_meet_the_normal_ones() {
        let (n, p) = (1u64 << 24, 0.3);
        let sigma = (n as f64 * p * (1.0 - p)).sqrt();
        let k = (n as f64 * p + 5.0 * sigma).round();
        let found = binomial(k as u64, n, p);
        let expected = normal((k - 0.5 - n as f64 * p) / sigma);
        assert!(
            (found / expected - 1.0).abs() < 0.03,
            "{found} against {expected}"
        );
    }
}
