//! Pooling of images.

use crate::autograd::{KeptBytes, Saves, Step, Tape, Var};
use crate::error::{Error, Result};
use crate::ops::{self, Argmax, Window};

impl Saves for Argmax {
    fn count(&self, kept: &mut KeptBytes) {
        kept.own(self.as_slice().len());
    }
}

impl Var {
    /// The largest of each window of an image `[N, H, W, C]`, a channel at a time. Keeps a byte an output.
    ///
    /// # Errors
    /// Those of [`ops::max_pool2d`] and of [`Tape::of`].
    pub fn max_pool2d(&self, window: &Window) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(&pooled(self, window)?)?;
        let needed = tape.is_recording() && self.requires_grad();
        let mut argmax = needed.then(Argmax::default);
        ops::max_pool2d_into(self, window, &mut *y, argmax.as_mut())?;
        let step = Step {
            op: "max_pool2d",
            inputs: &[self],
            output: y.into(),
        };
        let (shape, window) = (self.value().dims(), *window);
        Ok(tape.record(step, argmax, move |argmax, dy, gradients| {
            let Some(argmax) = argmax else { return Ok(()) };
            let mut dx = gradients.buffer(&shape)?;
            ops::max_pool2d_backward_into(&dy, &argmax, &window, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }

    /// The mean of each window of an image `[N, H, W, C]`, a channel at a time; padding counts as zeros. Keeps nothing.
    ///
    /// # Errors
    /// Those of [`ops::avg_pool2d`] and of [`Tape::of`].
    pub fn avg_pool2d(&self, window: &Window) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(&pooled(self, window)?)?;
        ops::avg_pool2d_into(self, window, &mut *y)?;
        let step = Step {
            op: "avg_pool2d",
            inputs: &[self],
            output: y.into(),
        };
        let (shape, window) = (self.value().dims(), *window);
        Ok(tape.record(step, (), move |(), dy, gradients| {
            let mut dx = gradients.buffer(&shape)?;
            ops::avg_pool2d_backward_into(&dy, &window, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }
}

fn pooled(x: &Var, window: &Window) -> Result<[usize; 4]> {
    let &[n, h, w, channels] = x.shape() else {
        let (what, expected, found) = ("input of a pooling", 4, x.rank());
        return Err(Error::Rank {
            what,
            expected,
            found,
        });
    };
    let [oh, ow] = window.output([h, w])?;
    Ok([n, oh, ow, channels])
}
