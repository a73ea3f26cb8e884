//! The configuration of a run: all that its numbers depend on but the data.
//!
//! A TOML file holds one, the flags of `elision train` are turned into one, and every run writes the one that
//! it used: to its folder as `config.toml` and into its checkpoints.

mod data;
mod fault;
mod init;
mod kind;
mod layer;
mod method;
mod model;
mod number;
mod optimizer;
mod rate;
mod table;
mod train;
mod words;

use std::path::Path;

use elision::Key;
use serde::{Deserialize, Serialize};

pub use data::{Data, Validation};
pub use fault::ConfigFault;
pub use init::InitWord;
pub use kind::{Conv, Dense, Kind};
pub use layer::Layer;
pub use method::Method;
pub(crate) use method::Place;
pub use model::Model;
pub use optimizer::{Optimizer, RuleName, ScheduleWords};
pub use rate::RateWords;
pub use train::{Train, WatchName};

pub(crate) use number::{MOST_SEED, MOST_THREADS};

/// The configuration of a run.
///
/// ```
/// use elision_cli::config::Config;
/// let config = Config::parse("[[model.layers]]\nname = 'output'\nkind = 'linear'\n")?;
/// assert_eq!((config.seed, config.train.batch), (1, 64));
/// assert_eq!(Config::parse(&config.to_toml()).as_ref(), Ok(&config));
/// # Ok::<(), elision_cli::config::ConfigFault>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The seed of weights, order of rows, masks, and of the split of data that have none of their own.
    #[serde(default = "number::one", deserialize_with = "number::seed")]
    pub seed: u64,
    /// What is learnt.
    #[serde(default)]
    pub data: Data,
    /// What learns.
    pub model: Model,
    /// How its weights change.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// How long it learns, and on what batches.
    #[serde(default)]
    pub train: Train,
}

impl Config {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ConfigFault`], with the line.
    pub fn parse(text: &str) -> Result<Self, ConfigFault> {
        toml::from_str(text).map_err(|error| ConfigFault::new(text, &error))
    }

    /// Reads a file. A path in `data.set` or `data.dir` is taken as it stands, from the folder of the process.
    ///
    /// # Errors
    /// What is wrong with the file, in one line that names it.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let named = |fault: &dyn std::fmt::Display| format!("{}: {fault}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        Self::parse(&text).map_err(|fault| named(&fault))
    }

    /// The text of a file that [`parse`](Config::parse) reads as this configuration.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// The key of the run.
    pub(crate) fn key(&self) -> Key {
        Key::new(self.seed)
    }

    /// The same without any dropout.
    pub(crate) fn without_dropout(&self) -> Self {
        let mut config = self.clone();
        config.model.for_each_rate_mut(&mut |rate| *rate = 0.0);
        config.model.drop_elements();
        config.train.rate_schedule = None;
        config
    }

    /// Whether anything is ever dropped.
    pub(crate) fn drops(&self) -> bool {
        self.has_rate() || self.model.has_noise_without_rate()
    }

    /// Whether a layer drops with a probability that is given.
    pub(crate) fn has_rate(&self) -> bool {
        self.model.rates().iter().any(|&rate| rate > 0.0)
    }
}
