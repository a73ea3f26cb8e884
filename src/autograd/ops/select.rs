//! Selection by bits that are given.

use crate::autograd::{Step, Tape, Var};
use crate::error::Result;
use crate::mask::Mask;
use crate::ops;

impl Var {
    /// `scale` times each element that the mask keeps, `+0.0` elsewhere: dropout by bits that are given. Keeps one bit
    /// an element.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) if the mask has another length, and those of [`Tape::of`].
    pub fn select(&self, mask: &Mask, scale: f32) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::select_into(self, mask, scale, &mut *y)?;
        let step = Step {
            op: "select",
            inputs: &[self],
            output: y.into(),
        };
        Ok(tape.record(step, mask.clone(), move |mask, dy, gradients| {
            let mut dx = gradients.buffer(dy.shape())?;
            ops::select_into(&dy, &mask, scale, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }
}
