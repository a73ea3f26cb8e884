//! Our training step.

use std::rc::Rc;

use elision::nn::{Dropout, Linear, Sequential};
use elision::train::{Loss, Optimizer, OptimizerConfig, Rule, Samples, Targets, Trainer};
use elision::{Activation, Key, Tensor};

use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::peer::{Local, Run};
use crate::work::{RATE, Training};

/// The trainer, its batch, and the loss before the first step.
struct State {
    trainer: Trainer<Sequential>,
    samples: Samples,
    before: f64,
}

impl State {
    fn new(inputs: &Rc<Inputs>) -> Result<Self, Failure> {
        let rule = Rule::sgd(Training::MOMENTUM as f32);
        let optimizer = Optimizer::new(OptimizerConfig::new(rule, Training::LEARNING_RATE))?;
        let loss = Loss::CrossEntropy { smoothing: 0.0 };
        let trainer = Trainer::new(network()?, optimizer, loss, Key::new(2));
        let x = Tensor::from_slice(&inputs.x, &[Training::BATCH, Training::WIDTHS[0]])?;
        let samples = Samples::new(x, Targets::Labels(inputs.labels.clone()))?;
        let before = trainer.evaluate(&samples)?.loss;
        Ok(Self {
            trainer,
            samples,
            before,
        })
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.trainer
            .step(self.samples.x(), &self.samples.target())?;
        Ok(())
    }

    /// The loss after at least [`Training::STEPS`] steps.
    fn after(&mut self) -> Result<f64, Failure> {
        while self.trainer.steps() < u64::from(Training::STEPS) {
            self.step()?;
        }
        Ok(self.trainer.evaluate(&self.samples)?.loss)
    }
}

fn network() -> Result<Sequential, Failure> {
    let [inputs, hidden @ .., classes] = Training::WIDTHS;
    let key = Key::new(1);
    let mut model = Sequential::new().with("input", Dropout::new(Training::INPUT_RATE)?)?;
    let mut width = inputs;
    for (i, units) in hidden.into_iter().enumerate() {
        let name = format!("hidden{i}");
        let layer = Linear::new(width, units, key.named(&name))?;
        model = model.with(&name, layer.activation(Activation::Relu).dropout(RATE)?)?;
        width = units;
    }
    Ok(model.with("output", Linear::new(width, classes, key.named("output"))?)?)
}

/// The step, ready to run.
pub(super) fn prepare(inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
    let answer = |state: &mut State| Ok(vec![vec![state.before as f32, state.after()? as f32]]);
    Ok(Local::boxed(State::new(inputs)?, State::step, answer))
}
