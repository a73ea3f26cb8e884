//! The drop probabilities during a run.

use elision::Result;
use elision::nn::Layer;
use elision::train::{
    self, Callback, Checkpoint, Control, RateCallback, RateController, RateFeedback, TrainerState,
};

use crate::config::RateWords;
use crate::experiment::Experiment;

/// What sets them.
pub(crate) enum Rates<'a> {
    /// Nothing: they stay as the model was built.
    Fixed,
    Scheduled(RateCallback),
    Steered(RateFeedback<'a>),
}

impl<'a> Rates<'a> {
    /// For the model of a trainer before its first step.
    pub(crate) fn new(experiment: &'a Experiment, model: &dyn Layer) -> Result<Self> {
        let config = &experiment.config.train;
        let relative = config.rate_factor;
        Ok(match &config.rate_schedule {
            None => Self::Fixed,
            Some(RateWords::Schedule(schedule)) => {
                let steps = experiment.steps_per_epoch();
                let callback = RateCallback::new(schedule.clone(), steps, model)?;
                Self::Scheduled(match relative {
                    true => callback.relative(),
                    false => callback,
                })
            }
            Some(RateWords::Feedback(settings)) => {
                let controller = RateController::new(*settings)?;
                let feedback =
                    RateFeedback::new(controller, config.loss, &experiment.train, model)?;
                Self::Steered(match relative {
                    true => feedback.relative(),
                    false => feedback,
                })
            }
        })
    }

    /// Puts in what a checkpoint needs besides the number of steps.
    pub(super) fn note(&self, checkpoint: &mut Checkpoint) {
        if let Self::Steered(feedback) = self {
            feedback.controller().note(checkpoint);
        }
    }

    /// Takes it out.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        match self {
            Self::Steered(feedback) => feedback.controller_mut().restore(checkpoint),
            Self::Fixed | Self::Scheduled(_) => Ok(()),
        }
    }
}

impl Callback for Rates<'_> {
    fn before_step(&mut self, step: u64, model: &mut dyn Layer) -> Result<()> {
        match self {
            Self::Fixed => Ok(()),
            Self::Scheduled(callback) => callback.before_step(step, model),
            Self::Steered(feedback) => feedback.before_step(step, model),
        }
    }

    fn epoch(&mut self, epoch: &train::Epoch, trainer: &dyn TrainerState) -> Result<Control> {
        match self {
            Self::Steered(feedback) => feedback.epoch(epoch, trainer),
            Self::Fixed | Self::Scheduled(_) => Ok(Control::Continue),
        }
    }
}
