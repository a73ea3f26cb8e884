//! The section `[train]`, and what of the whole is checked last.

use clap::ValueEnum;
use elision::train::Loss;
use serde::{Deserialize, Serialize};

use super::{Config, number, words};

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
        let at = |fault| format!("optimizer.{fault}");
        self.optimizer.check().map_err(at)?;
        self.optimizer.complete();
        Ok(self)
    }
}
