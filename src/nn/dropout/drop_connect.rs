//! DropConnect as a layer.

use crate::activation::Activation;
use crate::autograd::{Parameter, Var};
use crate::dropout::check_probability;
use crate::error::{Error, Result};
use crate::nn::init::Init;
use crate::nn::layer::Layer;
use crate::nn::linear::Linear;
use crate::nn::mode::Mode;
use crate::nn::pass::Pass;
use crate::ops;
use crate::tensor::Tensor;

/// A linear layer of which each weight is dropped with probability `p` (Wan et al. 2013, "Regularization of Neural Networks
/// using DropConnect", <https://proceedings.mlr.press/v28/wan13.html>), in the inverted form: kept weights are divided by
/// 1 - p in training, and evaluation is the plain layer. Biases are not dropped. The paper takes p = 0.5.
///
/// One mask serves a whole batch, and the product costs what it would without: this is the weaker form. The paper
/// draws a mask for each example, as does [`per_sample`](DropConnect::per_sample), which is slow.
///
/// Evaluation with the mean weights is not the mean over masks where an activation follows.
/// [`sampled`](DropConnect::sampled) evaluates as the paper does.
///
/// The bits are those of the layer's key with the name `weight`; an observed pass counts them as decisions about inputs. The parameters are those of the linear layer, under the
/// same names.
///
/// ```
/// use elision::nn::{DropConnect, Linear};
/// use elision::{Activation, Key};
/// let layer = Linear::new(784, 800, Key::new(1))?.activation(Activation::Relu);
/// let layer = DropConnect::new(layer, 0.5)?;
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DropConnect {
    linear: Linear,
    p: f64,
    per_sample: bool,
    /// How many numbers evaluation draws for an output; none to evaluate with the mean weights.
    samples: usize,
}

/// What names the weights' bits.
pub(super) const WEIGHT: &str = "weight";

impl DropConnect {
    /// Around a linear layer.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none, [`Error::Unsupported`] if the linear layer has dropout of its own.
    pub fn new(linear: Linear, p: f64) -> Result<Self> {
        linear.check_no_dropout()?;
        Ok(Self {
            linear,
            p: check_probability(p)?,
            per_sample: false,
            samples: 0,
        })
    }

    /// The same with a mask for each sample: exact, and slow, for it writes the masked weights of every sample.
    #[must_use]
    pub fn per_sample(self) -> Self {
        Self {
            per_sample: true,
            ..self
        }
    }

    /// The same with the paper's evaluation: the sums are taken as normal, with the mean and the variance that they
    /// have over masks ([`ops::drop_connect_moments`]), and the activation is averaged over `samples` draws of them. It
    /// draws the same numbers each time, and no gradient passes through it.
    ///
    /// # Errors
    /// [`Error::Empty`] if there are no samples.
    pub fn sampled(self, samples: usize) -> Result<Self> {
        match samples {
            0 => Err(Error::Empty("a mean over samples")),
            _ => Ok(Self { samples, ..self }),
        }
    }

    /// The activation's mean over sums that are drawn.
    fn sample(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let (weight, bias) = (self.linear.weights(x)?, self.linear.biases(x)?);
        let &[.., inputs] = x.shape() else {
            return self.linear.run(x, &weight, pass);
        };
        let rows = x.shape()[..x.rank() - 1].iter().product();
        let (mean, mut deviation) = ops::drop_connect_moments(
            x.view().reshape(&[rows, inputs])?,
            &weight,
            bias.as_ref().map(Var::view),
            self.p,
        )?;
        let squares = deviation.as_mut_slice().iter_mut();
        squares.for_each(|variance| *variance = variance.sqrt());
        let activation = self.linear.fused(pass)?.activation;
        let (key, mut sum) = (pass.key().named(WEIGHT), Tensor::zeros(mean.shape())?);
        for sample in 0..self.samples as u64 {
            let mut u = Init::Normal(1.0).fill(mean.shape(), key.fold_in(sample))?;
            ops::mul_assign(&mut u, &deviation)?;
            ops::add_assign(&mut u, &mean)?;
            if activation != Activation::Identity {
                ops::activate_in_place(&mut u, activation)?;
            }
            ops::add_assign(&mut sum, &u)?;
        }
        ops::scale_in_place(&mut sum, (self.samples as f32).recip())?;
        let shape = [&x.shape()[..x.rank() - 1], &mean.shape()[1..]].concat();
        let y = x.tape().constant(sum.reshape(&shape)?);
        self.linear.on_top(y, x)
    }
}

impl Layer for DropConnect {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let weight = self.linear.weights(x)?;
        let Some(dropout) = pass.child(WEIGHT).dropout(self.p)? else {
            return match pass.mode() {
                Mode::Eval if self.samples > 0 && self.p > 0.0 => self.sample(x, pass),
                _ => self.linear.run(x, &weight, pass),
            };
        };
        if self.per_sample {
            let sums = x.drop_connect_each(&weight, &dropout)?;
            let shape = [&x.shape()[..1], weight.shape()].concat();
            pass.note_dropout(Some(&dropout), &shape)?;
            return self.linear.finish(sums, x);
        }
        pass.note_dropout(Some(&dropout), weight.shape())?;
        if x.units().is_some() {
            // The layer before has dropped columns, which the product of kept ones alone leaves out.
            return self.linear.run(x, &weight.dropout(&dropout)?, pass);
        }
        let (bias, fused) = (self.linear.biases(x)?, self.linear.fused(pass)?);
        let y = x.drop_connect(&weight, bias.as_ref(), &fused, &dropout)?;
        self.linear.on_top(y, x)
    }

    fn kind(&self) -> String {
        format!("DropConnect of {}", self.linear.kind())
    }

    fn rate(&self) -> Option<f64> {
        Some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        self.linear.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        self.linear.parameters_mut()
    }
}
