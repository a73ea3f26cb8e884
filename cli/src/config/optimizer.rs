//! The section `[optimizer]`.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use elision::train::{OptimizerConfig, Rule, Schedule};
use serde::{Deserialize, Serialize};

use super::{number, words};

/// How weights change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// The rule.
    pub rule: RuleName,
    /// 0.001 for Adam and AdamW, 0.05 for SGD, if it is not said.
    #[serde(deserialize_with = "number::maybe_positive")]
    pub learning_rate: Option<f64>,
    /// How the learning rate goes on.
    #[serde(with = "words")]
    pub schedule: ScheduleWords,
    /// Of SGD; 0.9 if it is not said.
    #[serde(deserialize_with = "number::maybe_share")]
    pub momentum: Option<f64>,
    /// Of SGD: whether the step looks ahead along the velocity.
    pub nesterov: Option<bool>,
    /// Of Adam and AdamW: decay of the mean of the gradients; 0.9 if it is not said.
    #[serde(deserialize_with = "number::maybe_share")]
    pub beta1: Option<f64>,
    /// Of Adam and AdamW: decay of the mean of their squares; 0.999 if it is not said.
    #[serde(deserialize_with = "number::maybe_share")]
    pub beta2: Option<f64>,
    /// Of Adam and AdamW: added to the root of the mean square; 1e-8 if it is not said.
    #[serde(deserialize_with = "number::maybe_positive")]
    pub epsilon: Option<f64>,
    /// Of weights: in the gradient, or beside it with AdamW.
    #[serde(deserialize_with = "number::weight")]
    pub weight_decay: f64,
    /// The factor of the weights' signs in their gradient.
    #[serde(deserialize_with = "number::weight")]
    pub l1: f64,
    /// The largest norm of the weights that come into a unit.
    #[serde(deserialize_with = "number::maybe_positive")]
    pub max_norm: Option<f64>,
    /// The largest norm of all gradients together.
    #[serde(deserialize_with = "number::maybe_positive")]
    pub clip_norm: Option<f64>,
    /// The largest magnitude of an element of a gradient.
    #[serde(deserialize_with = "number::maybe_positive")]
    pub clip_value: Option<f64>,
}

/// The rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lower")]
pub enum RuleName {
    /// Adam.
    #[default]
    Adam,
    /// Adam with weight decay beside the gradient.
    AdamW,
    /// Stochastic gradient descent.
    Sgd,
}

impl RuleName {
    /// Its name in a file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::Sgd => "sgd",
        }
    }
}

impl Optimizer {
    /// Puts the numbers in that are not said.
    pub(super) fn complete(&mut self) {
        let (rate, momentum) = match self.rule {
            RuleName::Sgd => (0.05, Some(0.9)),
            RuleName::Adam | RuleName::AdamW => (0.001, None),
        };
        self.learning_rate = self.learning_rate.or(Some(rate));
        self.momentum = self.momentum.or(momentum);
    }

    /// A setting that the rule does not have.
    pub(super) fn check(&self) -> Result<(), String> {
        let of_sgd = [
            ("momentum", self.momentum.is_some()),
            ("nesterov", self.nesterov.is_some()),
        ];
        let of_adam = [
            ("beta1", self.beta1.is_some()),
            ("beta2", self.beta2.is_some()),
            ("epsilon", self.epsilon.is_some()),
        ];
        let wrong = match self.rule {
            RuleName::Sgd => of_adam.iter().find(|(_, given)| *given),
            RuleName::Adam | RuleName::AdamW => of_sgd.iter().find(|(_, given)| *given),
        };
        match wrong {
            Some((name, _)) => Err(format!("{name}: {} has none", self.rule.name())),
            None => Ok(()),
        }
    }

    /// The library's configuration for a run of so many steps.
    pub(crate) fn config(&self, steps: u64) -> Result<OptimizerConfig, elision::Error> {
        let mut full = self.clone();
        full.complete();
        let or = |x: Option<f64>, other: f32| x.map_or(other, |x| x as f32);
        let rule = match self.rule {
            RuleName::Sgd => Rule::Sgd {
                momentum: or(full.momentum, 0.9),
                nesterov: self.nesterov.unwrap_or(false),
            },
            RuleName::Adam | RuleName::AdamW => Rule::Adam {
                beta1: or(self.beta1, 0.9),
                beta2: or(self.beta2, 0.999),
                epsilon: or(self.epsilon, 1e-8),
                decoupled: self.rule == RuleName::AdamW,
            },
        };
        let narrow = |x: Option<f64>| x.map(|x| x as f32);
        Ok(OptimizerConfig {
            schedule: self.schedule.over(steps)?,
            weight_decay: self.weight_decay as f32,
            l1: self.l1 as f32,
            max_norm: narrow(self.max_norm),
            clip_norm: narrow(self.clip_norm),
            clip_value: narrow(self.clip_value),
            ..OptimizerConfig::new(rule, full.learning_rate.unwrap_or_default())
        })
    }
}

/// The words of a [`Schedule`], in which a cosine or a cycle without a length, `cosine`, `cosine::0.1` or
/// `one-cycle`, spans what a warm-up leaves of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleWords(String);

impl Default for ScheduleWords {
    fn default() -> Self {
        Self("constant".to_owned())
    }
}

impl ScheduleWords {
    /// The schedule of a run of so many steps.
    pub(crate) fn over(&self, steps: u64) -> Result<Schedule, elision::Error> {
        let (warm, rest) = match self.0.split_once('+') {
            Some((warm, rest)) => (Some(warm), rest),
            None => (None, self.0.as_str()),
        };
        let words: Vec<&str> = rest.split(':').collect();
        let open = matches!(
            words[..],
            ["cosine" | "one-cycle"] | ["cosine" | "one-cycle", "", ..]
        );
        if !open {
            return self.0.parse();
        }
        let warm_steps = warm.and_then(|warm| warm.strip_prefix("warmup:")?.parse::<u64>().ok());
        let left = steps.saturating_sub(warm_steps.unwrap_or(0)).max(1);
        let mut full = format!("{}:{left}", words[0]);
        for word in words.iter().skip(2) {
            full.push_str(&format!(":{word}"));
        }
        match warm {
            Some(warm) => format!("{warm}+{full}").parse(),
            None => full.parse(),
        }
    }
}

impl FromStr for ScheduleWords {
    type Err = elision::Error;

    fn from_str(words: &str) -> Result<Self, elision::Error> {
        let schedule = Self(words.to_owned());
        schedule.over(1_000_000).map(|_| schedule)
    }
}

impl fmt::Display for ScheduleWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
