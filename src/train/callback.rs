//! What the loop over epochs tells, and is told.

use super::batch::Batch;
use super::trainer::TrainerState;
use crate::error::Result;
use crate::nn::Layer;

/// A step that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// The batch of the epoch, from 1.
    pub batch: u64,
    /// The batches of an epoch.
    pub batches: u64,
    /// What the step saw.
    pub train: Batch,
    /// The learning rate of the step.
    pub learning_rate: f64,
}

/// An epoch that is complete.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// What its steps saw: each before its change of the model, and with dropout. Of an epoch that was taken up in
    /// its middle, those from there on.
    pub train: Batch,
    /// The validation part in evaluation.
    pub validation: Option<Batch>,
    /// The learning rate of the last step.
    pub learning_rate: f64,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    #[default]
    Continue,
    /// Stop here.
    Stop,
}

impl Control {
    /// Whether one of two says stop.
    fn any(both: [Self; 2]) -> Self {
        match both.contains(&Self::Stop) {
            true => Self::Stop,
            false => Self::Continue,
        }
    }
}

/// Is told how training goes, and may stop it.
pub trait Callback {
    /// Before each step: sets what depends on the number of steps done, such as drop probabilities.
    ///
    /// # Errors
    /// Any; training then ends with it.
    fn before_step(&mut self, _step: u64, _model: &mut dyn Layer) -> Result<()> {
        Ok(())
    }

    /// Before each step: the factor of what layers add to the loss, if it is to be set
    /// ([`Trainer::set_penalty_weight`](super::Trainer::set_penalty_weight)).
    fn penalty_weight(&mut self, _step: u64) -> Option<f64> {
        None
    }

    /// After each step.
    fn batch(&mut self, _progress: &Progress) -> Control {
        Control::Continue
    }

    /// After each epoch.
    ///
    /// # Errors
    /// Any; training then ends with it.
    fn epoch(&mut self, _epoch: &Epoch, _trainer: &dyn TrainerState) -> Result<Control> {
        Ok(Control::Continue)
    }
}

/// Nothing is done.
impl Callback for () {}

/// One after the other; it takes one of them to stop.
impl<A: Callback, B: Callback> Callback for (A, B) {
    fn before_step(&mut self, step: u64, model: &mut dyn Layer) -> Result<()> {
        self.0.before_step(step, model)?;
        self.1.before_step(step, model)
    }

    fn batch(&mut self, progress: &Progress) -> Control {
        let both = [self.0.batch(progress), self.1.batch(progress)];
        Control::any(both)
    }

    fn epoch(&mut self, epoch: &Epoch, trainer: &dyn TrainerState) -> Result<Control> {
        let first = self.0.epoch(epoch, trainer)?;
        Ok(Control::any([first, self.1.epoch(epoch, trainer)?]))
    }
}

/// Why training stopped before its last epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// No epoch was better for too long.
    Patience,
    /// The callback said so.
    Callback,
}

/// What training did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The complete epochs.
    pub epochs: Vec<Epoch>,
    /// The number of the best of them, if there is a validation part.
    pub best: Option<u64>,
    /// Why it stopped before the last; `None` if it did not.
    pub stopped: Option<Stopped>,
}
