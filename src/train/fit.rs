//! The loop over epochs, without I/O.

use super::batch::Batch;
use super::callback::{Callback, Control, Epoch, History, Progress, Stopped};
use super::data::shuffled;
use super::samples::{Samples, Targets};
use super::trainer::Trainer;
use super::watch::{Best, Watch};
use crate::error::{Error, Result};
use crate::nn::Layer;

/// How long to train, on what batches, and when to stop before.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The number of the last epoch; they count from 1.
    pub epochs: u64,
    /// Rows of a batch; the last one of an epoch may have fewer.
    pub batch: usize,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// Training stops after so many epochs in a row that were no better than the best.
    pub patience: Option<u64>,
    /// What is better.
    pub watch: Watch,
    /// Whether the best epoch's model is put back after the last epoch, or when patience has run out.
    pub keep_best: bool,
}

impl Fit {
    /// All epochs, shuffled.
    #[must_use]
    pub const fn new(epochs: u64, batch: usize) -> Self {
        Self {
            epochs,
            batch,
            shuffle: true,
            patience: None,
            watch: Watch::Loss,
            keep_best: false,
        }
    }

    fn check(&self, train: &Samples, validation: Option<&Samples>) -> Result<()> {
        if self.batch == 0 || train.rows() == 0 {
            return Err(Error::Empty("a batch"));
        }
        if self.patience == Some(0) {
            let (what, value) = ("patience", 0.0);
            return Err(Error::Number { what, value });
        }
        if self.patience.is_none() && !self.keep_best {
            return Ok(());
        }
        match validation.map(Samples::targets) {
            None => Err(Error::Unsupported(
                "early stopping and the best model need a validation part",
            )),
            Some(Targets::Values(_)) if self.watch == Watch::Accuracy => {
                Err(Error::Unsupported("accuracy needs labels as targets"))
            }
            Some(_) => Ok(()),
        }
    }
}

/// The batches of an epoch.
struct Batches<'a> {
    samples: &'a Samples,
    order: Vec<usize>,
    size: usize,
}

impl<M: Layer + Clone> Trainer<M> {
    /// Trains until the last epoch is complete, or it is stopped.
    ///
    /// The epoch and the place in it follow from the number of steps done, and the order of an epoch from the key and
    /// its number. So training that was stopped goes on with the next call, and a trainer that was restored at any
    /// step does what it would have done without a stop; only the best epoch is then sought anew. A callback that
    /// stops leaves the model of that step; the best model is put back at an end of another kind.
    ///
    /// ```
    /// use elision::nn::Linear;
    /// use elision::train::{Fit, Loss, Optimizer, OptimizerConfig, Rule, Samples, Targets, Trainer};
    /// use elision::{Key, Tensor};
    /// let x = Tensor::from_slice(&[-1.0, 0.0, 1.0, 2.0], &[4, 1])?;
    /// let y = Tensor::from_slice(&[-1.0, 1.0, 3.0, 5.0], &[4, 1])?;
    /// let line = Samples::new(x, Targets::Values(y))?;
    /// let optimizer = Optimizer::new(OptimizerConfig::new(Rule::sgd(0.0), 0.1))?;
    /// let model = Linear::new(1, 1, Key::new(1))?;
    /// let mut trainer = Trainer::new(model, optimizer, Loss::MeanSquaredError, Key::new(2));
    /// let history = trainer.fit(&line, None, &Fit::new(200, 4), &mut ())?;
    /// assert!(history.epochs[199].train.loss < 1e-6);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Empty`] if there are no samples or batches have no rows, [`Error::Number`] for a patience of 0,
    /// [`Error::Unsupported`] if there is nothing to watch; those of a step and of the callback. Steps before the error
    /// stay done.
    pub fn fit(
        &mut self,
        train: &Samples,
        validation: Option<&Samples>,
        fit: &Fit,
        callback: &mut dyn Callback,
    ) -> Result<History> {
        fit.check(train, validation)?;
        let mut history = History::default();
        let mut best = Best::new(fit.watch);
        while let Some((number, batches)) = self.next_epoch(train, fit) {
            let (stop, epoch) = self.epoch(number, &batches, callback)?;
            let Some(mut epoch) = epoch else {
                history.stopped = Some(Stopped::Callback);
                return Ok(history);
            };
            epoch.validation = validation.map(|part| self.evaluate(part)).transpose()?;
            if let Some(score) = epoch.validation
                && best.see(number, score)
                && fit.keep_best
            {
                best.model = Some(self.model().clone());
            }
            history.best = best.epoch();
            let control = callback.epoch(&epoch, self)?;
            history.epochs.push(epoch);
            if [stop, control].contains(&Control::Stop) {
                history.stopped = Some(Stopped::Callback);
                return Ok(history);
            }
            let waited = number - history.best.unwrap_or(number);
            if fit.patience.is_some_and(|patience| waited >= patience) {
                history.stopped = Some(Stopped::Patience);
                break;
            }
        }
        if let Some(model) = best.model {
            *self.model_mut() = model;
        }
        Ok(history)
    }

    /// The number of the epoch of the next step, and its batches; `None` after the last.
    fn next_epoch<'a>(&self, samples: &'a Samples, fit: &Fit) -> Option<(u64, Batches<'a>)> {
        let (rows, size) = (samples.rows(), fit.batch);
        let epoch = self.steps() / rows.div_ceil(size) as u64 + 1;
        let order = match fit.shuffle {
            true => shuffled(self.key().named("order").fold_in(epoch), rows),
            false => (0..rows).collect(),
        };
        let batches = Batches {
            samples,
            order,
            size,
        };
        (epoch <= fit.epochs).then_some((epoch, batches))
    }

    /// The steps of an epoch that are left; no epoch if the callback stopped before its end.
    fn epoch(
        &mut self,
        number: u64,
        batches: &Batches<'_>,
        callback: &mut dyn Callback,
    ) -> Result<(Control, Option<Epoch>)> {
        let Batches {
            samples,
            order,
            size,
        } = batches;
        let count = order.len().div_ceil(*size) as u64;
        let done = self.steps() % count;
        let (mut train, mut learning_rate) = (Batch::default(), 0.0);
        let mut control = Control::Continue;
        for (batch, rows) in (1..).zip(order.chunks(*size)).skip(done as usize) {
            let step = self.steps();
            callback.before_step(step, self.model_mut())?;
            if let Some(weight) = callback.penalty_weight(step) {
                self.set_penalty_weight(weight)?;
            }
            learning_rate = self.optimizer().learning_rate();
            let seen = self.step_rows(samples, rows)?;
            train = train.and(seen);
            let progress = Progress {
                epoch: number,
                step: self.steps(),
                batch,
                batches: count,
                train: seen,
                learning_rate,
            };
            control = callback.batch(&progress);
            if control == Control::Stop && batch < count {
                return Ok((control, None));
            }
        }
        let epoch = Epoch {
            epoch: number,
            step: self.steps(),
            train,
            validation: None,
            learning_rate,
        };
        Ok((control, Some(epoch)))
    }
}
