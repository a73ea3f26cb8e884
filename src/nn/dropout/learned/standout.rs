//! Standout: a drop probability that a unit computes.

use super::zip_with;
use crate::activation::Activation;
use crate::autograd::{Fused, Parameter, Var};
use crate::error::{Result, check_number};
use crate::key::Key;
use crate::mask::Mask;
use crate::nn::layer::followed_by;
use crate::nn::{Init, Layer, Linear, Pass};
use crate::ops::sigmoid_into;
use crate::tensor::Tensor;

/// A linear layer whose units are kept with a probability that their own input decides: standout in its tied form (Ba and
/// Frey 2013, "Adaptive dropout for training deep neural networks",
/// <https://proceedings.neurips.cc/paper/2013/hash/7b5b23f4aadf9513306bcd59afb6e4c9-Abstract.html>).
///
/// With z = x weight^T + bias, for samples of shape `[.., inputs]`,
///
/// ```text
/// keep           = sigmoid(scale z + shift)
/// training, Mc:  y = m activation(z),  m = 1 with probability keep and 0 otherwise, for each element
/// evaluation:    y = keep activation(z)
/// ```
///
/// What is kept is not scaled up: evaluation multiplies by the expectation of the mask instead, so it is not the
/// identity. The net that computes the probabilities shares the layer's weights, times `scale`, so there is one product;
/// here it shares the bias, too. The mask has no gradient: in training the gradient is that of `m activation(z)` with m fixed;
/// in evaluation it is that of what evaluation computes.
///
/// A negative shift drops more, and scale 0 is plain dropout with keep probability sigmoid(shift), without scaling. The
/// defaults, 0.5 and 1, are those of a public re-implementation (mabirck/adaptative-dropout-pytorch), which could not
/// reproduce a gain over plain dropout on MNIST; use standout to let the probability depend on the unit's
/// activity, and measure. It has no single drop probability to be set.
///
/// Parameters: `weight` `[units, inputs]`, drawn by [`Init::KaimingUniform`]; `bias` `[units]`, zeros.
///
/// ```
/// use elision::nn::Standout;
/// use elision::{Activation, Key};
/// let layer = Standout::new(784, 1024, Key::new(1))?.activation(Activation::Relu).keep(1.0, 0.0)?;
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Standout {
    linear: Linear,
    activation: Activation,
    scale: f32,
    shift: f32,
}

impl Standout {
    /// A layer without activation, with scale 0.5 and shift 1.
    ///
    /// # Errors
    /// Those of [`Linear::new`].
    pub fn new(inputs: usize, units: usize, key: Key) -> Result<Self> {
        Ok(Self {
            linear: Linear::new(inputs, units, key)?,
            activation: Activation::Identity,
            scale: 0.5,
            shift: 1.0,
        })
    }

    /// The same with other weights.
    ///
    /// # Errors
    /// Those of [`Init::fill`].
    pub fn init(self, init: Init, key: Key) -> Result<Self> {
        let linear = self.linear.init(init, key)?;
        Ok(Self { linear, ..self })
    }

    /// The same with an activation.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// The same with keep probability sigmoid(scale z + shift); the paper's alpha and beta.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if one of both is not finite.
    pub fn keep(self, scale: f64, shift: f64) -> Result<Self> {
        let [scale32, shift32] = [scale as f32, shift as f32];
        check_number("scale of standout", scale, scale32.is_finite())?;
        check_number("shift of standout", shift, shift32.is_finite())?;
        Ok(Self {
            scale: scale32,
            shift: shift32,
            ..self
        })
    }

    /// The keep probability of each element.
    fn rates(&self, z: &Var) -> Result<Var> {
        let shift = z.tape().constant(Tensor::full(&[], self.shift)?);
        z.scale(self.scale)?
            .add(&shift)?
            .activate(Activation::Sigmoid)
    }

    /// Draws which elements are kept.
    fn draw(&self, z: &Var, key: Key) -> Result<Mask> {
        let tape = z.tape();
        let (mut argument, mut drop) = (tape.buffer(z.shape())?, tape.buffer(z.shape())?);
        let inputs = [z.value().as_slice()];
        zip_with(argument.as_mut_slice(), inputs, |[z]| {
            -(self.scale * z + self.shift)
        });
        sigmoid_into(&*argument, &mut *drop)?;
        for p in drop.as_mut_slice() {
            // What is not a number is kept, and so seen.
            *p = if p.is_nan() { 0.0 } else { *p };
        }
        Mask::draw_rates(key, &*drop)
    }
}

impl Layer for Standout {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let tape = x.tape();
        let [weight, bias] = [0, 1].map(|i| tape.parameter(self.parameters()[i].1));
        let z = x.linear(&weight?, Some(&bias?), &Fused::default())?;
        let y = z.activate(self.activation)?;
        match pass.mode().drops() {
            true => y.select(&self.draw(&z, pass.key())?, 1.0),
            false => y.mul(&self.rates(&z)?),
        }
    }

    fn kind(&self) -> String {
        let shape = self.parameters()[0].1.value().shape();
        let activation = followed_by(self.activation);
        format!("Standout {} -> {}{activation}", shape[1], shape[0])
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        self.linear.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        self.linear.parameters_mut()
    }
}
