//! Shakeout as a layer.

use crate::autograd::{Fused, Parameter, Var};
use crate::dropout::check_probability;
use crate::error::{Result, check_number};
use crate::nn::layer::Layer;
use crate::nn::linear::Linear;
use crate::nn::pass::Pass;

/// A linear layer under Shakeout (Kang, Li and Tao 2016, "Shakeout: A New Regularized Deep Neural Network Training Scheme",
/// AAAI; <https://arxiv.org/abs/1904.06593> is the longer form): where dropout makes an input's contribution zero,
/// Shakeout makes it `-c sgn(w) x`. In training, with keep bits m over the inputs and q = 1 - p, the sums are
///
/// ```text
/// W (x * m / q) + c sgn(W) (x * (m / q - 1)) + bias
/// ```
///
/// whose mean over m is `W x + bias`, the plain layer, which evaluation is (with p = 1 nothing is kept, and there is no
/// such mean). The strength c works like an L1 penalty and
/// makes weights sparse; c = 0 is dropout of the inputs, bit for bit. The gradient of sgn is that of `tanh(s w)`, as in
/// the authors' code: see [`Var::sign`]. Biases have no part in it.
///
/// The bits are those of [`Var::dropout`] of the inputs with the layer's own key. The parameters are those of the linear
/// layer, under the same names.
///
/// ```
/// use elision::nn::{Linear, Shakeout};
/// use elision::{Activation, Key};
/// let layer = Linear::new(784, 800, Key::new(1))?.activation(Activation::Relu);
/// let layer = Shakeout::new(layer, 0.5, 0.1)?;
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Shakeout {
    linear: Linear,
    p: f64,
    c: f32,
    steepness: f32,
}

/// Where nobody says otherwise the slope of the sign is felt by weights up to about a tenth.
const STEEPNESS: f32 = 10.0;

impl Shakeout {
    /// Around a linear layer, with drop probability `p` and strength `c`.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none, [`Error::Number`](crate::Error::Number) if `c` is
    /// negative or not finite, [`Error::Unsupported`](crate::Error::Unsupported) if the linear layer has dropout of its own.
    pub fn new(linear: Linear, p: f64, c: f32) -> Result<Self> {
        check_number("strength of Shakeout", c, c.is_finite() && c >= 0.0)?;
        linear.check_no_dropout()?;
        Ok(Self {
            linear,
            p: check_probability(p)?,
            c,
            steepness: STEEPNESS,
        })
    }

    /// The same with another steepness s of the sign in the backward pass; 10 is this library's choice.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if it is not finite and positive.
    pub fn steepness(self, steepness: f32) -> Result<Self> {
        let valid = steepness.is_finite() && steepness > 0.0;
        check_number("steepness of Shakeout (positive)", steepness, valid)?;
        Ok(Self { steepness, ..self })
    }
}

impl Layer for Shakeout {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let weight = self.linear.weights(x)?;
        let Some(dropout) = pass.dropout(self.p)? else {
            return self.linear.run(x, &weight, pass);
        };
        let kept = x.dropout(&dropout)?;
        let plain = Fused::default();
        let mut sums = kept.linear(&weight, None, &plain)?;
        if self.c > 0.0 {
            let signs = weight.sign(self.steepness)?.scale(self.c)?;
            sums = kept.sub(x)?.linear_residual(&signs, None, &plain, &sums)?;
        }
        self.linear.finish(sums, x)
    }

    fn kind(&self) -> String {
        format!("Shakeout of {}", self.linear.kind())
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
