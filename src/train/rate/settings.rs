//! What a rate controller is told.

use std::fmt;
use std::str::FromStr;

use crate::dropout::check_probability;
use crate::error::{Error, Result, check_number};

/// What a [`RateController`](super::RateController) is told. The defaults are ours, for losses in nats; no published
/// ones are known to us.
///
/// As words: `feedback:RATE:GAP`, `feedback:RATE:GAP:PROPORTIONAL:INTEGRAL`, or all nine numbers in the order of the fields.
///
/// ```
/// use elision::train::ControllerSettings;
/// let settings: ControllerSettings = "feedback:0.3:0.05".parse()?;
/// assert_eq!(settings, ControllerSettings::new(0.3, 0.05));
/// assert_eq!("feedback:0.3:0.05:1:0.2".parse(), Ok(ControllerSettings { proportional: 1.0, integral: 0.2, ..settings }));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControllerSettings {
    /// The rate to begin with.
    pub rate: f64,
    /// The gap between validation loss and training loss that is aimed at.
    pub gap: f64,
    /// Rate for a gap too large by 1.
    pub proportional: f64,
    /// Rate an epoch for a gap too large by 1.
    pub integral: f64,
    /// The share of the mean gap so far in the next mean; 0 looks at the last epoch alone.
    pub smoothing: f64,
    /// How far the mean gap may be off before anything is done.
    pub dead_band: f64,
    /// The largest change of the rate an epoch.
    pub max_change: f64,
    /// The least rate.
    pub min: f64,
    /// The greatest rate.
    pub max: f64,
}

impl ControllerSettings {
    /// 0.5 and 0.1 for a gap too large by 1, half of the mean so far, a dead band of 0.01, at most 0.05 an epoch,
    /// rates from 0 to 0.8.
    #[must_use]
    pub const fn new(rate: f64, gap: f64) -> Self {
        Self {
            rate,
            gap,
            proportional: 0.5,
            integral: 0.1,
            smoothing: 0.5,
            dead_band: 0.01,
            max_change: 0.05,
            min: 0.0,
            max: 0.8,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        check_probability(self.min)?;
        check_probability(self.max)?;
        let finite = self.gap.is_finite();
        check_number("gap of the rate controller", self.gap, finite)?;
        for (what, x) in [
            (
                "proportional part of the rate controller",
                self.proportional,
            ),
            ("integral part of the rate controller", self.integral),
            ("dead band of the rate controller", self.dead_band),
        ] {
            check_number(what, x, x >= 0.0 && x.is_finite())?;
        }
        let is_share = (0.0..1.0).contains(&self.smoothing);
        check_number("smoothing of the rate controller", self.smoothing, is_share)?;
        let is_change = self.max_change > 0.0 && self.max_change <= 1.0;
        check_number("largest change of the rate", self.max_change, is_change)?;
        check_number("greatest rate", self.max, self.max >= self.min)?;
        let is_between = (self.min..=self.max).contains(&self.rate);
        check_number("first rate of the controller", self.rate, is_between)
    }

    fn numbers(&self) -> [f64; 9] {
        [
            self.rate,
            self.gap,
            self.proportional,
            self.integral,
            self.smoothing,
            self.dead_band,
            self.max_change,
            self.min,
            self.max,
        ]
    }
}

impl fmt::Display for ControllerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.numbers();
        let usual = Self::new(self.rate, self.gap).numbers();
        let shown = match () {
            () if all == usual => 2,
            () if all[4..] == usual[4..] => 4,
            () => all.len(),
        };
        f.write_str("feedback")?;
        all[..shown].iter().try_for_each(|x| write!(f, ":{x}"))
    }
}

impl FromStr for ControllerSettings {
    type Err = Error;

    /// [`Error::Unsupported`] for words that are none, and the errors of [`RateController::new`](super::RateController::new).
    fn from_str(words: &str) -> Result<Self> {
        let numbers = words.strip_prefix("feedback:").ok_or(UNKNOWN)?.split(':');
        let numbers: Vec<f64> = numbers
            .map(|word| word.parse().map_err(|_| UNKNOWN))
            .collect::<Result<_>>()?;
        let settings = match numbers[..] {
            [rate, gap] => Self::new(rate, gap),
            [rate, gap, proportional, integral] => Self {
                proportional,
                integral,
                ..Self::new(rate, gap)
            },
            [
                rate,
                gap,
                proportional,
                integral,
                smoothing,
                dead_band,
                max_change,
                min,
                max,
            ] => Self {
                rate,
                gap,
                proportional,
                integral,
                smoothing,
                dead_band,
                max_change,
                min,
                max,
            },
            _ => return Err(UNKNOWN),
        };
        settings.check()?;
        Ok(settings)
    }
}

const UNKNOWN: Error = Error::Unsupported(
    "a rate controller is feedback:RATE:GAP, feedback:RATE:GAP:PROPORTIONAL:INTEGRAL, or with \
     :SMOOTHING:DEAD_BAND:MAX_CHANGE:MIN:MAX too",
);
