//! Learning rates that follow the number of the step.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result, check_number};

/// The factor of a base learning rate as a function of the step, from 0 on: nothing is kept between steps, so a
/// run may go on from any of them.
///
/// The constructors check the numbers. As words, for a command line, schedules are
///
/// ```text
/// constant
/// step:EVERY:FACTOR
/// cosine:TOTAL[:FLOOR]
/// one-cycle:TOTAL[:WARM_FRACTION:START_DIVISOR:END_DIVISOR]
/// warmup:STEPS[+any of the above]
/// ```
///
/// ```
/// use elision::train::Schedule;
/// let schedule: Schedule = "warmup:4+cosine:100".parse()?;
/// assert_eq!(schedule, Schedule::warm_up(4, Schedule::cosine(100, 0.0)?)?);
/// let factors = [0, 1, 2, 3, 4, 54, 104].map(|step| schedule.factor(step));
/// assert_eq!(factors[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
/// assert!((factors[5] - 0.5).abs() < 1e-15 && factors[6] == 0.0);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// Always 1.
    Constant,
    /// Times `factor` after each `every` steps.
    #[non_exhaustive]
    Step {
        /// Steps at one rate.
        every: u64,
        /// From one rate to the next.
        factor: f64,
    },
    /// Half a cosine from 1 at step 0 to `floor` at step `total`, and `floor` from there on (Loshchilov and
    /// Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", equation 5, without restarts).
    #[non_exhaustive]
    Cosine {
        /// The first step at the floor.
        total: u64,
        /// The last factor.
        floor: f64,
    },
    /// Up a line for the first steps, then another schedule from its own step 0.
    ///
    /// Step s of the warm-up has (s + 1) / steps of the first factor of the other schedule. That is PyTorch's
    /// `LinearLR` with `start_factor` 1 / steps, which like this one does not begin at 0, where a step would be
    /// wasted; the last step of the warm-up has the whole factor.
    #[non_exhaustive]
    WarmUp {
        /// Steps of the warm-up.
        steps: u64,
        /// What follows.
        then: Box<Schedule>,
    },
    /// Half a cosine from 1 / `start_divisor` up to 1, and another from there down to
    /// 1 / (`start_divisor` * `end_divisor`) at step `total - 1`, and the same from there on (Smith and Topin
    /// 2018, "Super-Convergence"; PyTorch's `OneCycleLR`, whose `max_lr` is the base rate here). The momentum
    /// stays as it is.
    #[non_exhaustive]
    OneCycle {
        /// Steps of the cycle.
        total: u64,
        /// The share of them that goes up: the factor is 1 at `warm_fraction * total - 1`, which may lie between
        /// two steps.
        warm_fraction: f64,
        /// One over the first factor.
        start_divisor: f64,
        /// The first factor over the last one.
        end_divisor: f64,
    },
}

/// PyTorch's cycle: 30 % up, from a 25th, to a ten thousandth of that.
const CYCLE: [f64; 3] = [0.3, 25.0, 1e4];

impl Schedule {
    /// [`Schedule::Step`].
    ///
    /// # Errors
    /// [`Error::Number`] if `every` is 0 or `factor` is not above 0 and at most 1.
    pub fn step(every: u64, factor: f64) -> Result<Self> {
        check_steps("steps at one rate", every)?;
        check_number(
            "factor of a schedule",
            factor,
            factor > 0.0 && factor <= 1.0,
        )?;
        Ok(Self::Step { every, factor })
    }

    /// [`Schedule::Cosine`].
    ///
    /// # Errors
    /// [`Error::Number`] if `total` is 0 or `floor` is outside of [0, 1].
    pub fn cosine(total: u64, floor: f64) -> Result<Self> {
        check_steps("steps of a schedule", total)?;
        check_number("floor of a schedule", floor, (0.0..=1.0).contains(&floor))?;
        Ok(Self::Cosine { total, floor })
    }

    /// [`Schedule::WarmUp`].
    ///
    /// # Errors
    /// [`Error::Number`] if `steps` is 0, [`Error::Unsupported`] if `then` is a warm-up too.
    pub fn warm_up(steps: u64, then: Self) -> Result<Self> {
        check_steps("steps of a warm-up", steps)?;
        if matches!(then, Self::WarmUp { .. }) {
            return Err(Error::Unsupported("a warm-up follows another"));
        }
        let then = Box::new(then);
        Ok(Self::WarmUp { steps, then })
    }

    /// [`Schedule::OneCycle`] with PyTorch's numbers: 0.3, 25 and 10,000.
    ///
    /// # Errors
    /// [`Error::Number`] if `total` is 0.
    pub fn one_cycle(total: u64) -> Result<Self> {
        let [warm_fraction, start_divisor, end_divisor] = CYCLE;
        Self::one_cycle_with(total, warm_fraction, start_divisor, end_divisor)
    }

    /// [`Schedule::OneCycle`].
    ///
    /// # Errors
    /// [`Error::Number`] if `total` is 0, `warm_fraction` is outside of [0, 1] or a divisor is below 1 or not
    /// finite.
    pub fn one_cycle_with(
        total: u64,
        warm_fraction: f64,
        start_divisor: f64,
        end_divisor: f64,
    ) -> Result<Self> {
        check_steps("steps of a schedule", total)?;
        let valid = (0.0..=1.0).contains(&warm_fraction);
        check_number("share of the warm steps", warm_fraction, valid)?;
        for divisor in [start_divisor, end_divisor] {
            let valid = divisor >= 1.0 && divisor.is_finite();
            check_number("divisor of a cycle", divisor, valid)?;
        }
        Ok(Self::OneCycle {
            total,
            warm_fraction,
            start_divisor,
            end_divisor,
        })
    }

    /// The factor of the base learning rate in a step, the first of which is 0.
    #[must_use]
    pub fn factor(&self, step: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => factor.powf((step / every) as f64),
            Self::Cosine { total, floor } => {
                half_cosine([1.0, *floor], step as f64 / *total as f64)
            }
            Self::WarmUp { steps, then } if step < *steps => {
                then.factor(0) * ((step + 1) as f64 / *steps as f64)
            }
            Self::WarmUp { steps, then } => then.factor(step - steps),
            &Self::OneCycle {
                total,
                warm_fraction,
                start_divisor,
                end_divisor,
            } => {
                let (start, last) = (1.0 / start_divisor, (total - 1) as f64);
                let (peak, at) = (warm_fraction * total as f64 - 1.0, step as f64);
                if at < peak {
                    half_cosine([start, 1.0], at / peak)
                } else {
                    let down = last - peak.max(0.0);
                    let share = if down > 0.0 { (last - at) / down } else { 0.0 };
                    half_cosine([1.0, start / end_divisor], 1.0 - share)
                }
            }
        }
    }
}

/// From the first number to the second along half a cosine, both of which are met exactly, for shares of the way
/// from 0 to 1.
pub(super) fn half_cosine([from, to]: [f64; 2], share: f64) -> f64 {
    if share >= 1.0 {
        return to;
    }
    from + (to - from) * (0.5 * (1.0 - (PI * share.max(0.0)).cos()))
}

fn check_steps(what: &'static str, steps: u64) -> Result<()> {
    check_number(what, steps as f64, steps > 0)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Step { every, factor } => write!(f, "step:{every}:{factor}"),
            Self::Cosine { total, floor: 0.0 } => write!(f, "cosine:{total}"),
            Self::Cosine { total, floor } => write!(f, "cosine:{total}:{floor}"),
            Self::WarmUp { steps, then } if **then == Self::Constant => write!(f, "warmup:{steps}"),
            Self::WarmUp { steps, then } => write!(f, "warmup:{steps}+{then}"),
            &Self::OneCycle {
                total,
                warm_fraction,
                start_divisor,
                end_divisor,
            } => {
                write!(f, "one-cycle:{total}")?;
                if [warm_fraction, start_divisor, end_divisor] == CYCLE {
                    return Ok(());
                }
                write!(f, ":{warm_fraction}:{start_divisor}:{end_divisor}")
            }
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    /// [`Error::Unsupported`] for words that are no schedule, and the errors of the constructors.
    fn from_str(words: &str) -> Result<Self> {
        if let Some((first, then)) = words.split_once('+')
            && let Some(steps) = first.strip_prefix("warmup:")
        {
            return Self::warm_up(number(steps)?, single(then)?);
        }
        single(words)
    }
}

/// A schedule that nothing follows.
fn single(words: &str) -> Result<Schedule> {
    let words: Vec<&str> = words.split(':').collect();
    match words[..] {
        ["constant"] => Ok(Schedule::Constant),
        ["step", every, factor] => Schedule::step(number(every)?, number(factor)?),
        ["cosine", total] => Schedule::cosine(number(total)?, 0.0),
        ["cosine", total, floor] => Schedule::cosine(number(total)?, number(floor)?),
        ["warmup", steps] => Schedule::warm_up(number(steps)?, Schedule::Constant),
        ["one-cycle", total] => Schedule::one_cycle(number(total)?),
        ["one-cycle", total, warm, start, end] => {
            let [warm, start, end] = [number(warm)?, number(start)?, number(end)?];
            Schedule::one_cycle_with(number(total)?, warm, start, end)
        }
        _ => Err(UNKNOWN),
    }
}

fn number<T: FromStr>(word: &str) -> Result<T> {
    word.parse().map_err(|_| UNKNOWN)
}

const UNKNOWN: Error = Error::Unsupported(
    "unknown schedule: expected constant, step:EVERY:FACTOR, cosine:TOTAL[:FLOOR], \
     one-cycle:TOTAL[:WARM:START:END], or warmup:STEPS[+one of these]",
);
