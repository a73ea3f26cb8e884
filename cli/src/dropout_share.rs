//! How much of a training step's time dropout takes.
//!
//! Two networks that differ in nothing but their rates step in turn on the same batch, so that whatever
//! else slows the machine down slows both. Each pair gives a share, (with - without) / with, and the
//! median of the pairs is taken. It is given as measured: where dropout costs less than the noise of the
//! clock it may be slightly negative.

use std::time::{Duration, Instant};

use elision::nn::Sequential;
use elision::train::Trainer;

use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::stop::Stop;

/// Pairs before any is timed, while caches and branch predictors settle.
const WARM_UP: usize = 5;
/// Pairs that are timed at most; odd, so that the median is one of them.
const MOST: usize = 301;
/// Large networks get fewer pairs: none is begun after this time once there are enough.
const PATIENCE: Duration = Duration::from_secs(3);
const ENOUGH: usize = 15;

/// A step of one of the two.
type Step<'a> = dyn FnMut() -> elision::Result<()> + 'a;

/// The share for batches of the first rows, of two experiments that differ in their rates; `None` if Ctrl-C came.
pub(crate) fn measure(
    [without, with]: [&Experiment; 2],
    stop: &Stop,
) -> Result<Option<f64>, Failure> {
    if !with.config.drops() {
        return Ok(Some(0.0));
    }
    let rows: Vec<usize> = (0..with.batch()).collect();
    let (mut with_trainer, mut without_trainer) = (with.trainer()?, without.trainer()?);
    let step =
        |trainer: &mut Trainer<Sequential>| trainer.step_rows(&with.train, &rows).map(|_| ());
    let pairs = measured(
        &mut || step(&mut with_trainer),
        &mut || step(&mut without_trainer),
        stop,
    );
    Ok(pairs.map_err(Failure::Work)?.map(|times| share(&times)))
}

/// Seconds with and without, of each pair.
fn measured(
    with: &mut Step<'_>,
    without: &mut Step<'_>,
    stop: &Stop,
) -> elision::Result<Option<Vec<(f64, f64)>>> {
    let start = Instant::now();
    let mut times = Vec::with_capacity(MOST);
    for pair in 0..WARM_UP + MOST {
        if stop.asked() {
            return Ok(None);
        }
        let time = both(with, without, pair % 2 == 0)?;
        if pair >= WARM_UP {
            times.push(time);
        }
        if times.len() >= ENOUGH && start.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(Some(times))
}

/// One step of each, seconds with and without; who is first changes from pair to pair.
fn both(
    with: &mut Step<'_>,
    without: &mut Step<'_>,
    with_first: bool,
) -> elision::Result<(f64, f64)> {
    let seconds = |step: &mut Step<'_>| {
        let start = Instant::now();
        step().map(|()| start.elapsed().as_secs_f64())
    };
    if with_first {
        let with = seconds(with)?;
        Ok((with, seconds(without)?))
    } else {
        let without = seconds(without)?;
        Ok((seconds(with)?, without))
    }
}

/// The median of the pairs' shares.
fn share(times: &[(f64, f64)]) -> f64 {
    let positive = times.iter().filter(|(with, _)| *with > 0.0);
    let mut shares: Vec<f64> = positive
        .map(|(with, without)| (with - without) / with)
        .collect();
    shares.sort_by(f64::total_cmp);
    shares.get(shares.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_the_median_of_the_pairs() {
        assert_eq!(share(&[(4.0, 3.0), (100.0, 3.0), (8.0, 8.0)]), 0.25);
        assert_eq!(share(&[(2.0, 3.0)]), -0.5);
        assert_eq!(share(&[]), 0.0);
        assert_eq!(share(&[(0.0, 1.0)]), 0.0);
    }
}
