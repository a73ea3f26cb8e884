//! Softmax and its logarithm.

use super::unbroadcast;
use crate::autograd::{InputGradients, Step, Tape, Value, Var};
use crate::error::Result;
use crate::ops;

impl Var {
    /// e^x / sum(e^x) along an axis. Keeps a reference to the output.
    ///
    /// # Errors
    /// Those of [`ops::softmax`] and of [`Tape::of`].
    pub fn softmax(&self, axis: usize) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::softmax_into(self, axis, &mut *y)?;
        let y = Value::from(y);
        let step = Step {
            op: "softmax",
            inputs: &[self],
            output: y.clone(),
        };
        Ok(tape.record(step, y, move |y, dy, gradients| {
            // dx = y (dy - sum(y dy))
            let mut dx = gradients.buffer(dy.shape())?;
            ops::mul_into(&dy, &y, &mut *dx)?;
            let sums = along(&dx.into(), axis, gradients)?;
            let mut dx = gradients.buffer(dy.shape())?;
            ops::sub_into(&dy, sums.view(), &mut *dx)?;
            ops::mul_assign(&mut *dx, &y)?;
            gradients.add(0, dx)
        }))
    }

    /// The logarithm of [`softmax`](Var::softmax), without forming it. Keeps a reference to the output.
    ///
    /// # Errors
    /// Those of [`ops::log_softmax`] and of [`Tape::of`].
    pub fn log_softmax(&self, axis: usize) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::log_softmax_into(self, axis, &mut *y)?;
        let y = Value::from(y);
        let step = Step {
            op: "log_softmax",
            inputs: &[self],
            output: y.clone(),
        };
        Ok(tape.record(step, y, move |y, dy, gradients| {
            // dx = dy - e^y sum(dy)
            let sums = along(&dy, axis, gradients)?;
            let mut dx = gradients.buffer(dy.shape())?;
            ops::exp_into(&y, &mut *dx)?;
            ops::mul_assign(&mut *dx, sums.view())?;
            ops::scale_in_place(&mut *dx, -1.0)?;
            ops::add_assign(&mut *dx, &dy)?;
            gradients.add(0, dx)
        }))
    }
}

/// Sums along an axis, which stays with length 1.
fn along(x: &Value, axis: usize, gradients: &InputGradients<'_>) -> Result<Value> {
    let mut shape = x.dims();
    shape[axis] = 1;
    unbroadcast(x, &shape, gradients)
}
