//! One run, measured at some of its steps.

use elision::nn::{Layer, Sequential};
use elision::train::diagnose::{RealisedRates, diagnose, distance, draw_batches};
use elision::train::{Callback, Control, Fit, Progress};
use elision::{Key, Result};

use super::grid;
use super::results::{Point, Run};
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::stop::Stop;
use crate::training::{Rates, name};

/// How runs are measured.
pub(super) struct Protocol {
    pub(super) stop: Stop,
    /// Mini-batch gradients at a step.
    pub(super) batches: usize,
    /// Steps at most.
    pub(super) points: u32,
}

/// Trains, and measures on the way; `None` after Ctrl-C.
pub(super) fn measured(
    experiment: &Experiment,
    protocol: &Protocol,
) -> std::result::Result<Option<Run>, Failure> {
    let mut trainer = experiment.trainer()?;
    let epochs = experiment.config.epochs();
    let last = experiment.steps_per_epoch() * epochs;
    let recorder = Recorder {
        experiment,
        protocol,
        steps: grid::steps(protocol.points, last),
        // Batches and masks of the measurements are none of training, and the same for both runs of a seed.
        key: trainer.key().named("diagnose"),
        start: trainer.model().clone(),
        points: Vec::new(),
    };
    let fit = Fit::new(epochs, experiment.batch());
    let rates = Rates::new(experiment, trainer.model()).map_err(Failure::Network)?;
    // The rate of a step is set before the step is measured.
    let mut both = (rates, recorder);
    let validation = experiment.validation.as_deref();
    let history = trainer.fit(&experiment.train, validation, &fit, &mut both);
    history.map_err(Failure::Work)?;
    let (_, mut recorder) = both;
    if protocol.stop.asked() {
        return Ok(None);
    }
    let measured = recorder.measure(trainer.steps(), trainer.model());
    measured.map_err(Failure::Work)?;
    let rates = recorder.rates(trainer.steps(), trainer.model());
    Ok(Some(Run {
        seed: experiment.config.seed,
        name: name(experiment),
        points: recorder.points,
        rates: rates.map_err(Failure::Work)?,
    }))
}

/// Measures a run as it goes on.
struct Recorder<'a> {
    experiment: &'a Experiment,
    protocol: &'a Protocol,
    steps: Vec<u64>,
    key: Key,
    /// The model before the first step.
    start: Sequential,
    points: Vec<Point>,
}

impl Recorder<'_> {
    fn measure(&mut self, step: u64, model: &dyn Layer) -> Result<()> {
        let (samples, loss) = (&self.experiment.train, &self.experiment.config.train.loss);
        let key = self.key.fold_in(step);
        let found = diagnose(model, loss, samples, &self.batches(step), key)?;
        let batches = found.batches;
        let undefined = f64::NAN;
        self.points.push(Point {
            step,
            epoch: step as f64 / self.experiment.steps_per_epoch() as f64,
            values: [
                batches.norm,
                batches.norm_deviation,
                found.full_norm,
                batches.gdv.unwrap_or(undefined),
                batches.gde.unwrap_or(undefined),
                distance(model, &self.start)?,
                found.full.loss,
            ],
        });
        let last = self.steps.last().copied().unwrap_or(step);
        let seed = self.experiment.config.seed;
        eprintln!(
            "seed {seed}, {}: step {step} of {last} is measured",
            name(self.experiment)
        );
        Ok(())
    }

    /// What is dropped in the batches of a measurement.
    fn rates(&self, step: u64, model: &dyn Layer) -> Result<RealisedRates> {
        let key = self.key.fold_in(step);
        RealisedRates::of(model, &self.experiment.train, &self.batches(step), key)
    }

    fn batches(&self, step: u64) -> Vec<Vec<usize>> {
        let (rows, batch) = (self.experiment.train.rows(), self.experiment.batch());
        draw_batches(self.key.fold_in(step), rows, batch, self.protocol.batches)
    }
}

impl Callback for Recorder<'_> {
    fn before_step(&mut self, step: u64, model: &mut dyn Layer) -> Result<()> {
        match self.steps.contains(&step) && !self.protocol.stop.asked() {
            true => self.measure(step, model),
            false => Ok(()),
        }
    }

    fn batch(&mut self, _: &Progress) -> Control {
        match self.protocol.stop.asked() {
            true => Control::Stop,
            false => Control::Continue,
        }
    }
}
