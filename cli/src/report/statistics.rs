//! Mean and deviation over the seeds.

use std::fmt;

use serde::Serialize;

use super::RunSummary;

/// Over all runs of one name.
#[derive(Debug, Serialize)]
pub(super) struct Statistics {
    name: &'static str,
    seeds: Vec<u64>,
    /// The part of the test rows whose class was not found.
    test_error: Spread,
    test_loss: Spread,
    test_nll: Spread,
    test_ece: Spread,
    test_brier: Spread,
}

/// The mean of some numbers and their sample standard deviation, whose divisor is one less than their number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

impl Spread {
    pub(crate) fn of(numbers: &[f64]) -> Self {
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let squares: f64 = numbers.iter().map(|x| (x - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
        Self { mean, deviation }
    }
}

/// For each name, if there is more than one run of it.
pub(super) fn statistics(runs: &[RunSummary]) -> Vec<Statistics> {
    let mut names: Vec<&'static str> = Vec::new();
    for run in runs {
        if !names.contains(&run.name) {
            names.push(run.name);
        }
    }
    let all = names.into_iter().map(|name| {
        let own: Vec<&RunSummary> = runs.iter().filter(|run| run.name == name).collect();
        let spread = |f: fn(&RunSummary) -> f64| {
            let numbers: Vec<f64> = own.iter().map(|run| f(run)).collect();
            Spread::of(&numbers)
        };
        Statistics {
            name,
            seeds: own.iter().map(|run| run.seed).collect(),
            test_error: spread(|run| 1.0 - run.test_accuracy),
            test_loss: spread(|run| run.test_loss),
            test_nll: spread(|run| run.test_nll),
            test_ece: spread(|run| run.test_ece),
            test_brier: spread(|run| run.test_brier),
        }
    });
    all.filter(|statistics| statistics.seeds.len() > 1)
        .collect()
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            seeds,
            test_error,
            test_loss,
            test_ece,
            ..
        } = self;
        write!(f, "{name}, {} seeds, mean ± deviation: ", seeds.len())?;
        let [mean, deviation] = [test_error.mean, test_error.deviation].map(|part| 100.0 * part);
        write!(f, "test error {mean:.2} ± {deviation:.2} %, ")?;
        write!(
            f,
            "test loss {:.4} ± {:.4}, ",
            test_loss.mean, test_loss.deviation
        )?;
        write!(f, "ECE {:.4} ± {:.4}", test_ece.mean, test_ece.deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_those_of_samples() {
        let spread = Spread::of(&[1.0, 3.0]);
        assert_eq!((spread.mean, spread.deviation), (2.0, 2f64.sqrt()));
        assert_eq!(Spread::of(&[5.0]).deviation, 0.0);
    }
}
