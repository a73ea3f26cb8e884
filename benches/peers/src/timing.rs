//! Timing several pieces of work in rotation.

use std::thread::sleep;
use std::time::Duration;

use crate::failure::Failure;
use crate::peer::Run;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How long a side runs at least; a call that is shorter is repeated.
    pub(crate) side: Duration,
    /// Rounds in which every side runs once.
    pub(crate) rotations: usize,
    /// A pause before each side, for the threads of the side before to go to sleep.
    pub(crate) pause: Duration,
}

impl Plan {
    /// Enough for a result, or as little as shows that everything works.
    pub(crate) fn new(quick: bool, threads: usize) -> Self {
        let (side, rotations) = if quick { (1, 3) } else { (20, 15) };
        // With one thread nothing is left running.
        let pause = if threads > 1 { 5 } else { 0 };
        Self {
            side: Duration::from_millis(side),
            rotations,
            pause: Duration::from_millis(pause),
        }
    }

    /// Seconds of one call, an entry a rotation.
    pub(crate) fn rotate(&self, sides: &mut [Side]) {
        for side in sides.iter_mut() {
            side.calibrate(self.side);
        }
        for _ in 0..self.rotations {
            for side in sides.iter_mut() {
                sleep(self.pause);
                side.measure();
            }
        }
    }
}

/// One piece of work in the rotation.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn Run>,
    calls: u32,
    /// The figures, or why there are none.
    pub(crate) seconds: Result<Vec<f64>, Failure>,
}

impl Side {
    pub(crate) fn new(name: &'static str, run: Box<dyn Run>) -> Self {
        Self {
            name,
            run,
            calls: 1,
            seconds: Ok(Vec::new()),
        }
    }

    /// Warms up and finds the number of calls that fill `side`.
    fn calibrate(&mut self, side: Duration) {
        let mut attempt = || {
            let (most, mut calls) = (1 << 20, 1);
            self.run.seconds(1)?;
            // A first call is slow; the guess is made again from runs that are nearer to what is wanted.
            for _ in 0..3 {
                let total = self.run.seconds(calls)?;
                if total >= side.as_secs_f64() {
                    break;
                }
                let once = total / f64::from(calls);
                calls = (side.as_secs_f64() / once.max(1e-9))
                    .ceil()
                    .clamp(1.0, f64::from(most)) as u32;
            }
            Ok(calls)
        };
        match attempt() {
            Ok(calls) => self.calls = calls,
            Err(failure) => self.seconds = Err(failure),
        }
    }

    /// One turn: short calls are preceded by one that brings the side's memory and threads back.
    fn measure(&mut self) {
        let Ok(seconds) = &mut self.seconds else {
            return;
        };
        let mut turn = || {
            if self.calls > 1 {
                self.run.seconds(1)?;
            }
            self.run.seconds(self.calls)
        };
        match turn() {
            Ok(total) => seconds.push(total / f64::from(self.calls)),
            Err(failure) => self.seconds = Err(failure),
        }
    }
}

/// The middle of some numbers, or NaN if there is none.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
