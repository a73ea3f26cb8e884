//! A network that learns, built from the library's public interface.

use std::time::{Duration, Instant};

use elision::nn::{Dropout, Linear, Sequential};
use elision::train::{Loss, Optimizer, OptimizerConfig, Rule, Samples, Target, Targets, Trainer};
use elision::{Activation, Key, Result, Tensor, View};

use crate::data::Part;
use crate::metrics::Score;

/// Rows that are evaluated at a time, so that evaluation needs no more memory than large batches do.
const EVALUATED: usize = 1024;

/// The children of a seed's key; a split of a CSV file uses the key itself.
enum Child {
    Weights,
    Masks,
    Order,
}

/// What both runs have in common.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) inputs: usize,
    pub(crate) hidden: Vec<usize>,
    pub(crate) classes: usize,
    pub(crate) activation: Activation,
    pub(crate) optimizer: OptimizerChoice,
    pub(crate) key: Key,
}

/// The optimiser and its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum OptimizerChoice {
    Adam { rate: f32 },
    Sgd { rate: f32, momentum: f32 },
}

/// The drop probabilities of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rates {
    pub(crate) input: f64,
    /// One for each hidden layer.
    pub(crate) hidden: Vec<f64>,
}

impl Rates {
    /// The same number of layers without dropout.
    pub(crate) fn none(&self) -> Self {
        Self {
            input: 0.0,
            hidden: vec![0.0; self.hidden.len()],
        }
    }

    /// Whether nothing is ever dropped.
    pub(crate) fn are_zero(&self) -> bool {
        *self == self.none()
    }

    /// The input's, then the layers'.
    pub(crate) fn to_vec(&self) -> Vec<f64> {
        [&[self.input], self.hidden.as_slice()].concat()
    }
}

impl OptimizerChoice {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Adam { .. } => "adam",
            Self::Sgd { .. } => "sgd",
        }
    }

    /// Its learning rate.
    pub(crate) fn rate(self) -> f32 {
        match self {
            Self::Adam { rate } | Self::Sgd { rate, .. } => rate,
        }
    }

    fn build(self) -> Result<Optimizer> {
        let rule = match self {
            Self::Adam { .. } => Rule::adam(),
            Self::Sgd { momentum, .. } => Rule::sgd(momentum),
        };
        Optimizer::new(OptimizerConfig::new(rule, self.rate().into()))
    }
}

impl Network {
    /// Weights and biases; `None` if their number overflows.
    pub(crate) fn parameters(&self) -> Option<usize> {
        let mut inputs = self.inputs;
        let mut sum = 0usize;
        for &units in self.hidden.iter().chain([&self.classes]) {
            sum = sum.checked_add(inputs.checked_add(1)?.checked_mul(units)?)?;
            inputs = units;
        }
        Some(sum)
    }

    /// A fresh network. Two with different rates begin with the same weights.
    pub(crate) fn learner(&self, rates: &Rates) -> Result<Learner> {
        let key = self.key.fold_in(Child::Weights as u64);
        let mut model = Sequential::new().with("input", Dropout::new(rates.input)?)?;
        let mut inputs = self.inputs;
        for (i, (&units, &p)) in (1..).zip(self.hidden.iter().zip(&rates.hidden)) {
            let name = format!("hidden{i}");
            let layer = Linear::new(inputs, units, key.named(&name))?;
            model = model.with(&name, layer.activation(self.activation).dropout(p)?)?;
            inputs = units;
        }
        let output = Linear::new(inputs, self.classes, key.named("output"))?;
        let trainer = Trainer::new(
            model.with("output", output)?,
            self.optimizer.build()?,
            Loss::CrossEntropy { smoothing: 0.0 },
            self.key.fold_in(Child::Masks as u64),
        );
        Ok(Learner {
            trainer,
            features: self.inputs,
            x: Vec::new(),
            labels: Vec::new(),
        })
    }

    /// The order of rows in an epoch: the same for both runs.
    pub(crate) fn order(&self, epoch: usize, rows: usize) -> Vec<usize> {
        elision::train::shuffled(
            self.key.fold_in(Child::Order as u64).fold_in(epoch as u64),
            rows,
        )
    }
}

/// A network in training, and room for a batch.
pub(crate) struct Learner {
    trainer: Trainer<Sequential>,
    features: usize,
    x: Vec<f32>,
    labels: Vec<u32>,
}

impl Learner {
    /// Puts rows together as the next batch.
    pub(crate) fn gather(&mut self, part: &Part, rows: &[usize]) {
        self.x.clear();
        self.labels.clear();
        for &row in rows {
            self.x
                .extend_from_slice(&part.x[row * self.features..][..self.features]);
            self.labels.push(part.labels[row]);
        }
    }

    /// One step on the batch that [`gather`](Learner::gather) put together, and how long it took.
    pub(crate) fn step(&mut self) -> Result<(Sum, Duration)> {
        let x = View::contiguous(&self.x, &[self.labels.len(), self.features])?;
        let start = Instant::now();
        let batch = self.trainer.step(x, &Target::Labels(&self.labels))?;
        Ok((
            Sum::new(batch.loss, batch.correct, batch.rows),
            start.elapsed(),
        ))
    }

    /// Loss and accuracy without dropout.
    pub(crate) fn evaluate(&self, part: &Part) -> Result<Score> {
        let mut sum = Sum::default();
        let pieces = part
            .x
            .chunks(EVALUATED * self.features)
            .zip(part.labels.chunks(EVALUATED));
        for (x, labels) in pieces {
            let x = Tensor::from_slice(x, &[labels.len(), self.features])?;
            let piece = Samples::new(x, Targets::Labels(labels.to_vec()))?;
            let batch = self.trainer.evaluate(&piece)?;
            sum.add(Sum::new(batch.loss, batch.correct, batch.rows));
        }
        Ok(sum.score())
    }
}

/// Sums over rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    loss: f64,
    correct: usize,
    pub(crate) rows: usize,
}

impl Sum {
    fn new(mean_loss: f64, correct: usize, rows: usize) -> Self {
        Self {
            loss: mean_loss * rows as f64,
            correct,
            rows,
        }
    }

    /// Adds the rows of another.
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.rows += other.rows;
    }

    /// The means.
    pub(crate) fn score(self) -> Score {
        let rows = self.rows.max(1) as f64;
        Score {
            loss: self.loss / rows,
            accuracy: self.correct as f64 / rows,
        }
    }
}
