//! Variational dropout: Gaussian noise whose size is learned.

use super::check_rows;
use super::draw::sample;
use crate::activation::Activation;
use crate::autograd::{Fused, Parameter, Step, Var};
use crate::error::{Error, Result, check_number};
use crate::key::Key;
use crate::nn::layer::followed_by;
use crate::nn::{Init, Layer, Linear, Pass};
use crate::ops::normal_into;
use crate::tensor::Tensor;

/// Who has an alpha of its own in a [`VariationalLinear`] layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AlphaSharing {
    /// The layer: one number.
    #[default]
    Layer,
    /// Each unit of the layer before: `[inputs]`.
    Unit,
    /// Each weight: `[units, inputs]`; needs [`VariationalNoise::Weights`].
    Weight,
}

/// What the noise of a [`VariationalLinear`] layer is on: variants A and B of the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VariationalNoise {
    /// A: each input of each row is multiplied by N(1, alpha), as in Gaussian dropout. The weights that leave a unit share
    /// its noise.
    Inputs,
    /// B: each weight is multiplied by N(1, alpha), anew for each row; the noise of the outputs is drawn.
    #[default]
    Weights,
}

/// A linear layer under Gaussian dropout whose noise is learned: variational dropout with the local reparameterisation
/// (Kingma, Salimans and Welling 2015, <https://arxiv.org/abs/1506.02557>).
///
/// For samples of shape `[.., inputs]`, theta = `weight` and noise e ~ N(0, 1), in training and Monte-Carlo mode,
///
/// ```text
/// Inputs:   y = activation((x (1 + sqrt(alpha) e)) theta^T + bias),    e for each row and input
/// Weights:  y = activation(x theta^T + bias + sqrt(x^2 (alpha theta^2)^T + 1e-8) e),   e for each row and unit
/// ```
///
/// and without noise in evaluation. The second has the distribution of noise that is drawn for every weight and every row
/// anew, at the price of a second product instead of a number for each: and gradients with less variance than one
/// draw of the weights for a batch. alpha = p / (1 - p) is dropout's p in Gaussian form. In training the layer adds the
/// divergence from the log-uniform prior, over the rows N of the training set, to the loss ([`Pass::penalize`]):
///
/// ```text
/// KL = -(ln(alpha) / 2 + c1 alpha + c2 alpha^2 + c3 alpha^3) + constant,   c1, c2, c3 = 1.16145124, -1.50204118, 0.58629921
/// ```
///
/// for each noise that has a distribution of its own: each weight, or with [`VariationalNoise::Inputs`], as we recall the paper, each
/// input. The constant is left out. It falls as alpha grows, and holds for alpha <= 1 alone, so ln alpha counts as 0
/// where it is above, p as 0.5 at most; there only gradients that lead back are let through. (The sign is as it
/// must be; a public replication has the opposite one.) The loss is a negative log likelihood, a mean over rows.
///
/// Probability 0 is the identity and stays: ln alpha is then minus infinity, and nothing is added to the loss.
///
/// Parameters: `weight` `[units, inputs]`, drawn by [`Init::KaimingUniform`]; `log_alpha` of the shape that [`AlphaSharing`]
/// says; `bias` `[units]`, zeros.
///
/// ```
/// use elision::nn::{Layer, VariationalNoise, AlphaSharing, VariationalLinear};
/// use elision::{Activation, Key};
/// let layer = VariationalLinear::new(784, 300, 60_000, Key::new(1))?
///     .activation(Activation::Relu)
///     .noise(VariationalNoise::Weights, AlphaSharing::Unit)?;
/// assert!((layer.rate().unwrap() - 0.2).abs() < 1e-7);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct VariationalLinear {
    weight: Parameter,
    log_alpha: Parameter,
    bias: Parameter,
    activation: Activation,
    noise: VariationalNoise,
    rows: f64,
}

/// The divergence's polynomial (Kingma et al. 2015).
const C: [f32; 3] = [1.161_451_2, -1.502_041_2, 0.586_299_2];

impl VariationalLinear {
    /// A layer with noise of its weights, p = 0.2 for all of them, that is trained on `rows` rows in all: those of the
    /// training set, not of a batch.
    ///
    /// # Errors
    /// Those of [`Linear::new`], and [`Error::Empty`] for no rows.
    pub fn new(inputs: usize, units: usize, rows: usize, key: Key) -> Result<Self> {
        let rows = check_rows(rows)?;
        let linear = Linear::new(inputs, units, key)?;
        let [weight, bias] = [0, 1].map(|i| linear.parameters()[i].1.clone());
        let log_alpha = Parameter::new(Tensor::zeros(&[1])?);
        let mut layer = Self {
            weight,
            log_alpha,
            bias,
            activation: Activation::Identity,
            noise: VariationalNoise::Weights,
            rows,
        };
        layer.set_rate(0.2)?;
        Ok(layer)
    }

    /// The same with other weights.
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

    /// The same with that noise; every alpha is what the mean p was.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for inputs' noise with an alpha for each weight.
    pub fn noise(mut self, noise: VariationalNoise, sharing: AlphaSharing) -> Result<Self> {
        let (p, shape) = (self.mean_rate(), self.weight.value().shape());
        let shape = match (sharing, noise) {
            (AlphaSharing::Layer, _) => &[1],
            (AlphaSharing::Unit, _) => &shape[1..],
            (AlphaSharing::Weight, VariationalNoise::Weights) => shape,
            (AlphaSharing::Weight, VariationalNoise::Inputs) => {
                return Err(Error::Unsupported(
                    "noise of the inputs has an alpha for each input at most",
                ));
            }
        };
        self.log_alpha = Parameter::new(Tensor::zeros(shape)?);
        self.noise = noise;
        self.set_rate(p)?;
        Ok(self)
    }

    /// The same with another probability p = alpha / (1 + alpha) to begin with.
    ///
    /// # Errors
    /// [`Error::Number`] if `p` is not between 0 and 0.5.
    pub fn dropout(mut self, p: f64) -> Result<Self> {
        self.set_rate(p)?;
        Ok(self)
    }

    fn mean_rate(&self) -> f64 {
        let logs = self.log_alpha.value().as_slice();
        let rates = logs
            .iter()
            .map(|x| 1.0 / (1.0 + (-f64::from(x.min(0.0))).exp()));
        rates.sum::<f64>() / logs.len() as f64
    }

    /// Whether there is no noise at all.
    fn is_off(&self) -> bool {
        let mut logs = self.log_alpha.value().as_slice().iter();
        logs.all(|&x| x == f32::NEG_INFINITY)
    }

    /// The numbers of noises that share an alpha.
    fn sharers(&self) -> f64 {
        let shape = self.weight.value().shape();
        let noises = match self.noise {
            VariationalNoise::Inputs => shape[1],
            VariationalNoise::Weights => shape[0] * shape[1],
        };
        noises as f64 / self.log_alpha.value().len() as f64
    }

    /// The divergence over the rows, of ln alpha that is at most 0.
    fn divergence(&self, log_alpha: &Var) -> Result<Var> {
        let alpha = log_alpha.exp()?;
        let square = alpha.mul(&alpha)?;
        let terms = log_alpha
            .scale(0.5)?
            .add(&alpha.scale(C[0])?)?
            .add(&square.scale(C[1])?)?
            .add(&square.mul(&alpha)?.scale(C[2])?)?;
        terms.sum()?.scale((-self.sharers() / self.rows) as f32)
    }

    /// The product with noise.
    fn noisy(&self, x: &Var, [weight, bias]: [&Var; 2], pass: &Pass) -> Result<Var> {
        let tape = x.tape();
        let log_alpha = at_most_zero(&tape.parameter(&self.log_alpha)?)?;
        if pass.takes_penalties() {
            pass.penalize(&self.divergence(&log_alpha)?)?;
        }
        let (deviation, plain) = (log_alpha.scale(0.5)?.exp()?, Fused::default());
        match self.noise {
            VariationalNoise::Inputs => {
                let mut noise = tape.buffer(x.shape())?;
                normal_into(pass.key(), &mut *noise)?;
                let noise = x.mul(&deviation)?.mul(&tape.constant(noise))?;
                let x = x.add(&noise)?;
                x.linear(weight, Some(bias), &plain)
            }
            VariationalNoise::Weights => {
                let mean = x.linear(weight, Some(bias), &plain)?;
                let deviation = weight.mul(&deviation)?;
                let variance = deviation.mul(&deviation)?;
                let variance = x.mul(x)?.linear(&variance, None, &plain)?;
                sample(&mean, &variance, pass.key())
            }
        }
    }
}

/// min(x, 0). Where x is 0 or above, a gradient that would make it larger does not pass: so a number that has come to the
/// limit stays there, but can leave it.
fn at_most_zero(x: &Var) -> Result<Var> {
    let mut y = x.tape().buffer(x.shape())?;
    super::zip_with(y.as_mut_slice(), [x.value().as_slice()], |[x]| {
        if x > 0.0 { 0.0 } else { x }
    });
    let step = Step {
        op: "at_most_zero",
        inputs: &[x],
        output: y.into(),
    };
    step.record(x.value().clone(), |x, dy, gradients| {
        let mut dx = gradients.buffer(x.shape())?;
        let inputs = [x.as_slice(), dy.as_slice()];
        super::zip_with(dx.as_mut_slice(), inputs, |[x, dy]| {
            if x >= 0.0 && dy < 0.0 { 0.0 } else { dy }
        });
        gradients.add(0, dx)
    })
}

impl Layer for VariationalLinear {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let tape = x.tape();
        let weight = tape.parameter(&self.weight)?;
        let bias = tape.parameter(&self.bias)?;
        if pass.mode().drops() && !self.is_off() {
            let y = self.noisy(x, [&weight, &bias], pass)?;
            return y.activate(self.activation);
        }
        let fused = Fused {
            activation: self.activation,
            dropout: None,
        };
        x.linear(&weight, Some(&bias), &fused)
    }

    fn kind(&self) -> String {
        let shape = self.weight.value().shape();
        let activation = followed_by(self.activation);
        format!("VariationalLinear {} -> {}{activation}", shape[1], shape[0])
    }

    /// The mean of alpha / (1 + alpha).
    fn rate(&self) -> Option<f64> {
        Some(self.mean_rate())
    }

    /// Sets every alpha to p / (1 - p).
    ///
    /// # Errors
    /// [`Error::Number`] if `p` is not between 0 and 0.5.
    fn set_rate(&mut self, p: f64) -> Result<()> {
        let valid = (0.0..=0.5).contains(&p);
        check_number(
            "drop probability of variational dropout, 0 to 0.5,",
            p,
            valid,
        )?;
        let log_alpha = (p.ln() - (-p).ln_1p()) as f32;
        let shape = self.log_alpha.value().shape();
        self.log_alpha.set(Tensor::full(shape, log_alpha)?)
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![
            ("weight", &self.weight),
            ("log_alpha", &self.log_alpha),
            ("bias", &self.bias),
        ]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![
            ("weight", &mut self.weight),
            ("log_alpha", &mut self.log_alpha),
            ("bias", &mut self.bias),
        ]
    }
}
