//! How much of a training step's time dropout takes.
//!
//! Two networks that differ in nothing but their rates step in turn on the same batch, so that whatever
//! else slows the machine down slows both. Each pair gives a share, (with - without) / with, and the
//! median of the pairs is taken. It is given as measured: where dropout costs less than the noise of the
//! clock it may be slightly negative.

use std::time::{Duration, Instant};

use elision::Result;

use crate::data::Part;
use crate::learner::{Learner, Network, Rates};
use crate::stop::Stop;

/// Pairs before any is timed, while caches and branch predictors settle.
const WARM_UP: usize = 5;
/// Pairs that are timed at most; odd, so that the median is one of them.
const MOST: usize = 301;
/// Large networks get fewer pairs: none is begun after this time once there are enough.
const PATIENCE: Duration = Duration::from_secs(3);
const ENOUGH: usize = 15;

/// The share for batches of the first `batch` rows; `None` if Ctrl-C came.
pub(crate) fn measure(
    network: &Network,
    rates: &Rates,
    part: &Part,
    batch: usize,
    stop: &Stop,
) -> Result<Option<f64>> {
    if rates.are_zero() {
        return Ok(Some(0.0));
    }
    let rows: Vec<usize> = (0..batch.min(part.rows())).collect();
    let mut with = network.learner(rates)?;
    let mut without = network.learner(&rates.none())?;
    with.gather(part, &rows);
    without.gather(part, &rows);
    let start = Instant::now();
    let mut times = Vec::with_capacity(MOST);
    for pair in 0..WARM_UP + MOST {
        if stop.asked() {
            return Ok(None);
        }
        let time = both(&mut with, &mut without, pair % 2 == 0)?;
        if pair >= WARM_UP {
            times.push(time);
        }
        if times.len() >= ENOUGH && start.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(Some(share(&times)))
}

/// One step of each, seconds with and without; who is first changes from pair to pair.
fn both(with: &mut Learner, without: &mut Learner, with_first: bool) -> Result<(f64, f64)> {
    let seconds = |learner: &mut Learner| Ok(learner.step()?.1.as_secs_f64());
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
