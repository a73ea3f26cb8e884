//! Mean losses.

use super::{Array, Tape, Value};
use crate::reference::math;

impl Tape {
    /// The mean over rows of the cross-entropy of `logits`, of shape `[batch, classes]`, and targets that give
    /// the label 1 - `smoothing` and all classes alike the rest
    /// ([Szegedy et al. 2016](https://arxiv.org/abs/1512.00567), section 7).
    pub fn cross_entropy(&mut self, logits: Value, labels: &[u32], smoothing: f64) -> Value {
        let shape = self.value(logits).shape.clone();
        let mut targets = Array::zeros(&shape).map(|_| smoothing / shape[1] as f64);
        for (row, &label) in labels.iter().enumerate() {
            *targets.get_mut(&[row, label as usize]) += 1.0 - smoothing;
        }
        let targets = self.leaf(targets);
        let logarithms = self.log_softmax(logits);
        let products = self.mul(logarithms, targets);
        let sum = self.sum(products, None);
        self.scale(sum, -1.0 / shape[0] as f64)
    }

    /// The mean of (x - target)^2.
    pub fn mse(&mut self, x: Value, target: Value) -> Value {
        let difference = self.sub(x, target);
        let square = self.mul(difference, difference);
        self.mean(square, None)
    }

    /// The mean of the negative logarithm of a normal density at `target`, less a constant:
    /// 0.5 (log_variance + (target - mean)^2 / e^log_variance).
    pub fn gaussian_nll(&mut self, mean: Value, log_variance: Value, target: Value) -> Value {
        let difference = self.sub(target, mean);
        let square = self.mul(difference, difference);
        let variance = self.exp(log_variance);
        let ratio = self.div(square, variance);
        let sum = self.add(log_variance, ratio);
        let mean = self.mean(sum, None);
        self.scale(mean, 0.5)
    }

    /// The mean of -target ln p - (1 - target) ln(1 - p) for p = 1 / (1 + e^-logit), which is
    /// ln(1 + e^logit) - target logit.
    pub fn bce_with_logits(&mut self, logits: Value, targets: Value) -> Value {
        let loss = |z: f64, target: f64| z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z;
        let slopes = |z: f64, target: f64| [math::sigmoid(z) - target, -z];
        let losses = self.zip(logits, targets, loss, slopes);
        self.mean(losses, None)
    }
}
