//! candle's training step. Its SGD has no momentum, so the step is written with its tensors.

use std::rc::Rc;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::ops::dropout;
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear, loss};

use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::peer::{Local, Run};
use crate::work::{RATE, Training};

struct State {
    layers: Vec<Linear>,
    /// Parameters, each with its velocity.
    parameters: Vec<(Var, Tensor)>,
    x: Tensor,
    labels: Tensor,
    before: f32,
    steps: u32,
}

impl State {
    fn new(inputs: &Inputs) -> Result<Self> {
        let variables = VarMap::new();
        let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let pairs = Training::WIDTHS.windows(2).enumerate();
        let layers = pairs.map(|(i, w)| linear(w[0], w[1], builder.pp(i)));
        let layers = layers.collect::<Result<_>>()?;
        let parameters = variables.all_vars().into_iter();
        let parameters = parameters.map(|var| Ok((var.clone(), var.zeros_like()?)));
        let shape = (Training::BATCH, Training::WIDTHS[0]);
        let mut state = Self {
            layers,
            parameters: parameters.collect::<Result<_>>()?,
            x: Tensor::from_slice(&inputs.x, shape, &Device::Cpu)?,
            labels: Tensor::from_slice(&inputs.labels, Training::BATCH, &Device::Cpu)?,
            before: 0.0,
            steps: 0,
        };
        state.before = state.evaluate()?;
        Ok(state)
    }

    fn logits(&self, trains: bool) -> Result<Tensor> {
        let drop = |x: Tensor, p: f64| if trains { dropout(&x, p as f32) } else { Ok(x) };
        let mut x = drop(self.x.clone(), Training::INPUT_RATE)?;
        let last = self.layers.len() - 1;
        for layer in &self.layers[..last] {
            x = drop(layer.forward(&x)?.relu()?, RATE)?;
        }
        self.layers[last].forward(&x)
    }

    fn evaluate(&self) -> Result<f32> {
        loss::cross_entropy(&self.logits(false)?, &self.labels)?.to_scalar()
    }

    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        let gradients = loss::cross_entropy(&self.logits(true)?, &self.labels)?.backward()?;
        for (var, velocity) in &mut self.parameters {
            let Some(gradient) = gradients.get(var) else {
                candle_core::bail!("a gradient is missing");
            };
            // Without detaching, each velocity would keep the graphs of all steps before.
            *velocity = ((&*velocity * Training::MOMENTUM)? + gradient)?.detach();
            var.set(&var.sub(&(&*velocity * Training::LEARNING_RATE)?)?)?;
        }
        Ok(())
    }

    /// The loss after at least [`Training::STEPS`] steps.
    fn after(&mut self) -> Result<f32> {
        while self.steps < Training::STEPS {
            self.step()?;
        }
        self.evaluate()
    }
}

/// The step, ready to run.
pub(super) fn prepare(inputs: &Rc<Inputs>) -> std::result::Result<Option<Box<dyn Run>>, Failure> {
    let call = |state: &mut State| Ok(state.step()?);
    let answer = |state: &mut State| Ok(vec![vec![state.before, state.after()?]]);
    Ok(Local::boxed(State::new(inputs)?, call, answer))
}
