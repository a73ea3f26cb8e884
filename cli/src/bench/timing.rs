//! Timing two pieces of work in turn.

use std::time::{Duration, Instant};

/// What a pair of measurements found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// Median seconds of one call of the work.
    pub(super) seconds: f64,
    /// Median over the pairs of the work's time divided by the other's.
    pub(super) ratio: f64,
}

/// Pairs for each measurement.
const PAIRS: usize = 21;
/// How long one side of a pair runs at least; a call that is shorter is repeated.
const SIDE: Duration = Duration::from_millis(6);
/// The same where the sides use different threads: those of the other side have gone to sleep, and waking
/// them and filling their caches again takes a noticeable part of a short side.
const THREADED_SIDE: Duration = Duration::from_millis(100);

/// Runs `work` and `base` in turn; each is called often enough for the clock.
pub(super) fn pair(work: impl FnMut(), base: impl FnMut()) -> Pair {
    pair_of(SIDE, work, base)
}

/// The same for sides that use different threads.
pub(super) fn threaded_pair(work: impl FnMut(), base: impl FnMut()) -> Pair {
    pair_of(THREADED_SIDE, work, base)
}

fn pair_of(side: Duration, mut work: impl FnMut(), mut base: impl FnMut()) -> Pair {
    let (work_calls, base_calls) = (calls(side, &mut work), calls(side, &mut base));
    let mut seconds = Vec::with_capacity(PAIRS);
    let mut ratios = Vec::with_capacity(PAIRS);
    for _ in 0..PAIRS {
        let base = time(&mut base, base_calls);
        let work = time(&mut work, work_calls);
        seconds.push(work);
        ratios.push(work / base);
    }
    Pair {
        seconds: median(&mut seconds),
        ratio: median(&mut ratios),
    }
}

/// Median seconds of one call.
pub(super) fn alone(work: impl FnMut()) -> f64 {
    pair(work, || ()).seconds
}

/// How often a side calls its work, after a warm-up.
fn calls(side: Duration, work: &mut impl FnMut()) -> u32 {
    work();
    let once = time(work, 1).max(1e-9);
    (side.as_secs_f64() / once).clamp(1.0, 1e6) as u32
}

fn time(work: &mut impl FnMut(), calls: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        work();
    }
    start.elapsed().as_secs_f64() / f64::from(calls)
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
