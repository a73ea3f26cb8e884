//! `metrics.csv`: a row an epoch, complete on disk before the next epoch begins.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use elision::train::Batch;

use crate::failure::Failure;

const HEADER: &str = "run,epoch,batch_loss,batch_accuracy,train_loss,train_accuracy,validation_loss,validation_accuracy,test_loss,test_accuracy,learning_rate,drop_rate,seconds,samples_per_second";
const COLUMNS: usize = 14;

/// Mean loss and accuracy over some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Score {
    /// The mean loss; of cross-entropy in nats.
    pub(crate) loss: f64,
    /// The part of the rows whose class was found.
    pub(crate) accuracy: f64,
}

impl From<Batch> for Score {
    fn from(batch: Batch) -> Self {
        Self {
            loss: batch.loss,
            accuracy: batch.accuracy(),
        }
    }
}

/// What one epoch came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Epoch {
    /// From 1.
    pub(crate) number: u64,
    /// Of the training batches as they went by, with dropout and before each step.
    pub(crate) batch: Score,
    /// Of the training rows after the epoch, without dropout.
    pub(crate) train: Option<Score>,
    /// Of the validation rows after the epoch.
    pub(crate) validation: Option<Score>,
    /// Of the test rows after the epoch.
    pub(crate) test: Score,
    /// Of the last step.
    pub(crate) learning_rate: f64,
    /// The mean over the layers that drop, in the last step.
    pub(crate) drop_rate: f64,
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
        Self::with(path, &format!("{HEADER}\n"))
    }

    /// Opens the file of a run that goes on after so many epochs: later rows are taken out. The epochs of the run
    /// that are there.
    pub(crate) fn resume(path: &Path, run: &str, done: u64) -> Result<(Self, Vec<Epoch>), Failure> {
        let text = fs::read_to_string(path).map_err(Failure::write(path))?;
        let (mut kept, mut epochs) = (format!("{HEADER}\n"), Vec::new());
        for line in text.lines().skip(1) {
            let epoch = parse(line, run);
            if epoch.is_some_and(|epoch| epoch.number > done) {
                continue;
            }
            epochs.extend(epoch);
            kept.push_str(line);
            kept.push('\n');
        }
        Ok((Self::with(path, &kept)?, epochs))
    }

    fn with(path: &Path, text: &str) -> Result<Self, Failure> {
        let file = File::create(path).map_err(Failure::write(path))?;
        let mut metrics = Self {
            path: path.to_owned(),
            file,
        };
        metrics.append(text)?;
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
    let score = |score: Option<Score>| match score {
        Some(Score { loss, accuracy }) => format!("{loss:.6},{accuracy:.6}"),
        None => ",".to_owned(),
    };
    let Epoch {
        number,
        learning_rate,
        drop_rate,
        seconds,
        samples_per_second,
        ..
    } = epoch;
    let scores = [
        Some(epoch.batch),
        epoch.train,
        epoch.validation,
        Some(epoch.test),
    ];
    let scores = scores.map(score).join(",");
    format!(
        "{run},{number},{scores},{learning_rate},{drop_rate},{seconds:.6},{samples_per_second:.1}\n"
    )
}

/// The epoch in a row of this run.
fn parse(line: &str, run: &str) -> Option<Epoch> {
    let cells: Vec<&str> = line.split(',').collect();
    let cells: [&str; COLUMNS] = cells
        .try_into()
        .ok()
        .filter(|cells: &[&str; COLUMNS]| cells[0] == run)?;
    let number = |at: usize| cells[at].parse::<f64>().ok();
    let score = |at| {
        let (loss, accuracy) = (number(at)?, number(at + 1)?);
        Some(Score { loss, accuracy })
    };
    Some(Epoch {
        number: cells[1].parse().ok()?,
        batch: score(2)?,
        train: score(4),
        validation: score(6),
        test: score(8)?,
        learning_rate: number(10)?,
        drop_rate: number(11)?,
        seconds: number(12)?,
        samples_per_second: number(13)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_header_s_columns_and_reads_back() {
        let score = Score {
            loss: 0.5,
            accuracy: 1.0,
        };
        let epoch = Epoch {
            number: 3,
            batch: score,
            train: Some(score),
            validation: None,
            test: score,
            learning_rate: 0.001,
            drop_rate: 0.35,
            seconds: 1.25,
            samples_per_second: 10.0,
        };
        let row = row("dropout", &epoch);
        assert_eq!(row.matches(',').count(), HEADER.matches(',').count());
        assert_eq!(
            row,
            "dropout,3,0.500000,1.000000,0.500000,1.000000,,,0.500000,1.000000,0.001,0.35,1.250000,10.0\n"
        );
        assert_eq!(parse(row.trim_end(), "dropout"), Some(epoch));
        assert_eq!(parse(row.trim_end(), "no dropout"), None);
    }
}
