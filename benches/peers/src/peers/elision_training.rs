//! Our training step.

use std::rc::Rc;

use elision::train::{LayerConfig, Mlp, MlpConfig, Optimizer, Trainer};
use elision::{Activation, Key, Tensor};

use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::peer::{Local, Run};
use crate::work::{RATE, Training};

/// The trainer, its batch, and the loss before the first step.
struct State {
    trainer: Trainer,
    x: Tensor,
    inputs: Rc<Inputs>,
    before: f64,
}

impl State {
    fn new(inputs: &Rc<Inputs>) -> Result<Self, Failure> {
        let momentum = Training::MOMENTUM as f32;
        let optimizer = Optimizer::sgd(Training::LEARNING_RATE as f32, momentum)?;
        let trainer = Trainer::new(network()?, optimizer, Key::new(2))?;
        let x = Tensor::from_slice(&inputs.x, &[Training::BATCH, Training::WIDTHS[0]])?;
        let before = trainer.evaluate(&x, &inputs.labels)?.loss;
        Ok(Self {
            trainer,
            x,
            inputs: inputs.clone(),
            before,
        })
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.trainer.step(&self.x, &self.inputs.labels)?;
        Ok(())
    }

    /// The loss after at least [`Training::STEPS`] steps.
    fn after(&mut self) -> Result<f64, Failure> {
        while self.trainer.steps() < u64::from(Training::STEPS) {
            self.step()?;
        }
        Ok(self.trainer.evaluate(&self.x, &self.inputs.labels)?.loss)
    }
}

fn network() -> Result<Mlp, Failure> {
    let [inputs, hidden @ .., classes] = Training::WIDTHS;
    let mut layers: Vec<_> = hidden
        .iter()
        .map(|&units| LayerConfig {
            units,
            activation: Activation::Relu,
            p: RATE,
        })
        .collect();
    layers.push(LayerConfig {
        units: classes,
        activation: Activation::Identity,
        p: 0.0,
    });
    let input_p = Training::INPUT_RATE;
    let config = MlpConfig {
        inputs,
        input_p,
        layers,
    };
    Ok(Mlp::new(&config, Key::new(1))?)
}

/// The step, ready to run.
pub(super) fn prepare(inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
    let answer = |state: &mut State| Ok(vec![vec![state.before as f32, state.after()? as f32]]);
    Ok(Local::boxed(State::new(inputs)?, State::step, answer))
}
