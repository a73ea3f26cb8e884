//! The section `[train]`, and what of the whole is checked last.

use clap::ValueEnum;
use elision::train::Loss;
use serde::{Deserialize, Serialize};

use super::{Config, RateWords, number, words};

/// How long a model learns, and on what batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Train {
    /// Passes over the training rows; 200, or 10 for mnist and fashion-mnist, if it is not said.
    #[serde(deserialize_with = "number::maybe_steps")]
    pub epochs: Option<u64>,
    /// Rows of a step.
    #[serde(deserialize_with = "number::count")]
    pub batch: usize,
    /// Parts that a batch is cut into, to save memory.
    #[serde(deserialize_with = "number::count")]
    pub accumulate: usize,
    /// The loss.
    #[serde(with = "words")]
    pub loss: Loss,
    /// How the drop probability of the layers that drop goes on; each keeps its own if it is not said.
    #[serde(with = "words::maybe", alias = "rate-schedule")]
    pub rate_schedule: Option<RateWords>,
    /// Whether that is a factor of each layer's own drop probability, and not what takes its place.
    #[serde(alias = "rate-factor")]
    pub rate_factor: bool,
    /// The weight of the divergence of two passes in R-Drop; none without R-Drop.
    #[serde(deserialize_with = "number::maybe_weight", alias = "r-drop")]
    pub r_drop: Option<f64>,
    /// What learned methods add to the loss comes in between these epochs: nothing before the first, all from the second
    /// on; all at once if it is not said.
    #[serde(alias = "penalty-warm-up")]
    pub penalty_warm_up: Option<[u64; 2]>,
    /// Training stops after so many epochs in a row that were no better than the best.
    #[serde(deserialize_with = "number::maybe_steps")]
    pub patience: Option<u64>,
    /// The score of the validation rows that tells the best epoch.
    pub watch: WatchName,
    /// Whether the model that is kept is that of the best epoch, not of the last.
    pub keep_best: bool,
    /// Whether batch norm's running statistics are estimated anew, without dropout, after the last epoch.
    pub reestimate: bool,
    /// Whether the training rows are scored after each epoch too.
    pub score_training: bool,
    /// Epochs from one checkpoint to the next.
    #[serde(deserialize_with = "number::count")]
    pub save_every: usize,
    /// Threads; the physical cores if it is not said.
    #[serde(deserialize_with = "number::maybe_threads")]
    pub threads: Option<usize>,
    /// Whether there is a second run without dropout, which comes first.
    pub compare: bool,
}

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: None,
            batch: 64,
            accumulate: 1,
            loss: Loss::CrossEntropy { smoothing: 0.0 },
            rate_schedule: None,
            rate_factor: false,
            r_drop: None,
            penalty_warm_up: None,
            patience: None,
            watch: WatchName::Loss,
            keep_best: false,
            reestimate: false,
            score_training: true,
            save_every: 1,
            threads: None,
            compare: false,
        }
    }
}

/// A score of the validation rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchName {
    /// The least loss is best.
    #[default]
    Loss,
    /// The greatest accuracy is best.
    Accuracy,
}

/// Enough for the run with dropout to come to rest on the digits, in some ten seconds.
const EPOCHS: u64 = 200;
/// The large sets have some fifty times the rows.
const EPOCHS_IDX: u64 = 10;

impl Train {
    /// The number of epochs for a data set.
    fn epochs_of(&self, set: &str) -> u64 {
        self.epochs.unwrap_or(match set {
            "mnist" | "fashion-mnist" => EPOCHS_IDX,
            _ => EPOCHS,
        })
    }
}

impl Config {
    /// The number of epochs.
    pub(crate) fn epochs(&self) -> u64 {
        self.train.epochs_of(&self.data.set)
    }

    /// Puts in what is not said, and checks what belongs together.
    pub(crate) fn complete(mut self) -> Result<Self, String> {
        let train = &mut self.train;
        train.epochs = Some(train.epochs_of(&self.data.set));
        if !matches!(train.loss, Loss::CrossEntropy { .. }) {
            let loss = train.loss;
            return Err(format!(
                "train.loss: {loss} is for values, and data sets have classes: cross-entropy or cross-entropy:SMOOTHING"
            ));
        }
        if self.data.validation.is_none() && (train.patience.is_some() || train.keep_best) {
            return Err("train.patience and train.keep_best need data.validation".to_owned());
        }
        if let Some([from, to]) = self.train.penalty_warm_up
            && from > to
        {
            return Err("train.penalty_warm_up: it ends before it begins".to_owned());
        }
        if let Some(schedule) = &self.train.rate_schedule {
            if !self.has_rate() {
                return Err(format!(
                    "train.rate_schedule: no layer drops, so none follows {schedule}"
                ));
            }
            if matches!(schedule, RateWords::Feedback(_)) && self.data.validation.is_none() {
                return Err("train.rate_schedule: feedback needs data.validation".to_owned());
            }
        }
        let at = |fault| format!("optimizer.{fault}");
        self.optimizer.check().map_err(at)?;
        self.optimizer.complete();
        Ok(self)
    }
}
