//! Noise, alpha dropout, and dropout at rates of its own for each element.

use crate::autograd::{Step, Tape, Value, Var};
use crate::error::Result;
use crate::key::Key;
use crate::mask::Mask;
use crate::noise::{AlphaDropout, Noise};
use crate::ops;
use crate::tensor::{Tensor, View};

impl Var {
    /// Noise in training: [`ops::noise()`]. Keeps nothing; the backward pass draws the numbers again.
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn noise(&self, noise: &Noise) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::noise_into(self, noise, &mut *y)?;
        let step = Step {
            op: "noise",
            inputs: &[self],
            output: y.into(),
        };
        let noise = *noise;
        Ok(tape.record(step, (), move |(), dy, gradients| {
            if noise.is_added() {
                return gradients.add(0, dy);
            }
            let mut dx = gradients.buffer(dy.shape())?;
            ops::noise_backward_into(&dy, &noise, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }

    /// Noise with one number for all elements that share an index of `noise_shape`: [`ops::noise_shared`]. Keeps the
    /// factors on the reduced shape, and where they are added nothing.
    ///
    /// # Errors
    /// [`Error::Broadcast`](crate::Error::Broadcast) if `noise_shape` does not broadcast to the variable's shape, and those
    /// of [`Tape::of`].
    pub fn noise_shared(&self, noise_shape: &[usize], noise: &Noise) -> Result<Self> {
        let numbers = ops::noise_numbers(self.shape(), noise_shape, noise)?;
        let numbers = Tape::of(&[self])?.constant(numbers);
        if noise.is_added() {
            self.add(&numbers)
        } else {
            self.mul(&numbers)
        }
    }

    /// Alpha dropout in training. Keeps one bit an element, or nothing if the tape recomputes masks.
    ///
    /// # Errors
    /// [`Error::Overflow`](crate::Error::Overflow) if the mask does not fit in memory, and those of [`Tape::of`].
    pub fn alpha_dropout(&self, alpha: &AlphaDropout) -> Result<Self> {
        self.alpha_dropout_shared(self.shape(), alpha)
    }

    /// Alpha dropout with one decision for all elements that share an index of `noise_shape`, `[batch, 1, 1, channels]` for
    /// whole feature maps. Keeps one bit an element, or nothing if the tape recomputes masks.
    ///
    /// # Errors
    /// [`Error::Broadcast`](crate::Error::Broadcast) if `noise_shape` does not broadcast to the variable's shape,
    /// [`Error::Overflow`](crate::Error::Overflow) if the mask does not fit in memory, and those of [`Tape::of`].
    pub fn alpha_dropout_shared(
        &self,
        noise_shape: &[usize],
        alpha: &AlphaDropout,
    ) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let (groups, alpha) = (noise_shape.to_vec(), *alpha);
        let mask = alpha_mask(&alpha, &groups, self.shape())?;
        let mut y = tape.buffer(self.shape())?;
        ops::alpha_dropout_into(self, &alpha, &mask, &mut *y)?;
        let step = Step {
            op: "alpha dropout",
            inputs: &[self],
            output: y.into(),
        };
        let mask = (!tape.is_recomputing()).then_some(mask);
        Ok(tape.record(step, mask, move |mask, dy, gradients| {
            let mask = mask.map_or_else(|| alpha_mask(&alpha, &groups, dy.shape()), Ok)?;
            let mut dx = gradients.buffer(dy.shape())?;
            ops::alpha_dropout_backward_into(&dy, &alpha, &mask, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }

    /// Inverted dropout at the rates `rates`, which are broadcast and have no gradient: [`ops::dropout_rates`]. Keeps the
    /// rates and one bit an element.
    ///
    /// # Errors
    /// [`Error::Rate`](crate::Error::Rate) if a rate is outside of [0, 1], [`Error::Broadcast`](crate::Error::Broadcast) if
    /// the rates do not broadcast to the variable's shape, and those of [`Tape::of`].
    pub fn dropout_rates(&self, rates: &Tensor, key: Key) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let (y, mask) = ops::dropout_rates(self, rates, key)?;
        let step = Step {
            op: "dropout",
            inputs: &[self],
            output: y.into(),
        };
        let kept = (Value::from(rates.clone()), mask);
        Ok(tape.record(step, kept, |(rates, mask), dy, gradients| {
            let mut dx = gradients.buffer(dy.shape())?;
            ops::dropout_rates_backward_into(&dy, &rates, &mask, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }
}

/// The bits of an alpha dropout over a shape.
fn alpha_mask(alpha: &AlphaDropout, groups: &[usize], shape: &[usize]) -> Result<Mask> {
    // Checks that the shapes fit before anything is drawn.
    let one = View::contiguous(&[0.0], &[])?.broadcast_to(groups)?;
    one.broadcast_to(shape)?;
    let mask = Mask::draw(alpha.dropout(), one.len())?;
    if groups == shape {
        return Ok(mask);
    }
    mask.broadcast(groups, shape)
}
