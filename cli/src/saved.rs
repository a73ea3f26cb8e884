//! Checkpoints of runs: the library's, and the words that make them tell what they are.

use std::path::Path;

use elision::nn::Sequential;
use elision::train::Checkpoint;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::data::Preparation;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::metrics::Score;
use crate::network;

const CONFIG: &str = "elision.cli.config";
const INPUT: &str = "elision.cli.input";
const CLASSES: &str = "elision.cli.classes";
const PREPARATION: &str = "elision.cli.preparation";
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
        (CLASSES, json(&experiment.classes)),
        (PREPARATION, json(&experiment.preparation)),
    ];
    let best = best.map(|Best { epoch, score }| {
        let words = format!("{epoch} {} {}", score.loss, score.accuracy);
        (BEST, words)
    });
    let words = words.into_iter().chain(best);
    let words = words.map(|(name, word)| (name.to_owned(), word));
    checkpoint.metadata.extend(words);
}

/// Plain values always have a text.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
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

/// A trained model with all that it takes to use it.
pub(crate) struct Trained {
    pub(crate) config: Config,
    /// The shape of a sample.
    pub(crate) input: Vec<usize>,
    pub(crate) classes: Vec<String>,
    pub(crate) preparation: Preparation,
    pub(crate) model: Sequential,
}

impl Trained {
    /// Reads a file.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let checkpoint = load(path)?;
        Self::new(&checkpoint).map_err(|text| fault(path, text))
    }

    fn new(checkpoint: &Checkpoint) -> Result<Self, String> {
        let config = config(checkpoint)?;
        let input = word(checkpoint, INPUT)?.split(' ').map(str::parse);
        let input: Vec<usize> = input
            .collect::<Result<_, _>>()
            .map_err(|_| format!("{INPUT}: no shape"))?;
        let classes: Vec<String> = parsed(checkpoint, CLASSES)?;
        let preparation: Preparation = parsed(checkpoint, PREPARATION)?;
        let features = input
            .iter()
            .try_fold(1usize, |all, &size| all.checked_mul(size));
        if !preparation.is_sound() || features != Some(preparation.features()) {
            return Err(format!("{PREPARATION}: not for samples of this shape"));
        }
        // Nothing is trained here, so the number of rows does not matter.
        let model = network::build(&config, &input, classes.len(), 1);
        let mut model = model.map_err(|misfit| misfit.to_string())?;
        checkpoint
            .apply(&mut model)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            config,
            input,
            classes,
            preparation,
            model,
        })
    }
}

fn parsed<T: DeserializeOwned>(checkpoint: &Checkpoint, name: &str) -> Result<T, String> {
    serde_json::from_str(word(checkpoint, name)?).map_err(|error| format!("{name}: {error}"))
}
