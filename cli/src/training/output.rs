//! What a run writes, opened by its first row.

use std::path::PathBuf;

use elision::train::Checkpoint;

use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::metrics::{Epoch, Metrics};
use crate::output::{CONFIG, Folder, METRICS};
use crate::saved;

/// The folder of a run and its open file.
pub(super) struct Output {
    pub(super) folder: Folder,
    metrics: Option<Metrics>,
    /// The text of `config.toml`.
    config: String,
}

impl Output {
    /// Of a run that begins.
    pub(super) fn new(folder: Folder, experiment: &Experiment) -> Self {
        Self {
            folder,
            metrics: None,
            config: experiment.config.to_toml(),
        }
    }

    /// Of a run that goes on after so many epochs, and those of them that its file has.
    pub(super) fn resume(
        folder: Folder,
        experiment: &Experiment,
        done: u64,
    ) -> Result<(Self, Vec<Epoch>), Failure> {
        let mut output = Self::new(folder, experiment);
        let name = super::name(experiment);
        let path = output.path(METRICS);
        let epochs = if path.exists() {
            let (metrics, epochs) = Metrics::resume(&path, name, done)?;
            output.metrics = Some(metrics);
            output.folder.write(CONFIG, &output.config)?;
            epochs
        } else {
            Vec::new()
        };
        Ok((output, epochs))
    }

    /// The rows, after which there is something to show.
    pub(super) fn metrics(&mut self) -> Result<&mut Metrics, Failure> {
        let metrics = match self.metrics.take() {
            Some(metrics) => metrics,
            None => {
                self.folder.keep()?;
                self.folder.write(CONFIG, &self.config)?;
                Metrics::create(&self.path(METRICS))?
            }
        };
        Ok(self.metrics.insert(metrics))
    }

    /// Writes a checkpoint.
    pub(super) fn save(&mut self, name: &str, checkpoint: &Checkpoint) -> Result<(), Failure> {
        self.metrics()?;
        saved::save(checkpoint, &self.path(name))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
