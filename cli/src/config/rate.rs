//! How much is dropped, over the run.

use std::fmt;
use std::str::FromStr;

use elision::train::{ControllerSettings, RateSchedule};

/// A schedule of the drop probability, or a controller of it.
#[derive(Clone, Debug, PartialEq)]
pub enum RateWords {
    /// It follows the number of the step.
    Schedule(RateSchedule),
    /// It follows the gap between the losses of validation and training rows.
    Feedback(ControllerSettings),
}

impl FromStr for RateWords {
    type Err = elision::Error;

    fn from_str(words: &str) -> Result<Self, elision::Error> {
        match words.split(':').next() {
            Some("feedback") => words.parse().map(Self::Feedback),
            _ => words.parse().map(Self::Schedule),
        }
    }
}

impl fmt::Display for RateWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule(schedule) => schedule.fmt(f),
            Self::Feedback(settings) => settings.fmt(f),
        }
    }
}
