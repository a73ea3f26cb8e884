//! `metrics.csv`: a row an epoch, complete on disk before the next epoch begins.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

const HEADER: &str = "run,epoch,batch_loss,batch_accuracy,train_loss,train_accuracy,test_loss,test_accuracy,seconds,samples_per_second\n";

/// Mean loss and accuracy over some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Score {
    /// Mean cross-entropy, in nats.
    pub(crate) loss: f64,
    /// The part of the rows whose class was found.
    pub(crate) accuracy: f64,
}

/// What one epoch came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Epoch {
    /// From 1.
    pub(crate) number: usize,
    /// Of the training batches as they went by, with dropout and before each step.
    pub(crate) batch: Score,
    /// Of the training rows after the epoch, without dropout.
    pub(crate) train: Score,
    /// Of the test rows after the epoch.
    pub(crate) test: Score,
    /// Seconds spent in training steps so far in this run; evaluation is not counted.
    pub(crate) seconds: f64,
    /// Training rows a second in this epoch.
    pub(crate) samples_per_second: f64,
}

/// The open file.
pub(crate) struct Metrics {
    path: PathBuf,
    file: File,
}

impl Metrics {
    /// Creates the file with its header.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(Failure::write(path))?;
        let mut metrics = Self {
            path: path.to_owned(),
            file,
        };
        metrics.append(HEADER)?;
        Ok(metrics)
    }

    /// Adds the row of an epoch. It is written in one piece, so a process that is killed leaves whole rows.
    pub(crate) fn push(&mut self, run: &str, epoch: &Epoch) -> Result<(), Failure> {
        self.append(&row(run, epoch))
    }

    fn append(&mut self, text: &str) -> Result<(), Failure> {
        self.file
            .write_all(text.as_bytes())
            .map_err(Failure::write(&self.path))
    }
}

/// Run names are ours and need no quotes.
fn row(run: &str, epoch: &Epoch) -> String {
    let Epoch {
        number,
        batch,
        train,
        test,
        seconds,
        samples_per_second,
    } = epoch;
    format!(
        "{run},{number},{:.6},{:.6},{:.6},{:.6},{:.6},{:.6},{seconds:.6},{samples_per_second:.1}\n",
        batch.loss, batch.accuracy, train.loss, train.accuracy, test.loss, test.accuracy
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_header_s_columns() {
        let score = Score {
            loss: 0.5,
            accuracy: 1.0,
        };
        let epoch = Epoch {
            number: 3,
            batch: score,
            train: score,
            test: score,
            seconds: 1.25,
            samples_per_second: 10.0,
        };
        let row = row("dropout", &epoch);
        assert_eq!(row.matches(',').count(), HEADER.matches(',').count());
        assert_eq!(
            row,
            "dropout,3,0.500000,1.000000,0.500000,1.000000,0.500000,1.000000,1.250000,10.0\n"
        );
    }
}
