//! A controller that is followed.

use super::controller::RateController;
use super::layers::RatedLayers;
use crate::error::{Error, Result};
use crate::nn::Layer;
use crate::train::{Callback, Control, Epoch, Loss, Samples, TrainerState, evaluate};

/// Sets the drop probabilities of a model by a [`RateController`]: before each step its rate, after each epoch a new
/// rate from the losses of the training and of the validation part, both in evaluation.
///
/// Which layers those are is decided as by [`RateCallback`](super::RateCallback). A run goes on bit for bit with the
/// controller's state from the checkpoint: [`RateController::note`] and [`RateController::restore`]. A callback that
/// makes checkpoints after each epoch comes second in the pair, so that the epoch's rate is in them.
///
/// ```
/// use elision::nn::{Linear, Sequential};
/// use elision::train::{ControllerSettings, Fit, Loss, Optimizer, OptimizerConfig, RateController, RateFeedback, Rule,
///     Samples, Targets, Trainer};
/// use elision::{Activation, Key, Tensor};
/// let (key, loss) = (Key::new(1), Loss::CrossEntropy { smoothing: 0.0 });
/// let model = Sequential::new()
///     .with("hidden", Linear::new(1, 8, key.named("hidden"))?.activation(Activation::Relu).dropout(0.5)?)?
///     .with("output", Linear::new(8, 2, key.named("output"))?)?;
/// let samples = Samples::new(Tensor::from_slice(&[-1.0, 1.0], &[2, 1])?, Targets::Labels(vec![0, 1]))?;
/// let controller = RateController::new(ControllerSettings::new(0.3, 0.1))?;
/// let mut feedback = RateFeedback::new(controller, loss, &samples, &model)?;
/// let optimizer = Optimizer::new(OptimizerConfig::new(Rule::sgd(0.9), 0.1))?;
/// let mut trainer = Trainer::new(model, optimizer, loss, key);
/// trainer.fit(&samples, Some(&samples), &Fit::new(3, 2), &mut feedback)?;
/// assert!(feedback.controller().rate() < 0.3, "the gap is 0");
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RateFeedback<'a> {
    controller: RateController,
    layers: RatedLayers,
    loss: Loss,
    train: &'a Samples,
}

impl<'a> RateFeedback<'a> {
    /// For the layers of a model that drop; `loss` is the trainer's, and `train` its training samples or enough of
    /// them to tell the loss.
    ///
    /// # Errors
    /// [`Error::Pattern`] if no layer drops.
    pub fn new(
        controller: RateController,
        loss: Loss,
        train: &'a Samples,
        model: &dyn Layer,
    ) -> Result<Self> {
        let layers = RatedLayers::dropping(model)?;
        Ok(Self {
            controller,
            layers,
            loss,
            train,
        })
    }

    /// The same for the layers whose path matches a pattern.
    ///
    /// # Errors
    /// [`Error::Pattern`] if no layer whose rate can be set matches.
    pub fn matching(self, model: &dyn Layer, pattern: &str) -> Result<Self> {
        let layers = RatedLayers::matching(model, pattern)?;
        Ok(Self { layers, ..self })
    }

    /// The same with the rate as a factor of the rate that each layer was built with.
    #[must_use]
    pub fn relative(self) -> Self {
        Self {
            layers: self.layers.relative(),
            ..self
        }
    }

    /// The controller.
    #[must_use]
    pub fn controller(&self) -> &RateController {
        &self.controller
    }

    /// The controller, to be restored.
    #[must_use]
    pub fn controller_mut(&mut self) -> &mut RateController {
        &mut self.controller
    }
}

impl Callback for RateFeedback<'_> {
    fn before_step(&mut self, _: u64, model: &mut dyn Layer) -> Result<()> {
        self.layers.set(model, self.controller.rate())
    }

    /// [`Error::Unsupported`] if there is no validation part, and those of [`RateController::update`]: a loss that is not
    /// finite ends the run.
    fn epoch(&mut self, epoch: &Epoch, trainer: &dyn TrainerState) -> Result<Control> {
        let Some(validation) = epoch.validation else {
            return Err(Error::Unsupported(
                "the rate controller needs a validation part",
            ));
        };
        let train = evaluate(trainer.model(), &self.loss, self.train)?;
        self.controller.update(train.loss, validation.loss)?;
        Ok(Control::Continue)
    }
}
