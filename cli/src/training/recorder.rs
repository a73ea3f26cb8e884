//! What happens besides the steps: scores, rows, checkpoints, and the reasons to stop.

use std::time::{Duration, Instant};

use elision::Result;
use elision::nn::{Layer, rates};
use elision::train::{self, Batch, Callback, Checkpoint, Control, Samples, TrainerState, WarmUp};

use super::Rates;
use super::output::Output;
use crate::config::{Config, WatchName};
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::metrics::{Epoch, Score};
use crate::output::{BEST, LAST};
use crate::progress::Progress;
use crate::saved::{self, Best};
use crate::stop::Stop;

/// Follows one run.
pub(super) struct Recorder<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) name: &'static str,
    pub(super) stop: &'a Stop,
    pub(super) output: &'a mut Output,
    pub(super) progress: Progress,
    pub(super) epochs: Vec<Epoch>,
    pub(super) best: Option<Best>,
    /// The model of the best epoch, if it is to be kept.
    pub(super) best_model: Option<Checkpoint>,
    /// Whether checkpoints are written.
    pub(super) saves: bool,
    /// What sets the drop probabilities.
    pub(super) rates: Rates<'a>,
    /// A failure that is not the library's.
    pub(super) failure: Option<Failure>,
    clock: Clock,
}

/// The time that steps took.
#[derive(Default)]
struct Clock {
    started: Option<Instant>,
    epoch: Duration,
    seen: Batch,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        experiment: &'a Experiment,
        stop: &'a Stop,
        output: &'a mut Output,
        progress: Progress,
    ) -> Self {
        Self {
            experiment,
            name: super::name(experiment),
            stop,
            output,
            progress,
            epochs: Vec::new(),
            best: None,
            best_model: None,
            saves: true,
            rates: Rates::Fixed,
            failure: None,
            clock: Clock::default(),
        }
    }

    fn row(&mut self, epoch: &train::Epoch, model: &dyn Layer) -> Result<Epoch> {
        let Experiment {
            config,
            train,
            test,
            ..
        } = self.experiment;
        let score = |samples: &Samples| -> Result<Score> {
            Ok(train::evaluate(model, &config.train.loss, samples)?.into())
        };
        let before = self.epochs.last().map_or(0.0, |epoch| epoch.seconds);
        let seconds = self.clock.epoch.as_secs_f64();
        Ok(Epoch {
            number: epoch.epoch,
            batch: epoch.train.into(),
            train: config
                .train
                .score_training
                .then(|| score(train))
                .transpose()?,
            validation: epoch.validation.map(Score::from),
            test: score(test)?,
            learning_rate: epoch.learning_rate,
            drop_rate: mean_rate(config, model),
            seconds: before + seconds,
            samples_per_second: self.clock.rate(),
        })
    }

    /// Notes whether the epoch is the best.
    fn judge(&mut self, epoch: &Epoch) -> bool {
        let Some(score) = epoch.validation else {
            return false;
        };
        let is_better = match &self.best {
            None => true,
            Some(best) => improves(self.experiment.config.train.watch, score, best.score),
        };
        if is_better {
            let epoch = epoch.number;
            self.best = Some(Best { epoch, score });
        }
        is_better
    }

    /// What is written after an epoch.
    fn write(
        &mut self,
        row: &Epoch,
        is_best: bool,
        trainer: &dyn TrainerState,
    ) -> std::result::Result<(), Failure> {
        self.output.metrics()?.push(self.name, row)?;
        let train = &self.experiment.config.train;
        if is_best && (self.saves || train.keep_best) {
            let mut best = Checkpoint::of_model(trainer.model());
            saved::describe(&mut best, self.experiment, self.best);
            if self.saves {
                self.output.save(BEST, &best)?;
            }
            self.best_model = train.keep_best.then_some(best);
        }
        let is_due = row.number.is_multiple_of(train.save_every as u64);
        if is_due || row.number == self.experiment.config.epochs() {
            self.save(trainer)?;
        }
        Ok(())
    }

    /// Writes the state of the run.
    pub(super) fn save(&mut self, trainer: &dyn TrainerState) -> std::result::Result<(), Failure> {
        if !self.saves {
            return Ok(());
        }
        let mut last = trainer.checkpoint().map_err(Failure::Work)?;
        saved::describe(&mut last, self.experiment, self.best);
        self.rates.note(&mut last);
        self.output.save(LAST, &last)
    }

    fn ran_out_of_patience(&self, epoch: u64) -> bool {
        let waited = self.best.map_or(0, |best| epoch.saturating_sub(best.epoch));
        let patience = self.experiment.config.train.patience;
        patience.is_some_and(|patience| waited >= patience)
    }

    /// Whether the run ended before its last epoch because it got no better; Ctrl-C is another reason.
    pub(super) fn is_over(&self) -> bool {
        let last = self.epochs.last().map_or(0, |epoch| epoch.number);
        last >= self.experiment.config.epochs() || self.ran_out_of_patience(last)
    }
}

/// Over the layers that the configuration lets drop.
fn mean_rate(config: &Config, model: &dyn Layer) -> f64 {
    let dropping = config.model.rates().into_iter().filter(|&rate| rate > 0.0);
    let sum: f64 = rates(model).into_iter().map(|(_, rate)| rate).sum();
    sum / dropping.count().max(1) as f64
}

/// A score that is NaN is no improvement, and any other is one on NaN.
fn improves(watch: WatchName, score: Score, on: Score) -> bool {
    let [new, old] = [score, on].map(|score| match watch {
        WatchName::Loss => -score.loss,
        WatchName::Accuracy => score.accuracy,
    });
    new > old || old.is_nan() && !new.is_nan()
}

impl Clock {
    /// Rows a second in this epoch.
    fn rate(&self) -> f64 {
        self.seen.rows as f64 / self.epoch.as_secs_f64().max(1e-9)
    }
}

impl Callback for Recorder<'_> {
    fn penalty_weight(&mut self, step: u64) -> Option<f64> {
        let [from, to] = self.experiment.config.train.penalty_warm_up?;
        let warm_up = WarmUp::epochs(from, to, self.experiment.steps_per_epoch());
        warm_up.ok().map(|warm_up| warm_up.weight(step))
    }

    fn before_step(&mut self, step: u64, model: &mut dyn Layer) -> Result<()> {
        self.rates.before_step(step, model)?;
        self.clock.started = Some(Instant::now());
        Ok(())
    }

    fn batch(&mut self, progress: &train::Progress) -> Control {
        let clock = &mut self.clock;
        clock.epoch += clock
            .started
            .take()
            .map_or(Duration::ZERO, |start| start.elapsed());
        clock.seen = clock.seen.and(progress.train);
        self.progress
            .step(progress.epoch, clock.seen.into(), clock.rate());
        match self.stop.asked() {
            true => Control::Stop,
            false => Control::Continue,
        }
    }

    fn epoch(&mut self, epoch: &train::Epoch, trainer: &dyn TrainerState) -> Result<Control> {
        let row = self.row(epoch, trainer.model())?;
        self.rates.epoch(epoch, trainer)?;
        self.clock = Clock::default();
        let is_best = self.judge(&row);
        if let Err(failure) = self.write(&row, is_best, trainer) {
            self.failure = Some(failure);
            return Ok(Control::Stop);
        }
        self.progress.epoch(&row);
        self.epochs.push(row);
        match self.ran_out_of_patience(row.number) {
            true => Ok(Control::Stop),
            false => Ok(Control::Continue),
        }
    }
}
