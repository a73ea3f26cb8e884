//! The sign, with a slope that training can follow.

use crate::activation::Activation;
use crate::autograd::{Step, Tape, Var};
use crate::error::{Result, check_number};
use crate::ops;

impl Var {
    /// The sign of each element: 1, -1, or 0 for both zeros; NaN stays. Its derivative, zero wherever there is one, is
    /// replaced by that of `tanh(s x)` with s = `steepness`: `s (1 - tanh^2(s x))`, a bump of area 2 around zero that is
    /// the narrower the greater s. Keeps a reference to the input.
    ///
    /// ```
    /// use elision::{Tensor, autograd::Tape};
    /// let x = Tape::new().variable(Tensor::from_slice(&[-3.0, 0.0, 0.5], &[3])?);
    /// let y = x.sign(10.0)?;
    /// assert_eq!(y.value().as_slice(), [-1.0, 0.0, 1.0]);
    /// let slopes = y.sum()?.backward()?;
    /// assert_eq!(slopes.of(&x).unwrap().as_slice().unwrap()[1], 10.0);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if `steepness` is not finite and positive, and those of [`Tape::of`].
    pub fn sign(&self, steepness: f32) -> Result<Self> {
        let valid = steepness.is_finite() && steepness > 0.0;
        check_number("steepness of a sign (positive)", steepness, valid)?;
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        let signs = y.as_mut_slice().iter_mut();
        for (y, &x) in signs.zip(self.value().as_slice()) {
            *y = if x == 0.0 { 0.0 } else { x.signum() };
        }
        let step = Step {
            op: "sign",
            inputs: &[self],
            output: y.into(),
        };
        Ok(
            tape.record(step, self.value().clone(), move |x, dy, gradients| {
                let mut steep = gradients.buffer(dy.shape())?;
                ops::scale_into(&x, steepness, &mut *steep)?;
                let mut dx = gradients.buffer(dy.shape())?;
                ops::activate_backward_into(&dy, &*steep, Activation::Tanh, &mut *dx)?;
                ops::scale_in_place(&mut *dx, steepness)?;
                gradients.add(0, dx)
            }),
        )
    }
}
