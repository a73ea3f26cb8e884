//! Losses: one number for a batch.

use super::check_constant;
use crate::autograd::{Buffer, Step, Tape, Value, Var};
use crate::error::Result;
use crate::ops;

/// The note of a loss.
fn step<'a>(tape: &Tape, op: &'static str, inputs: &'a [&'a Var], loss: f64) -> Result<Step<'a>> {
    let mut number = tape.buffer(&[])?;
    number.as_mut_slice().fill(loss as f32);
    let output = number.into();
    Ok(Step { op, inputs, output })
}

/// The gradient of a loss, times the gradient of what was made of the loss.
fn times(mut gradient: Buffer, dy: &Value) -> Result<Buffer> {
    match dy.as_slice() {
        [1.0] => {}
        factors => factors
            .iter()
            .try_for_each(|&factor| ops::scale_in_place(&mut *gradient, factor))?,
    }
    Ok(gradient)
}

const TARGET: &str = "the target of this loss must be a constant";

impl Var {
    /// The mean over a batch of the cross-entropy of softmax(row) with its label, of which a share `smoothing` is spread
    /// evenly over the classes: `self` of shape `[batch, classes]`. Keeps a reference to the logits, and the labels.
    ///
    /// ```
    /// use elision::{Tensor, autograd::Tape};
    /// let tape = Tape::new();
    /// let logits = tape.variable(Tensor::zeros(&[1, 2])?);
    /// let gradients = logits.cross_entropy(&[0], 0.0)?.backward()?;
    /// assert_eq!(gradients.of(&logits).unwrap().as_slice(), Some(&[-0.5, 0.5][..]));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`ops::softmax_cross_entropy_smoothed`] and of [`Tape::of`].
    pub fn cross_entropy(&self, labels: &[u32], smoothing: f64) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let loss = ops::softmax_cross_entropy_smoothed(self, labels, smoothing, None)?;
        let inputs = [self];
        let step = step(&tape, "cross_entropy", &inputs, loss)?;
        let saved = (self.value().clone(), labels.to_vec());
        Ok(tape.record(step, saved, move |(x, labels), dy, gradients| {
            let mut dx = gradients.buffer(x.shape())?;
            let into = Some(dx.view_mut());
            ops::softmax_cross_entropy_smoothed(&x, &labels, smoothing, into)?;
            gradients.add(0, times(dx, &dy)?)
        }))
    }

    /// R-Drop's loss of two passes with masks of their own, `self` of shape `[2 batch, classes]`: the mean of their
    /// cross-entropies, and `alpha` times the divergence of their distributions from each other. Keeps a reference to
    /// the logits, and the labels.
    ///
    /// ```
    /// use elision::{Tensor, autograd::Tape};
    /// let tape = Tape::new();
    /// let logits = tape.variable(Tensor::zeros(&[2, 2])?);
    /// let gradients = logits.r_drop(&[0], 0.0, 1.0)?.backward()?;
    /// assert_eq!(gradients.of(&logits).unwrap().as_slice(), Some(&[-0.25, 0.25, -0.25, 0.25][..]));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`ops::r_drop`] and of [`Tape::of`].
    pub fn r_drop(&self, labels: &[u32], smoothing: f64, alpha: f64) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let loss = ops::r_drop(self, labels, smoothing, alpha, None)?;
        let inputs = [self];
        let step = step(&tape, "r_drop", &inputs, loss)?;
        let saved = (self.value().clone(), labels.to_vec());
        Ok(tape.record(step, saved, move |(x, labels), dy, gradients| {
            let mut dx = gradients.buffer(x.shape())?;
            ops::r_drop(&x, &labels, smoothing, alpha, Some(dx.view_mut()))?;
            gradients.add(0, times(dx, &dy)?)
        }))
    }

    /// The mean over all elements of `(self - target)^2`, for a constant or a variable as target. Keeps a reference to
    /// each.
    ///
    /// # Errors
    /// Those of [`ops::mean_squared_error`] and of [`Tape::of`].
    pub fn mean_squared_error(&self, target: &Self) -> Result<Self> {
        let inputs = [self, target];
        let tape = Tape::of(&inputs)?;
        let loss = ops::mean_squared_error(self, target, None)?;
        let step = step(&tape, "mean_squared_error", &inputs, loss)?;
        let saved = [self.value().clone(), target.value().clone()];
        Ok(tape.record(step, saved, |[x, target], dy, gradients| {
            // The square is even: each operand's gradient is the other's with the operands changed over.
            for (i, [x, target]) in [[&x, &target], [&target, &x]].into_iter().enumerate() {
                if let Some(mut dx) = gradients.wanted(i, x.shape())? {
                    ops::mean_squared_error(x, target, Some(dx.view_mut()))?;
                    gradients.add(i, times(dx, &dy)?)?;
                }
            }
            Ok(())
        }))
    }

    /// The mean over all elements of `0.5 (log_variance + (target - self)^2 e^-log_variance)`: -ln of a normal density
    /// without its constant. `self` is the mean, `target` a constant. Keeps a reference to each.
    ///
    /// # Errors
    /// Those of [`ops::gaussian_nll`] and of [`Tape::of`], and [`Error::Unsupported`](crate::Error::Unsupported) if `target` needs a gradient.
    pub fn gaussian_nll(&self, log_variance: &Self, target: &Self) -> Result<Self> {
        let tape = Tape::of(&[self, log_variance, target])?;
        check_constant(TARGET, target)?;
        let loss = ops::gaussian_nll(self, log_variance, target, None)?;
        let inputs = [self, log_variance];
        let step = step(&tape, "gaussian_nll", &inputs, loss)?;
        let saved = [self, log_variance, target].map(|operand| operand.value().clone());
        Ok(
            tape.record(step, saved, |[mean, log, target], dy, gradients| {
                let mut of_mean = gradients.buffer(mean.shape())?;
                let mut of_log = gradients.buffer(log.shape())?;
                let into = Some([of_mean.view_mut(), of_log.view_mut()]);
                ops::gaussian_nll(&mean, &log, &target, into)?;
                gradients.add(0, times(of_mean, &dy)?)?;
                gradients.add(1, times(of_log, &dy)?)
            }),
        )
    }

    /// The mean over all elements of the cross-entropy of the probability 1 / (1 + e^-self) with `target`, a constant from
    /// 0 to 1. Keeps a reference to each.
    ///
    /// # Errors
    /// Those of [`ops::binary_cross_entropy_with_logits`] and of [`Tape::of`], and [`Error::Unsupported`](crate::Error::Unsupported) if `target` needs
    /// a gradient.
    pub fn binary_cross_entropy_with_logits(&self, target: &Self) -> Result<Self> {
        let tape = Tape::of(&[self, target])?;
        check_constant(TARGET, target)?;
        let loss = ops::binary_cross_entropy_with_logits(self, target, None)?;
        let inputs = [self];
        let step = step(&tape, "binary_cross_entropy", &inputs, loss)?;
        let saved = [self.value().clone(), target.value().clone()];
        Ok(tape.record(step, saved, |[x, target], dy, gradients| {
            let mut dx = gradients.buffer(x.shape())?;
            ops::binary_cross_entropy_with_logits(&x, &target, Some(dx.view_mut()))?;
            gradients.add(0, times(dx, &dy)?)
        }))
    }
}
