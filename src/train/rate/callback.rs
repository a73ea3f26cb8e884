//! A schedule that is followed.

use super::layers::RatedLayers;
use super::schedule::RateSchedule;
use crate::error::{Result, check_number};
use crate::nn::Layer;
use crate::train::Callback;

/// Sets the drop probabilities of a model before each step, as a [`RateSchedule`] says.
///
/// Which layers those are is decided once, by the model as it was built: those that drop then, or those whose
/// name matches a pattern. They all have the schedule's rate; or, [`relative`](RateCallback::relative), the rate that
/// they were built with times the schedule's, so that 0.2 for the input and 0.5 for the hidden layers follow one
/// schedule. Paths that are dropped at rates that grow from block to block keep their proportions so (Liu et al. 2023
/// schedule the last one's rate).
///
/// Rates follow from the number of the step alone: a run that is taken up from a checkpoint, by a callback of a model
/// that was built as the first one was, goes on bit for bit.
///
/// ```
/// use elision::nn::{Linear, Sequential, rates};
/// use elision::train::{Callback, RateCallback};
/// use elision::{Activation, Key};
/// let key = Key::new(1);
/// let mut model = Sequential::new()
///     .with("hidden", Linear::new(3, 8, key.named("hidden"))?.activation(Activation::Relu).dropout(0.5)?)?
///     .with("output", Linear::new(8, 2, key.named("output"))?)?;
/// let mut rate = RateCallback::new("late:0.4@10".parse()?, 100, &model)?;
/// rate.before_step(999, &mut model)?;
/// assert!(rates(&model).is_empty());
/// rate.before_step(1000, &mut model)?;
/// assert_eq!(rates(&model), [("hidden".to_owned(), 0.4)]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// With another callback it makes a pair: `&mut (rate, other)`.
#[derive(Clone, Debug, PartialEq)]
pub struct RateCallback {
    schedule: RateSchedule,
    steps_per_epoch: u64,
    layers: RatedLayers,
}

impl RateCallback {
    /// For the layers of a model that drop.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if an epoch has no steps, [`Error::Pattern`](crate::Error::Pattern) if no layer drops.
    pub fn new(schedule: RateSchedule, steps_per_epoch: u64, model: &dyn Layer) -> Result<Self> {
        let layers = RatedLayers::dropping(model)?;
        Self::with(schedule, steps_per_epoch, layers)
    }

    /// For the layers whose path matches a pattern, with `*` for any characters, whether they drop or not:
    /// [`nn::path_matches`](crate::nn::path_matches).
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if an epoch has no steps, [`Error::Pattern`](crate::Error::Pattern) if no layer whose rate
    /// can be set matches.
    pub fn matching(
        schedule: RateSchedule,
        steps_per_epoch: u64,
        model: &dyn Layer,
        pattern: &str,
    ) -> Result<Self> {
        let layers = RatedLayers::matching(model, pattern)?;
        Self::with(schedule, steps_per_epoch, layers)
    }

    fn with(schedule: RateSchedule, steps_per_epoch: u64, layers: RatedLayers) -> Result<Self> {
        let (steps, valid) = (steps_per_epoch as f64, steps_per_epoch > 0);
        check_number("number of steps of an epoch", steps, valid)?;
        Ok(Self {
            schedule,
            steps_per_epoch,
            layers,
        })
    }

    /// The same with the schedule as a factor of the rate that each layer was built with.
    #[must_use]
    pub fn relative(self) -> Self {
        Self {
            layers: self.layers.relative(),
            ..self
        }
    }

    /// The schedule's rate, or factor, in a step.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        self.schedule.at(step, self.steps_per_epoch)
    }
}

impl Callback for RateCallback {
    fn before_step(&mut self, step: u64, model: &mut dyn Layer) -> Result<()> {
        self.layers.set(model, self.at(step))
    }
}
