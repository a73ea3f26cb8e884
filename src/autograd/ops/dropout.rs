//! Dropout outside of a fused layer.

use crate::autograd::{Step, Tape, Var};
use crate::dropout::Dropout;
use crate::error::Result;
use crate::mask::Mask;
use crate::ops;

impl Var {
    /// Dropout of each element, in training. Keeps one bit an element, or nothing if the tape recomputes masks.
    ///
    /// A linear layer's is better fused into it: [`Var::linear`].
    ///
    /// # Errors
    /// [`Error::Overflow`](crate::Error::Overflow) if the dropout's offset plus the number of elements does not fit
    /// 64 bits, and those of [`Tape::of`].
    pub fn dropout(&self, dropout: &Dropout) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        let keeps = self.requires_grad() && tape.is_recording() && !tape.is_recomputing();
        let mut mask = keeps.then(|| Mask::none(y.len()));
        ops::dropout_into(self, dropout, &mut *y, mask.as_mut())?;
        let step = Step {
            op: "dropout",
            inputs: &[self],
            output: y.into(),
        };
        let dropout = *dropout;
        Ok(tape.record(step, mask, move |mask, dy, gradients| {
            let mut dx = gradients.buffer(dy.shape())?;
            ops::dropout_backward_into(&dy, &dropout, mask.as_ref(), &mut *dx)?;
            gradients.add(0, dx)
        }))
    }

    /// What inference does in dropout's place: nothing for the inverted form, a factor for the original one.
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn dropout_inference(&self, dropout: &Dropout) -> Result<Self> {
        match dropout.inference_scale() {
            1.0 => Ok(self.clone()),
            scale => self.scale(scale),
        }
    }
}
