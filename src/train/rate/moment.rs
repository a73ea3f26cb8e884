//! Places in a run.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::schedule::UNKNOWN;
use crate::error::{Error, Result, check_number};

/// So many steps or epochs after the beginning of a run.
///
/// As a word it is a number of epochs, `50`, or of steps, `5000steps`.
///
/// ```
/// use elision::train::Moment;
/// assert_eq!("50".parse(), Ok(Moment::Epoch(50)));
/// assert_eq!("5000steps".parse(), Ok(Moment::Step(5000)));
/// assert_eq!(Moment::Epoch(50).steps(10), 500);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After so many steps.
    Step(u64),
    /// After so many epochs.
    Epoch(u64),
}

const STEPS: &str = "steps";

impl Moment {
    /// The number of steps done until then, in epochs of so many steps.
    #[must_use]
    pub const fn steps(self, per_epoch: u64) -> u64 {
        match self {
            Self::Step(steps) => steps,
            Self::Epoch(epochs) => epochs.saturating_mul(per_epoch),
        }
    }

    pub(super) const fn count(self) -> u64 {
        match self {
            Self::Step(count) | Self::Epoch(count) => count,
        }
    }

    /// The beginning of a run, in the same unit.
    pub(super) const fn beginning(self) -> Self {
        match self {
            Self::Step(_) => Self::Step(0),
            Self::Epoch(_) => Self::Epoch(0),
        }
    }

    /// What comes after the beginning of the run.
    pub(super) fn check(self, what: &'static str) -> Result<Self> {
        check_number(what, self.count() as f64, self.count() > 0)?;
        Ok(self)
    }
}

/// A time that is not empty, both ends of which are in the same unit.
pub(super) fn check_span(span: &Range<Moment>) -> Result<()> {
    match (span.start, span.end) {
        (Moment::Step(start), Moment::Step(end)) | (Moment::Epoch(start), Moment::Epoch(end)) => {
            check_number("end of a rate schedule", end as f64, start < end)
        }
        _ => Err(Error::Unsupported(
            "a rate schedule begins and ends after steps, or after epochs",
        )),
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epoch(count) => write!(f, "{count}"),
            Self::Step(count) => write!(f, "{count}{STEPS}"),
        }
    }
}

impl FromStr for Moment {
    type Err = Error;

    /// [`Error::Unsupported`] for a word that is none.
    fn from_str(word: &str) -> Result<Self> {
        let count = |word: &str| word.parse().map_err(|_| UNKNOWN);
        match word.strip_suffix(STEPS) {
            Some(steps) => Ok(Self::Step(count(steps)?)),
            None => Ok(Self::Epoch(count(word)?)),
        }
    }
}

/// `50`, from the beginning, or `10..50`; the unit of the end is that of both.
pub(super) fn span(words: &str) -> Result<Range<Moment>> {
    let Some((start, end)) = words.split_once("..") else {
        let end: Moment = words.parse()?;
        return Ok(end.beginning()..end);
    };
    let (end, start) = (end.parse()?, start.parse().map_err(|_| UNKNOWN)?);
    Ok(match end {
        Moment::Step(_) => Moment::Step(start)..end,
        Moment::Epoch(_) => Moment::Epoch(start)..end,
    })
}

/// The words of a time.
pub(super) struct Span<'a>(pub(super) &'a Range<Moment>);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.0;
        match start.count() {
            0 => write!(f, "{end}"),
            start => write!(f, "{start}..{end}"),
        }
    }
}
