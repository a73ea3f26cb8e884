//! Activations outside of a fused layer.

use crate::activation::Activation;
use crate::autograd::{Step, Tape, Value, Var};
use crate::error::Result;
use crate::ops;

impl Var {
    /// An activation of each element. ReLU keeps one bit an element; a smooth activation a reference to its input.
    ///
    /// A linear layer's is better fused into it: [`Var::linear`].
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn activate(&self, activation: Activation) -> Result<Self> {
        match activation {
            Activation::Identity => Ok(self.clone()),
            Activation::Relu => self.relu(),
            smooth => self.activate_smooth(smooth),
        }
    }

    /// max(x, 0) of each element. Keeps one bit an element.
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn relu(&self) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::relu_into(self, &mut *y)?;
        let keeps = self.requires_grad() && tape.is_recording();
        let positive = keeps.then(|| ops::relu_mask(&*y)).transpose()?;
        let step = Step {
            op: "relu",
            inputs: &[self],
            output: Value::from(y),
        };
        Ok(tape.record(step, positive, |positive, dy, gradients| {
            let Some(positive) = positive else {
                return Ok(());
            };
            let mut dx = gradients.buffer(dy.shape())?;
            ops::select_into(&dy, &positive, 1.0, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }

    fn activate_smooth(&self, activation: Activation) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::activate_into(self, activation, &mut *y)?;
        let step = Step {
            op: activation.name(),
            inputs: &[self],
            output: y.into(),
        };
        Ok(
            tape.record(step, self.value().clone(), move |x, dy, gradients| {
                let mut dx = gradients.buffer(dy.shape())?;
                ops::activate_backward_into(&dy, &x, activation, &mut *dx)?;
                gradients.add(0, dx)
            }),
        )
    }
}
