//! A trainer as a checkpoint, and back.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::checkpoint::Checkpoint;
use super::optimizer::State;
use super::rule::Rule;
use super::trainer::Trainer;
use crate::error::{CheckpointFault, Error, Result};
use crate::key::Key;
use crate::nn::Layer;
use crate::tensor::Tensor;

const VERSION: &str = "elision.version";
const KEY: &str = "elision.key";
const STEP: &str = "elision.step";
/// The weight of R-Drop's divergence, in runs that have one.
const R_DROP: &str = "elision.r_drop";
/// Steps of a parameter that has fewer than the run.
const STEPS: &str = "elision.steps.";
/// The running means of a parameter.
const STATE: &str = "optimizer.";
const FIRST: &str = "optimizer.first.";
const SECOND: &str = "optimizer.second.";

impl<M: Layer> Trainer<M> {
    /// All that [`restore`](Trainer::restore) needs: the model's tensors, `optimizer.first.<path>` and, of Adam,
    /// `optimizer.second.<path>`; the key and the number of steps; and what the run was told, as words.
    ///
    /// # Errors
    /// [`Error::Name`] if two parameters of the model have one path.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::of_model(self.model());
        let all = self.model().named_parameters();
        if all.len() != checkpoint.tensors.len() {
            return Err(Error::Name(twice(all.into_iter().map(|(path, _)| path))));
        }
        let Checkpoint { tensors, metadata } = &mut checkpoint;
        for (path, state) in self.optimizer().states() {
            tensors.insert(format!("{FIRST}{path}"), state.first.clone());
            if let Some(second) = &state.second {
                tensors.insert(format!("{SECOND}{path}"), second.clone());
            }
            if state.steps != self.steps() {
                metadata.insert(format!("{STEPS}{path}"), state.steps.to_string());
            }
        }
        let key = format!("{:032x}", self.key().to_u128());
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let own = [
            (VERSION, version),
            (KEY, key),
            (STEP, self.steps().to_string()),
        ];
        let settings = self.settings().into_iter();
        let words = own.into_iter().chain(settings);
        metadata.extend(words.map(|(name, word)| (name.to_owned(), word)));
        Ok(checkpoint)
    }

    /// Puts the trainer where the other one was when it made the checkpoint: the steps that follow are bit for bit
    /// those that would have followed there. Model, optimiser, loss, R-Drop and parts of a batch must be alike; drop
    /// probabilities are the caller's, the key is the checkpoint's.
    ///
    /// # Errors
    /// Those of [`Checkpoint::apply`], and [`Error::Checkpoint`] with [`CheckpointFault::Missing`],
    /// [`CheckpointFault::Unknown`] or [`CheckpointFault::Metadata`] if another trainer made it; nothing is then
    /// changed.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        for (name, expected) in self.settings() {
            let found = word(checkpoint, name)?;
            if *found != expected {
                return Err(mismatch(name, &expected, found));
            }
        }
        if let (None, Some(found)) = (self.r_drop_alpha(), checkpoint.metadata.get(R_DROP)) {
            return Err(mismatch(R_DROP, "none", found));
        }
        let steps = number(checkpoint, STEP)?;
        let key = word(checkpoint, KEY)?;
        let bits = u128::from_str_radix(key, 16);
        let bits = bits.map_err(|_| mismatch(KEY, "128 bits in hexadecimal", key))?;
        let rule = self.optimizer().config().rule;
        let states = states(checkpoint, self.model(), rule, steps)?;
        checkpoint.apply(self.model_mut())?;
        self.optimizer_mut().restore(states, steps);
        self.set_key(Key::from_u128(bits));
        Ok(())
    }

    /// What the steps depend on besides the model and the key.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("elision.loss", self.loss().to_string()),
            ("elision.micro_batches", self.micro_batches().to_string()),
            ("elision.optimizer", self.optimizer().config().to_string()),
        ];
        settings.extend(self.r_drop_alpha().map(|alpha| (R_DROP, alpha.to_string())));
        settings
    }
}

/// The first path that comes a second time.
fn twice(paths: impl Iterator<Item = String>) -> String {
    let mut seen = BTreeSet::new();
    let mut again = paths.filter(|path| !seen.insert(path.clone()));
    again.next().unwrap_or_default()
}

fn mismatch(name: &str, expected: &str, found: &str) -> Error {
    Error::Checkpoint(CheckpointFault::Metadata {
        name: name.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    })
}

fn missing(name: &str) -> Error {
    Error::Checkpoint(CheckpointFault::Missing(name.to_owned()))
}

fn word<'a>(checkpoint: &'a Checkpoint, name: &str) -> Result<&'a String> {
    checkpoint.metadata.get(name).ok_or_else(|| missing(name))
}

fn number(checkpoint: &Checkpoint, name: &str) -> Result<u64> {
    let found = word(checkpoint, name)?;
    u64::from_str(found).map_err(|_| mismatch(name, "a number", found))
}

/// The optimiser's state of each parameter that has one.
fn states(
    checkpoint: &Checkpoint,
    model: &dyn Layer,
    rule: Rule,
    steps: u64,
) -> Result<BTreeMap<String, State>> {
    let names = checkpoint.tensors.keys();
    let mut unknown: BTreeSet<&str> = names.map(String::as_str).collect();
    unknown.retain(|name| name.starts_with(STATE));
    let mut states = BTreeMap::new();
    for (path, parameter) in model.named_parameters() {
        let shape = parameter.value().shape();
        let [first, second] = [FIRST, SECOND].map(|prefix| format!("{prefix}{path}"));
        if !unknown.remove(first.as_str()) {
            continue;
        }
        unknown.remove(second.as_str());
        let own = format!("{STEPS}{path}");
        let state = State {
            first: tensor(checkpoint, &first, shape)?,
            second: match rule {
                Rule::Sgd { .. } => None,
                Rule::Adam { .. } => Some(tensor(checkpoint, &second, shape)?),
            },
            steps: match checkpoint.metadata.contains_key(&own) {
                true => number(checkpoint, &own)?,
                false => steps,
            },
        };
        states.insert(path, state);
    }
    match unknown.first() {
        Some(name) => {
            let fault = CheckpointFault::Unknown((*name).to_owned());
            Err(Error::Checkpoint(fault))
        }
        None => Ok(states),
    }
}

fn tensor(checkpoint: &Checkpoint, name: &str, shape: &[usize]) -> Result<Tensor> {
    let tensor = checkpoint.tensors.get(name).ok_or_else(|| missing(name))?;
    if tensor.shape() == shape {
        return Ok(tensor.clone());
    }
    Err(Error::Checkpoint(CheckpointFault::Shape {
        tensor: name.to_owned(),
        expected: shape.into(),
        found: tensor.shape().into(),
    }))
}
