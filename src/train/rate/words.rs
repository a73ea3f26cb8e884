//! Rate schedules as words.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::moment::{Moment, Span, span};
use super::schedule::{RateSchedule, UNKNOWN};
use crate::error::{Error, Result};

impl fmt::Display for RateSchedule {
    /// The published word where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { p } => write!(f, "constant:{p}"),
            Self::Linear { from, to, time } if *to == 0.0 && time.start.count() == 0 => {
                write!(f, "annealed:{from}@{}", time.end)
            }
            Self::Linear { from, to, time } => write!(f, "linear:{from}:{to}@{}", Span(time)),
            Self::Cosine { from, to, time } => write!(f, "cosine:{from}:{to}@{}", Span(time)),
            Self::Exponential { from, to, gamma } if *from == 0.0 => {
                write!(f, "curriculum:{to}:{gamma}")
            }
            Self::Exponential { from, to, gamma } => write!(f, "exponential:{from}:{to}:{gamma}"),
            Self::Early { p, end } => write!(f, "early:{p}@{end}"),
            Self::Switch { before, after, at } if *before == 0.0 => write!(f, "late:{after}@{at}"),
            Self::Switch { before, after, at } if *after == 0.0 => {
                write!(f, "early-constant:{before}@{at}")
            }
            Self::Switch { before, after, at } => write!(f, "switch:{before}:{after}@{at}"),
        }
    }
}

impl FromStr for RateSchedule {
    type Err = Error;

    /// [`Error::Unsupported`] for words that are no schedule, and the errors of the constructors.
    fn from_str(words: &str) -> Result<Self> {
        let (words, time) = match words.split_once('@') {
            Some((words, time)) => (words, Some(time)),
            None => (words, None),
        };
        let words: Vec<&str> = words.split(':').collect();
        match time {
            None => steady(&words),
            Some(time) => timed(&words, time),
        }
    }
}

fn steady(words: &[&str]) -> Result<RateSchedule> {
    match *words {
        ["constant", p] => RateSchedule::constant(number(p)?),
        ["exponential", from, to, gamma] => {
            RateSchedule::exponential(number(from)?, number(to)?, number(gamma)?)
        }
        ["curriculum", p, gamma] => RateSchedule::curriculum(number(p)?, number(gamma)?),
        _ => Err(UNKNOWN),
    }
}

fn timed(words: &[&str], time: &str) -> Result<RateSchedule> {
    let over = || -> Result<Range<Moment>> { span(time) };
    let at = || -> Result<Moment> { time.parse() };
    match *words {
        ["linear", from, to] => RateSchedule::linear(number(from)?, number(to)?, over()?),
        ["cosine", from, to] => RateSchedule::cosine(number(from)?, number(to)?, over()?),
        ["annealed", p] => RateSchedule::annealed(number(p)?, at()?),
        ["early", p] => RateSchedule::early(number(p)?, at()?),
        ["early-constant", p] => RateSchedule::early_constant(number(p)?, at()?),
        ["late" | "switch", p] => RateSchedule::late(number(p)?, at()?),
        ["switch", before, after] => RateSchedule::switch(number(before)?, number(after)?, at()?),
        _ => Err(UNKNOWN),
    }
}

fn number(word: &str) -> Result<f64> {
    word.parse().map_err(|_| UNKNOWN)
}
