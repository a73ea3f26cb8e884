//! A rate that follows the gap between two losses.

use super::settings::ControllerSettings;
use crate::error::{CheckpointFault, Error, Result, check_number};
use crate::train::Checkpoint;

/// A drop probability that a validation loss decides: where the gap g = validation loss - training loss is larger than
/// it should be, more is dropped, and less where it is smaller.
///
/// It is a controller with a proportional and an integral part, as control engineers know it; no canonical one for
/// dropout is known to us. Once an epoch, with the mean gap `m = smoothing m + (1 - smoothing) g` and the error
/// `e = m - gap`:
///
/// - within the dead band, `|e| <= dead_band`, nothing changes, so a gap that is as it should be is at rest;
/// - else the rate moves towards `rate + proportional e + integral (sum of e)`, by at most `max_change`, and not out of
///   `min..=max`;
/// - an error whose rate a limit cuts off is not added to the sum (no wind-up): the first error of the other sign
///   moves the rate back.
///
/// The training loss must be that of evaluation, with dropout off, or the gap would depend on the rate itself:
/// [`RateFeedback`](super::RateFeedback) sees to it.
///
/// ```
/// use elision::train::{ControllerSettings, RateController};
/// let mut controller = RateController::new(ControllerSettings::new(0.3, 0.05))?;
/// assert_eq!(controller.update(0.20, 0.25)?, 0.3);
/// assert!(controller.update(0.10, 0.35)? > 0.3);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateController {
    settings: ControllerSettings,
    rate: f64,
    /// The sum of the errors.
    sum: f64,
    /// The mean gap; none before the first epoch.
    mean: Option<f64>,
}

const SETTINGS: &str = "elision.rate_controller";
const STATE: &str = "elision.rate_controller.state";

impl RateController {
    /// A controller before its first epoch.
    ///
    /// # Errors
    /// [`Error::Probability`] if a limit is none; [`Error::Number`] if the gap is not finite, a part or the dead band
    /// is not finite and from 0 on, the smoothing is outside of [0, 1), the largest change outside of (0, 1],
    /// the limits are the wrong way round, or the first rate is not between them.
    pub fn new(settings: ControllerSettings) -> Result<Self> {
        settings.check()?;
        Ok(Self {
            settings,
            rate: settings.rate,
            sum: 0.0,
            mean: None,
        })
    }

    /// What it was told.
    #[must_use]
    pub fn settings(&self) -> &ControllerSettings {
        &self.settings
    }

    /// The rate at present.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The rate after an epoch with these losses, both in evaluation.
    ///
    /// # Errors
    /// [`Error::Number`] if a loss is not finite; the controller is then unchanged.
    pub fn update(&mut self, train_loss: f64, validation_loss: f64) -> Result<f64> {
        for (what, loss) in [
            ("training loss for the rate controller", train_loss),
            ("validation loss for the rate controller", validation_loss),
        ] {
            check_number(what, loss, loss.is_finite())?;
        }
        let (settings, gap) = (self.settings, validation_loss - train_loss);
        let mean = self.mean.map_or(gap, |mean| {
            settings.smoothing * mean + (1.0 - settings.smoothing) * gap
        });
        check_number("gap for the rate controller", mean, mean.is_finite())?;
        self.mean = Some(mean);
        let error = mean - settings.gap;
        if error.abs() > settings.dead_band {
            self.follow(error);
        }
        Ok(self.rate)
    }

    /// Moves the rate for an error outside of the dead band.
    fn follow(&mut self, error: f64) {
        let settings = self.settings;
        let target =
            |sum: f64| settings.rate + settings.proportional * error + settings.integral * sum;
        let low = settings.min.max(self.rate - settings.max_change);
        let high = settings.max.min(self.rate + settings.max_change);
        let sum = self.sum + error;
        let is_cut_off = match error > 0.0 {
            true => target(sum) > high,
            false => target(sum) < low,
        };
        if !is_cut_off {
            self.sum = sum;
        }
        self.rate = target(sum).clamp(low, high);
    }

    /// Notes the state in a checkpoint, from which [`restore`](RateController::restore) takes it.
    pub fn note(&self, checkpoint: &mut Checkpoint) {
        let mean = self.mean.map_or("none".to_owned(), |mean| mean.to_string());
        let state = format!("{} {} {mean}", self.rate, self.sum);
        let words = [(SETTINGS, self.settings.to_string()), (STATE, state)];
        let words = words.map(|(name, words)| (name.to_owned(), words));
        checkpoint.metadata.extend(words);
    }

    /// Puts the controller where the one was that made the note: the rates that follow are the same bit for bit.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] with [`CheckpointFault::Missing`] if there is none, or [`CheckpointFault::Metadata`] if it
    /// was made by a controller with other settings, or says nothing sound; nothing is then changed.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let word = |name: &str| {
            let word = checkpoint.metadata.get(name);
            word.ok_or_else(|| Error::Checkpoint(CheckpointFault::Missing(name.to_owned())))
        };
        let (own, found) = (self.settings.to_string(), word(SETTINGS)?);
        if own != *found {
            return Err(mismatch(SETTINGS, &own, found));
        }
        let found = word(STATE)?;
        let sound = self.parsed(found);
        *self = sound.ok_or_else(|| mismatch(STATE, "a rate, a sum and a mean", found))?;
        Ok(())
    }

    fn parsed(&self, words: &str) -> Option<Self> {
        let words: Vec<&str> = words.split(' ').collect();
        let [rate, sum, mean] = words[..] else {
            return None;
        };
        let finite = |word: &str| word.parse().ok().filter(|x: &f64| x.is_finite());
        let mean = match mean {
            "none" => None,
            mean => Some(finite(mean)?),
        };
        let rate =
            finite(rate).filter(|rate| (self.settings.min..=self.settings.max).contains(rate))?;
        Some(Self {
            rate,
            sum: finite(sum)?,
            mean,
            ..*self
        })
    }
}

fn mismatch(name: &str, expected: &str, found: &str) -> Error {
    Error::Checkpoint(CheckpointFault::Metadata {
        name: name.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    })
}
