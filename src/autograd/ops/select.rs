//! Selection by a mask.

use crate::autograd::{Step, Tape, Var};
use crate::error::Result;
use crate::mask::Mask;
use crate::ops;

impl Var {
    /// `self * scale` where the mask keeps and `+0.0` elsewhere; elements are counted in row-major order. Keeps the mask.
    ///
    /// ```
    /// use elision::{Mask, Tensor, autograd::Tape};
    /// let x = Tape::new().constant(Tensor::from_slice(&[1.0, f32::NAN, 3.0], &[3])?);
    /// let y = x.select(&Mask::from_bools(&[true, false, true]), 2.0)?;
    /// assert_eq!(y.to_tensor()?.as_slice(), [2.0, 0.0, 6.0]);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`ops::select_into`] and of [`Tape::of`].
    pub fn select(&self, mask: &Mask, scale: f32) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::select_into(self, mask, scale, &mut *y)?;
        let step = Step {
            op: "select",
            inputs: &[self],
            output: y.into(),
        };
        let keeps = self.requires_grad() && tape.is_recording();
        let mask = keeps.then(|| mask.clone());
        Ok(tape.record(step, mask, move |mask, dy, gradients| {
            let Some(mask) = mask else { return Ok(()) };
            let mut dx = gradients.buffer(dy.shape())?;
            ops::select_into(&dy, &mask, scale, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }
}
