//! Checkpoints of runs: the library's, and the words that make them tell what they are.

use std::path::Path;

use elision::train::Checkpoint;

use crate::config::Config;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::metrics::Score;

const CONFIG: &str = "elision.cli.config";
const INPUT: &str = "elision.cli.input";
const BEST: &str = "elision.cli.best";

/// The best epoch so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Best {
    pub(crate) epoch: u64,
    /// Of the validation rows.
    pub(crate) score: Score,
}

/// Puts in what the library does not know.
pub(crate) fn describe(checkpoint: &mut Checkpoint, experiment: &Experiment, best: Option<Best>) {
    let input: Vec<String> = experiment.input.iter().map(usize::to_string).collect();
    let words = [
        (CONFIG, experiment.config.to_toml()),
        (INPUT, input.join(" ")),
    ];
    let best = best.map(|Best { epoch, score }| {
        let words = format!("{epoch} {} {}", score.loss, score.accuracy);
        (BEST, words)
    });
    let words = words.into_iter().chain(best);
    let words = words.map(|(name, word)| (name.to_owned(), word));
    checkpoint.metadata.extend(words);
}

/// Reads a file.
pub(crate) fn load(path: &Path) -> Result<Checkpoint, Failure> {
    Checkpoint::load(path).map_err(|error| match error {
        elision::Error::Io { message, .. } => fault(path, message),
        other => fault(path, other.to_string()),
    })
}

/// A file that cannot be used.
pub(crate) fn fault(path: &Path, fault: impl Into<String>) -> Failure {
    Failure::Model {
        path: path.to_owned(),
        fault: crate::failure::one_line(&fault.into()),
    }
}

/// Writes a file.
pub(crate) fn save(checkpoint: &Checkpoint, path: &Path) -> Result<(), Failure> {
    checkpoint.save(path).map_err(|error| Failure::Write {
        path: path.to_owned(),
        source: std::io::Error::other(match error {
            elision::Error::Io { message, .. } => message,
            other => other.to_string(),
        }),
    })
}

fn word<'a>(checkpoint: &'a Checkpoint, name: &str) -> Result<&'a str, String> {
    let word = checkpoint.metadata.get(name).map(String::as_str);
    word.ok_or_else(|| format!("no model of this command: {name} is missing"))
}

/// The configuration of the run that wrote it.
pub(crate) fn config(checkpoint: &Checkpoint) -> Result<Config, String> {
    let text = word(checkpoint, CONFIG)?;
    Config::parse(text).map_err(|fault| format!("{CONFIG}: {fault}"))
}

/// The best epoch until then.
pub(crate) fn best(checkpoint: &Checkpoint) -> Option<Best> {
    let words = checkpoint.metadata.get(BEST)?;
    let mut words = words.split(' ');
    let epoch = words.next()?.parse().ok()?;
    let mut number = || words.next()?.parse().ok();
    let (loss, accuracy) = (number()?, number()?);
    Some(Best {
        epoch,
        score: Score { loss, accuracy },
    })
}
