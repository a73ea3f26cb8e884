//! One run from its first step, or from a checkpoint, to its end.

use elision::nn::Sequential;
use elision::train::gather_rows;
use elision::train::{
    Checkpoint, Fit, Samples, Targets, Trainer, evaluate, predict, reestimate_statistics, shuffled,
};

use super::Rates;
use super::output::Output;
use super::recorder::Recorder;
use super::{Session, name};
use crate::curves::Curve;
use crate::dropout_share;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::metrics::Epoch;
use crate::output::MODEL;
use crate::progress::Progress;
use crate::quality::{probabilities, quality};
use crate::report::{Pruned, RunSummary};
use crate::saved::{self, Best};

/// A run that has come to its end.
pub(super) struct Done {
    pub(super) summary: RunSummary,
    pub(super) epochs: Vec<Epoch>,
}

impl Done {
    pub(super) fn curve(&self) -> Curve<'_> {
        Curve {
            name: self.summary.legend(),
            epochs: &self.epochs,
        }
    }
}

/// Where a run begins.
pub(super) struct Start<'a> {
    pub(super) trainer: Trainer<Sequential>,
    pub(super) rates: Rates<'a>,
    /// The epochs that are done.
    pub(super) epochs: Vec<Epoch>,
    pub(super) best: Option<Best>,
    pub(super) best_model: Option<Checkpoint>,
    /// Whether checkpoints are written.
    pub(super) saves: bool,
    /// What the run is called.
    pub(super) name: &'static str,
}

impl<'a> Start<'a> {
    /// At the first step.
    pub(super) fn fresh(experiment: &'a Experiment) -> Result<Self, Failure> {
        let trainer = experiment.trainer()?;
        Ok(Self {
            name: name(experiment),
            rates: Rates::new(experiment, trainer.model()).map_err(Failure::Network)?,
            trainer,
            epochs: Vec::new(),
            best: None,
            best_model: None,
            saves: true,
        })
    }
}

/// A run of its own; `None` after Ctrl-C.
pub(super) fn train(
    session: &Session,
    experiment: &Experiment,
    output: &mut Output,
) -> Result<Option<Done>, Failure> {
    from(session, experiment, output, Start::fresh(experiment)?)
}

/// Two runs that differ in their rates, the second of which is the one whose model is kept.
pub(super) fn compare(
    session: &Session,
    [without, with]: [&Experiment; 2],
    output: &mut Output,
) -> Result<Option<Vec<Done>>, Failure> {
    let mut runs = Vec::with_capacity(2);
    for (experiment, saves) in [(without, false), (with, true)] {
        // Both runs are named by their place, though rates of zero make them alike.
        let name = if saves { "dropout" } else { "no dropout" };
        let start = Start {
            saves,
            name,
            ..Start::fresh(experiment)?
        };
        let Some(mut done) = from(session, experiment, output, start)? else {
            return Ok(None);
        };
        let pair = [without, experiment];
        let share = dropout_share::measure(pair, &session.stop)?;
        done.summary.dropout_share = share;
        if share.is_none() {
            return Ok(None);
        }
        runs.push(done);
    }
    Ok(Some(runs))
}

/// A run from where it begins; `None` after Ctrl-C.
pub(super) fn from(
    session: &Session,
    experiment: &Experiment,
    output: &mut Output,
    start: Start<'_>,
) -> Result<Option<Done>, Failure> {
    let epochs = experiment.config.epochs();
    let mut trainer = start.trainer;
    let steps = experiment.steps_per_epoch();
    let progress = Progress::new(start.name, epochs, steps, trainer.steps());
    let mut recorder = Recorder::new(experiment, &session.stop, output, progress);
    recorder.name = start.name;
    recorder.epochs = start.epochs;
    recorder.best = start.best;
    recorder.best_model = start.best_model;
    recorder.saves = start.saves;
    recorder.rates = start.rates;
    let fit = Fit::new(epochs, experiment.batch());
    let validation = experiment.validation.as_deref();
    if !recorder.is_over() {
        let history = trainer.fit(&experiment.train, validation, &fit, &mut recorder);
        history.map_err(Failure::Work)?;
    }
    if let Some(failure) = recorder.failure.take() {
        return Err(failure);
    }
    if session.stop.asked() && !recorder.is_over() {
        recorder.save(&trainer)?;
        // Even without an epoch the folder stays: the user is told of it.
        recorder.output.metrics()?;
        return Ok(None);
    }
    let Recorder {
        epochs,
        best,
        best_model,
        saves,
        name,
        ..
    } = recorder;
    if let Some(best) = best_model {
        best.apply(trainer.model_mut()).map_err(Failure::Work)?;
    }
    if experiment.config.train.reestimate {
        reestimate(experiment, &mut trainer).map_err(Failure::Work)?;
    }
    if saves {
        let mut model = Checkpoint::of_model(trainer.model());
        saved::describe(&mut model, experiment, best);
        output.save(MODEL, &model)?;
    }
    let mut summary = summary(experiment, trainer.model()).map_err(Failure::Work)?;
    summary.name = name;
    summary.seconds = epochs.last().map_or(0.0, |epoch| epoch.seconds);
    summary.epochs = epochs.last().map_or(0, |epoch| epoch.number);
    summary.best_epoch = best.map(|best| best.epoch);
    Ok(Some(Done { summary, epochs }))
}

/// Batch norm's statistics over the training rows, in batches of an order of their own.
fn reestimate(experiment: &Experiment, trainer: &mut Trainer<Sequential>) -> elision::Result<()> {
    let train = &experiment.train;
    let order = shuffled(trainer.key().named("reestimate"), train.rows());
    let batches: Vec<_> = order
        .chunks(experiment.batch())
        .map(|rows| gather_rows(train.x(), rows))
        .collect::<Result<_, _>>()?;
    reestimate_statistics(trainer.model_mut(), batches.into_iter())
}

fn summary(experiment: &Experiment, model: &Sequential) -> elision::Result<RunSummary> {
    let Experiment {
        config,
        train,
        test,
        ..
    } = experiment;
    let loss = &config.train.loss;
    let training = evaluate(model, loss, train)?;
    let testing = evaluate(model, loss, test)?;
    let outputs = predict(model, test.x())?;
    let quality = quality(&probabilities(&outputs)?, labels(test));
    Ok(RunSummary {
        name: name(experiment),
        seed: config.seed,
        rates: config.model.rates(),
        epochs: 0,
        best_epoch: None,
        train_accuracy: training.accuracy(),
        test_accuracy: quality.accuracy,
        test_loss: testing.loss,
        test_nll: quality.nll,
        test_ece: quality.ece,
        test_brier: quality.brier,
        seconds: 0.0,
        pruned: Pruned::of(model)?,
        dropout_share: None,
    })
}

/// The classes of the rows.
pub(super) fn labels(samples: &Samples) -> &[u32] {
    match samples.targets() {
        Targets::Labels(labels) => labels,
        Targets::Values(_) => &[],
    }
}
