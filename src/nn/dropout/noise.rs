//! Noise as layers: normal or uniform, multiplied or added, and alpha dropout.

use crate::autograd::Var;
use crate::dropout::{Channels, Where, check_probability};
use crate::error::Result;
use crate::key::Key;
use crate::nn::layer::Layer;
use crate::nn::pass::Pass;
use crate::noise::{AlphaDropout as Alpha, Noise, check_gaussian_rate};

/// Gaussian dropout (Srivastava et al. 2014, section 10, <https://jmlr.org/papers/v15/srivastava14a.html>): in training and
/// Monte-Carlo mode each element is multiplied by a normal number with mean 1 and variance p / (1 - p), the moments of
/// inverted dropout at the rate p; the identity, bit for bit, in evaluation. It drops nothing.
///
/// The paper compares it with dropout at the rate 0.5, as we recall it, where the deviation is 1.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{GaussianDropout, Layer, Pass};
/// use elision::{Key, Tensor};
/// let layer = GaussianDropout::new(0.2)?;
/// let x = Tape::new().constant(Tensor::full(&[10_000], 1.0)?);
/// let y = layer.forward(&x, &Pass::train(Key::new(1), 0))?;
/// let variance = y.view().iter().map(|y| (y - 1.0).powi(2)).sum::<f32>() / 1e4;
/// assert!((variance - 0.25).abs() < 0.02);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaussianDropout {
    p: f64,
    place: Where,
}

impl GaussianDropout {
    /// Gaussian dropout at that rate.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is outside [0, 1],
    /// [`Error::Number`](crate::Error::Number) if it is 1.
    pub fn new(p: f64) -> Result<Self> {
        let p = check_gaussian_rate(p)?;
        let place = Where::Element;
        Ok(Self { p, place })
    }

    /// The same with one number for each group of elements: the Gaussian form of spatial or of locked dropout.
    #[must_use]
    pub const fn over(self, place: Where) -> Self {
        Self { place, ..self }
    }
}

impl Layer for GaussianDropout {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        perturb(x, pass, (self.p, &self.place), Noise::gaussian_dropout)
    }

    fn kind(&self) -> String {
        format!("GaussianDropout{}", self.place)
    }

    fn rate(&self) -> Option<f64> {
        Some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_gaussian_rate(p)?;
        Ok(())
    }
}

/// *Uout* (Li et al. 2019, <https://arxiv.org/abs/1801.05134>): in training and Monte-Carlo mode each element is
/// multiplied by a number uniform in (1 - β, 1 + β); the identity, bit for bit, in evaluation. The paper takes β = 0.1, as we recall it. It
/// shifts the variance before batch normalisation by 3 / (3 + β²) only, where dropout shifts it by 1 - p.
///
/// It has no rate: β is no probability.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{Layer, Pass, UniformDropout};
/// use elision::{Key, Tensor};
/// let layer = UniformDropout::new(0.1)?;
/// let x = Tape::new().constant(Tensor::full(&[100], 1.0)?);
/// let y = layer.forward(&x, &Pass::train(Key::new(1), 0))?;
/// assert!(y.view().iter().all(|y| (0.9..=1.1).contains(&y)));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct UniformDropout {
    half_width: f64,
    place: Where,
}

impl UniformDropout {
    /// With that half width β.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if it is negative, or more than f32 holds.
    pub fn new(half_width: f64) -> Result<Self> {
        Noise::uniform(Key::new(0), half_width)?;
        let place = Where::Element;
        Ok(Self { half_width, place })
    }

    /// The same with one number for each group of elements.
    #[must_use]
    pub const fn over(self, place: Where) -> Self {
        Self { place, ..self }
    }
}

impl Layer for UniformDropout {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        perturb(x, pass, (self.half_width, &self.place), Noise::uniform)
    }

    fn kind(&self) -> String {
        format!("UniformDropout{}", self.place)
    }
}

/// Normal noise that is added in training and Monte-Carlo mode, with mean 0 and a standard deviation in units of the input;
/// the identity, bit for bit, in evaluation. At the input of a model this is the noise of Bishop 1995
/// (<https://doi.org/10.1162/neco.1995.7.1.108>), which acts as a penalty on the derivative. It has no rate.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{GaussianNoise, Layer, Pass};
/// use elision::{Key, Tensor, ops};
/// let x = Tape::new().constant(Tensor::zeros(&[3])?);
/// let y = GaussianNoise::new(1.0)?.forward(&x, &Pass::train(Key::new(1), 0))?;
/// assert_eq!(y.to_tensor()?, ops::normal(Key::new(1).fold_in(0), &[3])?);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GaussianNoise {
    deviation: f64,
    place: Where,
}

impl GaussianNoise {
    /// With that standard deviation.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if it is negative, or more than f32 holds.
    pub fn new(deviation: f64) -> Result<Self> {
        Noise::gaussian(Key::new(0), deviation)?;
        let place = Where::Element;
        Ok(Self { deviation, place })
    }

    /// The same with one number for each group of elements.
    #[must_use]
    pub const fn over(self, place: Where) -> Self {
        Self { place, ..self }
    }
}

impl Layer for GaussianNoise {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let added = |key, deviation| Ok(Noise::gaussian(key, deviation)?.added());
        perturb(x, pass, (self.deviation, &self.place), added)
    }

    fn kind(&self) -> String {
        format!("GaussianNoise{}", self.place)
    }
}

/// The noise of a layer, of that size and over those groups, in the modes that draw; the size 0 is the identity.
fn perturb(
    x: &Var,
    pass: &Pass,
    (size, place): (f64, &Where),
    noise: impl FnOnce(Key, f64) -> Result<Noise>,
) -> Result<Var> {
    if !pass.mode().drops() || size == 0.0 {
        return Ok(x.clone());
    }
    let noise = noise(pass.key(), size)?;
    match place {
        Where::Element => x.noise(&noise),
        _ => x.noise_shared(&place.noise_shape(x.shape())?, &noise),
    }
}

/// Alpha dropout (Klambauer et al. 2017, <https://arxiv.org/abs/1706.02515>), for networks with SELU and LeCun's initial
/// weights ([`Init::LecunNormal`](crate::nn::Init::LecunNormal)): dropped elements become SELU's saturation, and an affine
/// function gives mean 0 and variance 1 back, see [`elision::AlphaDropout`](crate::AlphaDropout). In training and Monte-Carlo
/// mode; the identity, bit for bit, in evaluation. The paper recommends rates of 0.05 and 0.1, as we recall it.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{AlphaDropout, Layer, Pass};
/// use elision::{Key, Tensor};
/// let layer = AlphaDropout::new(0.5)?;
/// let x = Tape::new().constant(Tensor::full(&[100], 1.0)?);
/// let y = layer.forward(&x, &Pass::train(Key::new(1), 0))?;
/// assert!(y.view().iter().all(|y| (y - 1.66560).abs() < 1e-4 || (y + 0.77919).abs() < 1e-4));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AlphaDropout {
    p: f64,
    place: Where,
}

impl AlphaDropout {
    /// Alpha dropout at that rate.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn new(p: f64) -> Result<Self> {
        let p = check_probability(p)?;
        let place = Where::Element;
        Ok(Self { p, place })
    }

    /// The same of groups of elements: one decision a group.
    #[must_use]
    pub const fn over(self, place: Where) -> Self {
        Self { place, ..self }
    }

    /// Feature alpha dropout: whole feature maps of a sample, with the channels on the last axis.
    #[must_use]
    pub const fn features(self) -> Self {
        self.over(Where::Channel(Channels::Last))
    }
}

impl Layer for AlphaDropout {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let alpha = Alpha::new(pass.key(), self.p)?;
        if !pass.mode().drops() || self.p == 0.0 {
            return Ok(x.clone());
        }
        x.alpha_dropout_shared(&self.place.noise_shape(x.shape())?, &alpha)
    }

    fn kind(&self) -> String {
        format!("AlphaDropout{}", self.place)
    }

    fn rate(&self) -> Option<f64> {
        Some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }
}
