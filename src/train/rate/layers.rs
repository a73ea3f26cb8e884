//! The layers whose rate is set during a run.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::nn::{self, Layer};

/// Some layers of a model, by their paths, with the rates that they had.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RatedLayers {
    own: BTreeMap<String, f64>,
    /// Whether what is set is a factor of the rates that they had.
    relative: bool,
}

impl RatedLayers {
    /// All that drop.
    pub(super) fn dropping(model: &dyn Layer) -> Result<Self> {
        Self::new(nn::rates(model).into_iter().collect(), "*")
    }

    /// All whose rate can be set and whose path matches.
    pub(super) fn matching(model: &dyn Layer, pattern: &str) -> Result<Self> {
        let all = nn::settable_rates(model).into_iter();
        let own = all.filter(|(path, _)| nn::path_matches(pattern, path));
        Self::new(own.collect(), pattern)
    }

    fn new(own: BTreeMap<String, f64>, pattern: &str) -> Result<Self> {
        if own.is_empty() {
            return Err(Error::Pattern(pattern.to_owned()));
        }
        let relative = false;
        Ok(Self { own, relative })
    }

    pub(super) fn relative(self) -> Self {
        Self {
            relative: true,
            ..self
        }
    }

    /// Sets the rate, or the factor, of all of them.
    pub(super) fn set(&self, model: &mut dyn Layer, p: f64) -> Result<()> {
        nn::for_each_rate_mut(model, &mut |path, layer| match self.own.get(path) {
            Some(own) if self.relative => layer.set_rate(own * p),
            Some(_) => layer.set_rate(p),
            None => Ok(()),
        })
    }
}
