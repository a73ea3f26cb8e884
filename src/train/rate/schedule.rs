//! Drop probabilities that follow the number of the step.

use std::ops::Range;

use super::moment::{Moment, check_span};
use crate::dropout::check_probability;
use crate::error::{Error, Result, check_number};
use crate::train::schedule::half_cosine;

/// A drop probability as a function of the step, from 0 on: nothing is kept between steps, so a run may go on from any
/// of them.
///
/// The constructors check the numbers. As words, for a command line, with times in epochs (`@50`, `@10..50`) or in
/// steps (`@5000steps`), schedules are
///
/// | words | the rate |
/// |---|---|
/// | `constant:P` | P |
/// | `linear:P0:P1@T`, `cosine:P0:P1@T` | from P0 to P1 along a line, or half a cosine, and P1 from T on |
/// | `exponential:P0:P1:GAMMA` | `P1 + (P0 - P1) e^(-GAMMA step)` |
/// | `curriculum:P:GAMMA` | `(1 - e^(-GAMMA step)) P`: [`curriculum`](RateSchedule::curriculum) |
/// | `annealed:P@N` | `max(0, 1 - t / N) P`: [`annealed`](RateSchedule::annealed) |
/// | `early:P@E` | from P to 0, then 0: [`early`](RateSchedule::early) |
/// | `early-constant:P@E` | P, then 0: [`early_constant`](RateSchedule::early_constant) |
/// | `late:P@E`, `switch:P@S` | 0, then P: [`late`](RateSchedule::late) |
/// | `switch:P0:P1@S` | P0, then P1 |
///
/// ```
/// use elision::train::{Moment, RateSchedule};
/// let schedule: RateSchedule = "early:0.1@3".parse()?;
/// assert_eq!(schedule, RateSchedule::early(0.1, Moment::Epoch(3))?);
/// // Two steps an epoch: six steps, both ends of the line among them.
/// let rates = [0, 5, 6].map(|step| schedule.at(step, 2));
/// assert_eq!(rates, [0.1, 0.0, 0.0]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum RateSchedule {
    /// Always the same.
    #[non_exhaustive]
    Constant {
        /// The rate.
        p: f64,
    },
    /// A line, which stays at its ends before and after.
    #[non_exhaustive]
    Linear {
        /// The rate until the time begins.
        from: f64,
        /// The rate from its end on.
        to: f64,
        /// The time of the change.
        time: Range<Moment>,
    },
    /// Half a cosine, which stays at its ends before and after.
    #[non_exhaustive]
    Cosine {
        /// The rate until the time begins.
        from: f64,
        /// The rate from its end on.
        to: f64,
        /// The time of the change.
        time: Range<Moment>,
    },
    /// `to + (from - to) e^(-gamma step)`.
    #[non_exhaustive]
    Exponential {
        /// The rate of step 0.
        from: f64,
        /// The limit.
        to: f64,
        /// The decay a step.
        gamma: f64,
    },
    /// A line to 0 whose two ends are steps: see [`early`](RateSchedule::early).
    #[non_exhaustive]
    Early {
        /// The rate of step 0.
        p: f64,
        /// The first step after the line.
        end: Moment,
    },
    /// One rate, then another.
    #[non_exhaustive]
    Switch {
        /// The first rate.
        before: f64,
        /// The second.
        after: f64,
        /// The first step of the second.
        at: Moment,
    },
}

impl RateSchedule {
    /// Always the same.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none.
    pub fn constant(p: f64) -> Result<Self> {
        let p = check_probability(p)?;
        Ok(Self::Constant { p })
    }

    /// A line from one rate to another. DropBlock's rate grows so from 0, over the whole run (Ghiasi et al. 2018,
    /// <https://arxiv.org/abs/1810.12890>).
    ///
    /// # Errors
    /// [`Error::Probability`] if a rate is none, [`Error::Number`] if the time ends at its beginning or before,
    /// [`Error::Unsupported`] if it begins at a step and ends at an epoch, or the other way round.
    pub fn linear(from: f64, to: f64, time: Range<Moment>) -> Result<Self> {
        let (from, to) = (check_probability(from)?, check_probability(to)?);
        check_span(&time)?;
        Ok(Self::Linear { from, to, time })
    }

    /// Half a cosine from one rate to another.
    ///
    /// # Errors
    /// Those of [`linear`](RateSchedule::linear).
    pub fn cosine(from: f64, to: f64, time: Range<Moment>) -> Result<Self> {
        let (from, to) = (check_probability(from)?, check_probability(to)?);
        check_span(&time)?;
        Ok(Self::Cosine { from, to, time })
    }

    /// `to + (from - to) e^(-gamma step)`.
    ///
    /// # Errors
    /// [`Error::Probability`] if a rate is none, [`Error::Number`] if `gamma` is not finite and above 0.
    pub fn exponential(from: f64, to: f64, gamma: f64) -> Result<Self> {
        let (from, to) = (check_probability(from)?, check_probability(to)?);
        let valid = gamma > 0.0 && gamma.is_finite();
        check_number("gamma of a rate schedule", gamma, valid)?;
        Ok(Self::Exponential { from, to, gamma })
    }

    /// Curriculum dropout: `(1 - e^(-gamma step)) p`, from nothing to p (Morerio et al. 2017,
    /// <https://arxiv.org/abs/1703.06229>: the probability to keep is `(1 - q) e^(-gamma t) + q` with q = 1 - p). They
    /// train on MNIST with gamma = 0.001; as we recall it, they advise 10 / steps of the run, after which
    /// 4.5e-5 p are missing.
    ///
    /// # Errors
    /// Those of [`exponential`](RateSchedule::exponential).
    pub fn curriculum(p: f64, gamma: f64) -> Result<Self> {
        Self::exponential(0.0, p, gamma)
    }

    /// Annealed dropout: `max(0, 1 - t / n) p`, so that the whole network is what training ends with (Rennie, Goel and
    /// Thomas 2014, "Annealed dropout training of deep networks"; the formula as we recall it).
    ///
    /// # Errors
    /// Those of [`linear`](RateSchedule::linear).
    pub fn annealed(p: f64, n: Moment) -> Result<Self> {
        Self::linear(p, 0.0, n.beginning()..n)
    }

    /// Early dropout, for models that underfit (Liu et al. 2023, <https://arxiv.org/abs/2303.01500>): with E steps until
    /// `end`, step i of them has `p (1 - i / (E - 1))`, so that both p and 0 are rates of a step, and later steps have 0.
    /// They use p = 0.1 and 50 of 300 epochs. Of E = 1 the one step has p.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none, [`Error::Number`] if `end` is the beginning of the run.
    pub fn early(p: f64, end: Moment) -> Result<Self> {
        let p = check_probability(p)?;
        let end = end.check(CUTOFF)?;
        Ok(Self::Early { p, end })
    }

    /// [`early`](RateSchedule::early) with all of p until the end.
    ///
    /// # Errors
    /// Those of [`early`](RateSchedule::early).
    pub fn early_constant(p: f64, end: Moment) -> Result<Self> {
        Self::switch(p, 0.0, end)
    }

    /// Late dropout, for models that overfit: 0 until `start`, then p (the same paper). It is also the "switch" that
    /// Morerio et al. 2017 compare curriculum dropout with.
    ///
    /// # Errors
    /// Those of [`early`](RateSchedule::early).
    pub fn late(p: f64, start: Moment) -> Result<Self> {
        Self::switch(0.0, p, start)
    }

    /// One rate until a moment, then another.
    ///
    /// # Errors
    /// Those of [`early`](RateSchedule::early).
    pub fn switch(before: f64, after: f64, at: Moment) -> Result<Self> {
        let (before, after) = (check_probability(before)?, check_probability(after)?);
        let at = at.check(CUTOFF)?;
        Ok(Self::Switch { before, after, at })
    }

    /// The rate of a step, the first of which is 0, in epochs of so many steps.
    #[must_use]
    pub fn at(&self, step: u64, steps_per_epoch: u64) -> f64 {
        let passed = |time: &Range<Moment>| {
            let [start, end] = [time.start, time.end].map(|end| end.steps(steps_per_epoch));
            if step >= end {
                return 1.0;
            }
            match step.checked_sub(start) {
                None => 0.0,
                Some(passed) => passed as f64 / (end - start) as f64,
            }
        };
        match self {
            Self::Constant { p } => *p,
            Self::Linear { from, to, time } => between(*from, *to, passed(time)),
            Self::Cosine { from, to, time } => {
                half_cosine([*from, *to], passed(time)).clamp(from.min(*to), from.max(*to))
            }
            Self::Exponential { from, to, gamma } => {
                between(*from, *to, -(-gamma * step as f64).exp_m1())
            }
            Self::Early { p, end } => match end
                .steps(steps_per_epoch)
                .checked_sub(step.saturating_add(1))
            {
                None => 0.0,
                Some(left) => p * left_of_line(left, step),
            },
            Self::Switch { before, after, at } => match step < at.steps(steps_per_epoch) {
                true => *before,
                false => *after,
            },
        }
    }
}

const CUTOFF: &str = "cutoff of a rate schedule";

pub(super) const UNKNOWN: Error = Error::Unsupported(
    "unknown rate schedule: expected constant:P, linear:P0:P1@T, cosine:P0:P1@T, exponential:P0:P1:GAMMA, \
     curriculum:P:GAMMA, annealed:P@T, early:P@T, early-constant:P@T, late:P@T or switch:P@T, with T in epochs or as 5000steps",
);

/// A share of the way, which is exact at its ends and does not leave it.
fn between(from: f64, to: f64, share: f64) -> f64 {
    if share >= 1.0 {
        return to;
    }
    (from + (to - from) * share).clamp(from.min(to), from.max(to))
}

/// 1 - i / (E - 1) in step i of E, of which so many are left after it.
fn left_of_line(left: u64, step: u64) -> f64 {
    match step {
        0 => 1.0,
        _ => 1.0 - step as f64 / (step + left) as f64,
    }
}
