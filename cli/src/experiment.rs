//! A configuration with its data: what a run needs.

use std::sync::Arc;

use elision::nn::Sequential;
use elision::train::{Optimizer, Samples, Targets, Trainer};
use elision::{Error, Tensor};

use crate::config::Config;
use crate::data::{Dataset, Located, Part, Preparation};
use crate::failure::Failure;
use crate::network;

/// A configuration with its data.
#[derive(Debug)]
pub(crate) struct Experiment {
    pub(crate) config: Config,
    /// A short name of the data, fit for a folder.
    pub(crate) name: String,
    /// The shape of a sample.
    pub(crate) input: Vec<usize>,
    pub(crate) classes: Vec<String>,
    /// What made the samples of the rows of the files.
    pub(crate) preparation: Preparation,
    pub(crate) train: Arc<Samples>,
    pub(crate) validation: Option<Arc<Samples>>,
    pub(crate) test: Arc<Samples>,
}

impl Experiment {
    /// Reads the data.
    pub(crate) fn load(config: Config) -> Result<Self, Failure> {
        let source = config.source().map_err(Failure::Flags)?;
        let Dataset {
            name,
            features,
            classes,
            preparation,
            train,
            validation,
            test,
        } = source
            .load_held_out(config.hold_out())
            .map_err(|Located { path, fault }| Failure::Data { path, fault })?;
        let input = shape(&config, features)?;
        let samples = |part| {
            samples(part, &input)
                .map(Arc::new)
                .map_err(Failure::Network)
        };
        Ok(Self {
            name,
            classes,
            preparation,
            train: samples(train)?,
            validation: validation.map(samples).transpose()?,
            test: samples(test)?,
            config,
            input,
        })
    }

    /// The same data for another configuration, which says the same of them.
    pub(crate) fn with(&self, config: Config) -> Self {
        Self {
            config,
            name: self.name.clone(),
            input: self.input.clone(),
            classes: self.classes.clone(),
            preparation: self.preparation.clone(),
            train: Arc::clone(&self.train),
            validation: self.validation.clone(),
            test: Arc::clone(&self.test),
        }
    }

    /// Rows of a step.
    pub(crate) fn batch(&self) -> usize {
        self.config.train.batch.min(self.train.rows())
    }

    /// Steps of an epoch.
    pub(crate) fn steps_per_epoch(&self) -> u64 {
        self.train.rows().div_ceil(self.batch()) as u64
    }

    /// A trainer before its first step. Two that differ in their rates alone begin with the same weights and see
    /// the same rows in the same order.
    pub(crate) fn trainer(&self) -> Result<Trainer<Sequential>, Failure> {
        let Config {
            optimizer, train, ..
        } = &self.config;
        let model = network::build(&self.config, &self.input, self.classes.len())
            .map_err(|misfit| Failure::Flags(format!("model: {misfit}")))?;
        let steps = self.steps_per_epoch() * self.config.epochs();
        let optimizer = optimizer.config(steps).and_then(Optimizer::new);
        let optimizer = optimizer.map_err(Failure::Network)?;
        let key = self.config.key().named("train");
        let trainer = Trainer::new(model, optimizer, train.loss, key).accumulate(train.accumulate);
        match train.r_drop {
            None => trainer,
            Some(alpha) => trainer.and_then(|trainer| trainer.r_drop(alpha)),
        }
        .map_err(Failure::Network)
    }
}

/// The shape of a sample, of as many elements as there are features.
fn shape(config: &Config, features: usize) -> Result<Vec<usize>, Failure> {
    let Some(input) = &config.model.input else {
        return Ok(vec![features]);
    };
    let count = input
        .iter()
        .try_fold(1usize, |all, &size| all.checked_mul(size));
    match count {
        Some(count) if count == features && !input.is_empty() => Ok(input.clone()),
        _ => Err(Failure::Flags(format!(
            "model.input: {input:?} are not the {features} features of a sample"
        ))),
    }
}

/// Rows as samples of that shape.
pub(crate) fn samples(part: Part, input: &[usize]) -> Result<Samples, Error> {
    let shape = [&[part.rows()], input].concat();
    Samples::new(
        Tensor::from_vec(part.x, &shape)?,
        Targets::Labels(part.labels),
    )
}
