//! Sparse variational dropout.

use super::check_rows;
use super::draw::sample;
use super::sparse_weights::{Weights, log_alpha_into};
use crate::activation::Activation;
use crate::autograd::{Fused, Parameter, Var};
use crate::error::Result;
use crate::key::Key;
use crate::mask::Mask;
use crate::nn::layer::followed_by;
use crate::nn::{Init, Layer, Linear, Pass};
use crate::ops::select_into;
use crate::tensor::Tensor;

/// From this ln alpha on a weight is noise and nothing else: it equals a drop probability of 0.95.
pub(super) const THRESHOLD: f32 = 3.0;

/// ln sigma^2 before the first step.
const LOG_SIGMA2: f32 = -10.0;

/// A linear layer that learns which of its weights it needs: sparse variational dropout (Molchanov, Ashukha and Vetrov
/// 2017, <https://arxiv.org/abs/1701.05369>).
///
/// A weight is normal with mean theta and variance sigma^2, both learned. Its noise-to-signal ratio alpha =
/// sigma^2 / theta^2 is a drop probability alpha / (1 + alpha) of its own, and may grow without limit: a weight with
/// ln alpha >= 3 is noise, and evaluation takes it for 0. For samples of shape `[.., inputs]`,
///
/// ```text
/// training, Mc:  y = activation(x theta^T + bias + sqrt(x^2 (alpha theta^2)^T + 1e-8) e),  e ~ N(0, 1) for each row and unit
/// evaluation:    y = activation(x theta'^T + bias),  theta' = theta where ln alpha < 3, else 0
/// ```
///
/// with ln alpha = ln sigma^2 - ln theta^2 clipped to [-8, 8]. The noise of the outputs is drawn and not that of the
/// weights (the local reparameterisation of Kingma et al. 2015), so a step is two products. In training the layer
/// adds the divergence from the log-uniform prior, divided by the rows of the training set, to the loss
/// ([`Pass::penalize`]); of one weight it is
///
/// ```text
/// KL = k1 (1 - sigmoid(k2 + k3 ln alpha)) + ln(1 + 1 / alpha) / 2,   k1, k2, k3 = 0.63576, 1.87320, 1.48695
/// ```
///
/// which falls to 0 as alpha grows: what the data do not hold on to is pruned. Let the penalty come in slowly with
/// [`WarmUp`](crate::train::WarmUp). The loss is a negative log likelihood, a mean over rows, as cross-entropy is. Use
/// neither weight decay nor a largest norm: `log_sigma2` has the shape of weights and would be pulled, too. The authors
/// report 1.92 % error for LeNet-300-100 on MNIST with one weight in 68.
///
/// Parameters: `weight` (theta) `[units, inputs]`, drawn by [`Init::KaimingUniform`]; `log_sigma2` `[units, inputs]`,
/// -10; `bias` `[units]`, zeros. It has no drop probability to be set.
///
/// ```
/// use elision::nn::{Sequential, SparseVariational, sparsity};
/// use elision::{Activation, Key};
/// let (key, rows) = (Key::new(1), 60_000);
/// let layer = SparseVariational::new(784, 300, rows, key)?.activation(Activation::Relu);
/// assert!(layer.pruned_share()? < 0.03);
/// let sparse = layer.prune()?; // a linear layer with zeros
/// let model = Sequential::new().with("hidden", layer)?;
/// assert_eq!(sparsity(&model)?[0].weights, 784 * 300);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SparseVariational {
    weight: Parameter,
    log_sigma2: Parameter,
    bias: Parameter,
    activation: Activation,
    rows: f64,
}

impl SparseVariational {
    /// A layer that is trained on `rows` rows in all: those of the training set, not of a batch.
    ///
    /// # Errors
    /// Those of [`Linear::new`], and [`Error::Empty`](crate::Error::Empty) for no rows.
    pub fn new(inputs: usize, units: usize, rows: usize, key: Key) -> Result<Self> {
        let rows = check_rows(rows)?;
        let linear = Linear::new(inputs, units, key)?;
        let [weight, bias] = [0, 1].map(|i| linear.parameters()[i].1.clone());
        Ok(Self {
            log_sigma2: Parameter::new(Tensor::full(weight.value().shape(), LOG_SIGMA2)?),
            weight,
            bias,
            activation: Activation::Identity,
            rows,
        })
    }

    /// The same with other means.
    ///
    /// # Errors
    /// Those of [`Init::fill`].
    pub fn init(mut self, init: Init, key: Key) -> Result<Self> {
        let shape = self.weight.value().shape();
        self.weight = Parameter::new(init.fill(shape, key)?);
        Ok(self)
    }

    /// The same with an activation.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// ln alpha of each weight, clipped to [-8, 8].
    ///
    /// # Errors
    /// [`Error::Overflow`](crate::Error::Overflow) if memory is short.
    pub fn log_alpha(&self) -> Result<Tensor> {
        log_alpha(self.weight.value(), self.log_sigma2.value())
    }

    /// Which weights evaluation reads: those with ln alpha < 3.
    ///
    /// # Errors
    /// Those of [`log_alpha`](SparseVariational::log_alpha).
    pub fn kept(&self) -> Result<Mask> {
        kept(self.weight.value(), self.log_sigma2.value())
    }

    /// The share of the weights that evaluation takes for 0.
    ///
    /// # Errors
    /// Those of [`log_alpha`](SparseVariational::log_alpha).
    pub fn pruned_share(&self) -> Result<f64> {
        let kept = self.kept()?;
        Ok(1.0 - kept.count_kept() as f64 / kept.len() as f64)
    }

    /// Weights for each that is kept; infinite if none is.
    ///
    /// # Errors
    /// Those of [`log_alpha`](SparseVariational::log_alpha).
    pub fn compression(&self) -> Result<f64> {
        let kept = self.kept()?;
        Ok(kept.len() as f64 / kept.count_kept() as f64)
    }

    /// What evaluation computes, as a layer of its own whose pruned weights are exactly 0.
    ///
    /// # Errors
    /// Those of [`log_alpha`](SparseVariational::log_alpha).
    pub fn prune(&self) -> Result<Linear> {
        let shape = self.weight.value().shape();
        let mut weight = Tensor::zeros(shape)?;
        select_into(self.weight.value(), &self.kept()?, 1.0, &mut weight)?;
        let linear = Linear::new(shape[1], shape[0], Key::new(0))?;
        let mut linear = linear.activation(self.activation);
        let mut parameters = linear.parameters_mut();
        parameters[0].1.set(weight)?;
        parameters[1].1.set(self.bias.value().clone())?;
        Ok(linear)
    }

    /// The product and its noise.
    fn noisy(&self, x: &Var, [weight, bias]: [&Var; 2], pass: &Pass) -> Result<Var> {
        let log_sigma2 = x.tape().parameter(&self.log_sigma2)?;
        let weights = Weights::new(weight, &log_sigma2)?;
        if pass.takes_penalties() {
            pass.penalize(&weights.divergence(self.rows)?)?;
        }
        let plain = Fused::default();
        let mean = x.linear(weight, Some(bias), &plain)?;
        let variance = x.mul(x)?.linear(&weights.variance()?, None, &plain)?;
        sample(&mean, &variance, pass.key())
    }
}

/// ln alpha of tensors outside of a tape.
pub(super) fn log_alpha(theta: &Tensor, log_sigma2: &Tensor) -> Result<Tensor> {
    let [mut square, mut out] = [Tensor::zeros(theta.shape())?, Tensor::zeros(theta.shape())?];
    log_alpha_into(theta.view(), log_sigma2.as_slice(), &mut square, &mut out)?;
    Ok(out)
}

/// The weights below the threshold, and those that are NaN, which are not to be hidden.
pub(super) fn kept(theta: &Tensor, log_sigma2: &Tensor) -> Result<Mask> {
    let logs = log_alpha(theta, log_sigma2)?;
    let pruned: Vec<bool> = logs.as_slice().iter().map(|&x| x >= THRESHOLD).collect();
    Ok(Mask::from_bools(&pruned).not())
}

impl Layer for SparseVariational {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let tape = x.tape();
        let weight = tape.parameter(&self.weight)?;
        let bias = tape.parameter(&self.bias)?;
        if pass.mode().drops() {
            let y = self.noisy(x, [&weight, &bias], pass)?;
            return y.activate(self.activation);
        }
        let fused = Fused {
            activation: self.activation,
            dropout: None,
        };
        x.linear(&weight.select(&self.kept()?, 1.0)?, Some(&bias), &fused)
    }

    fn kind(&self) -> String {
        let shape = self.weight.value().shape();
        let activation = followed_by(self.activation);
        format!("SparseVariational {} -> {}{activation}", shape[1], shape[0])
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![
            ("weight", &self.weight),
            ("log_sigma2", &self.log_sigma2),
            ("bias", &self.bias),
        ]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![
            ("weight", &mut self.weight),
            ("log_sigma2", &mut self.log_sigma2),
            ("bias", &mut self.bias),
        ]
    }
}
