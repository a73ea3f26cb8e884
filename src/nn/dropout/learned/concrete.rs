//! Concrete dropout: a drop probability that is learned.

use super::check_rows;
use super::concrete_noise::{probabilities, regularize, soften};
use crate::autograd::{Parameter, Var};
use crate::error::{Error, Result, check_number};
use crate::nn::{Layer, Linear, Pass};
use crate::tensor::Tensor;

/// What the prior of [`ConcreteDropout`] weighs: `weight |W|^2 / (1 - p) + rate K (p ln p + (1 - p) ln(1 - p))` for K
/// inputs, which is added to a loss that is a mean over rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConcretePrior {
    weight: f64,
    rate: f64,
}

impl ConcretePrior {
    /// For a loss that is a negative log likelihood, such as cross-entropy, or
    /// [`Loss::GaussianNll`](crate::train::Loss::GaussianNll) of a learned variance: weight l^2 / N and rate 1 / N with the
    /// prior's length scale l, in the paper 1e-4 to 1e-2, and the N rows of the training set.
    ///
    /// # Errors
    /// [`Error::Number`] if the length scale is negative or not finite, [`Error::Empty`] for no rows.
    pub fn likelihood(length_scale: f64, rows: usize) -> Result<Self> {
        let rows = check_rows(rows)?;
        let weight = length_scale * length_scale / rows;
        let valid = length_scale >= 0.0 && weight.is_finite();
        check_number("length scale of concrete dropout", length_scale, valid)?;
        let rate = 1.0 / rows;
        Ok(Self { weight, rate })
    }

    /// For squared errors, summed over the outputs of a row, of a model whose noise has the given precision tau, one over its
    /// variance: weight l^2 / (tau N) and rate 2 / (tau N). The loss is then 2 / tau times the negative log likelihood, hence the
    /// 2; with several outputs [`Loss::MeanSquaredError`](crate::train::Loss::MeanSquaredError) is a mean over them, and the
    /// precision is to be multiplied by their number.
    ///
    /// # Errors
    /// Those of [`likelihood`](ConcretePrior::likelihood), and [`Error::Number`] if the precision is not positive and finite.
    pub fn squared_error(length_scale: f64, precision: f64, rows: usize) -> Result<Self> {
        let Self { weight, rate } = Self::likelihood(length_scale, rows)?;
        let (weight, rate) = (weight / precision, 2.0 * rate / precision);
        let valid = precision > 0.0 && precision.is_finite();
        let valid = valid && weight.is_finite() && rate.is_finite();
        check_number("precision of concrete dropout", precision, valid)?;
        Ok(Self { weight, rate })
    }
}

/// A linear layer behind dropout whose probability is learned with the weights: concrete dropout (Gal, Hron and Kendall
/// 2017, <https://arxiv.org/abs/1705.07832>).
///
/// The logit of p is a parameter. To have a gradient the mask is soft: in training and Monte-Carlo mode, for each
/// element of the input and a uniform u of its own,
///
/// ```text
/// z = sigmoid((ln(p + e) - ln(1 - p + e) + ln(u + e) - ln(1 - u + e)) / temperature),   e = 1e-7
/// y = linear(x (1 - z) / (1 - p))
/// ```
///
/// z > 1/2, a drop, has probability p at every temperature, and as the temperature falls z becomes 0 or 1; the mean of z is p in
/// that limit alone. An element whose 1 - z underflows is 0. In evaluation the input passes, bit for bit. In training
/// the layer adds its [`ConcretePrior`] to the loss ([`Pass::penalize`]): the weights' norm is for a small p, the entropy for
/// p = 1/2, and the more rows there are the less both count. The norm is that of the weights, without the bias.
///
/// The entropy is weighed by the inputs of the layer. Do not put this into a convolution's place or in front of one: its weights
/// meet every window, and the regulariser would count them wrongly, as the authors warn.
///
/// Probability 0 is the identity and stays: the logit is then minus infinity, from which no gradient leads back.
/// Probability 1 is refused.
///
/// Parameters: `logit` `[1]`, that of 0.1; and those of the linear layer under `linear`.
///
/// ```
/// use elision::nn::{ConcreteDropout, ConcretePrior, Layer, Linear};
/// use elision::{Activation, Key};
/// let prior = ConcretePrior::likelihood(1e-2, 60_000)?;
/// let linear = Linear::new(784, 512, Key::new(1))?.activation(Activation::Relu);
/// let layer = ConcreteDropout::new(linear, prior)?;
/// assert!((layer.rate().unwrap() - 0.1).abs() < 1e-7);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConcreteDropout {
    logit: Parameter,
    linear: Linear,
    prior: ConcretePrior,
    temperature: f64,
}

impl ConcreteDropout {
    /// In front of a linear layer, with probability 0.1 and temperature 0.1, the authors' for such layers.
    ///
    /// # Errors
    /// [`Error::Overflow`] if memory is short.
    pub fn new(linear: Linear, prior: ConcretePrior) -> Result<Self> {
        let logit = Parameter::new(Tensor::zeros(&[1])?);
        let temperature = 0.1;
        let mut layer = Self {
            logit,
            linear,
            prior,
            temperature,
        };
        layer.set_rate(0.1)?;
        Ok(layer)
    }

    /// The same with another probability to begin with.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is not at least 0 and below 1.
    pub fn dropout(mut self, p: f64) -> Result<Self> {
        self.set_rate(p)?;
        Ok(self)
    }

    /// The same with another temperature.
    ///
    /// # Errors
    /// [`Error::Number`] if it, or one over it, is not positive and finite.
    pub fn temperature(self, temperature: f64) -> Result<Self> {
        let numbers = [temperature as f32, (1.0 / temperature) as f32];
        let valid = numbers.iter().all(|x| *x > 0.0 && x.is_finite());
        check_number("temperature of concrete dropout", temperature, valid)?;
        Ok(Self {
            temperature,
            ..self
        })
    }

    /// p and 1 - p.
    fn probabilities(&self) -> [f64; 2] {
        probabilities(self.logit.value().as_slice()[0])
    }

    /// The input, softly dropped.
    fn dropped(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let tape = x.tape();
        let logit = tape.parameter(&self.logit)?;
        if pass.takes_penalties() {
            let weight = tape.parameter(self.linear.parameters()[0].1)?;
            let inputs = weight.shape()[1] as f64;
            let ConcretePrior { weight: w, rate } = self.prior;
            pass.penalize(&regularize(&weight, &logit, [w, rate * inputs])?)?;
        }
        soften(x, &logit, self.temperature, pass.key())
    }
}

impl Layer for ConcreteDropout {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let drops = pass.mode().drops() && self.probabilities()[0] != 0.0;
        let dropped = drops.then(|| self.dropped(x, pass)).transpose()?;
        pass.run("linear", &self.linear, dropped.as_ref().unwrap_or(x))
    }

    fn kind(&self) -> String {
        "ConcreteDropout".to_owned()
    }

    fn rate(&self) -> Option<f64> {
        Some(self.probabilities()[0])
    }

    /// Sets the logit.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is not at least 0 and below 1.
    fn set_rate(&mut self, p: f64) -> Result<()> {
        if !(0.0..1.0).contains(&p) {
            return Err(Error::Probability(p));
        }
        let logit = p.ln() - (-p).ln_1p();
        self.logit.set(Tensor::full(&[1], logit as f32)?)
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![("logit", &self.logit)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![("logit", &mut self.logit)]
    }

    fn children(&self) -> Vec<(&str, &dyn Layer)> {
        vec![("linear", &self.linear)]
    }

    fn children_mut(&mut self) -> Vec<(&str, &mut dyn Layer)> {
        vec![("linear", &mut self.linear)]
    }
}
