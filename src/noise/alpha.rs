//! The description of one alpha dropout.

use crate::dropout::Dropout;
use crate::error::{Result, check_number};
use crate::key::Key;

/// Minus lambda times alpha of SELU: where the activation saturates, -1.7580993408473766.
const SELU_SATURATION: f64 = -1.050_700_987_355_480_5 * 1.673_263_242_354_377_2;

/// Alpha dropout (Klambauer et al. 2017, <https://arxiv.org/abs/1706.02515>): dropped elements become the value α' at which
/// SELU saturates, and then all go through `a x + b`, which gives back the mean μ and the variance ν that the input had:
///
/// ```text
/// a = sqrt(ν / (q ((1 - q) (α' - μ)² + ν))),   b = μ - a (q μ + (1 - q) α'),   q = 1 - p
/// ```
///
/// For the fixed point of SELU, μ = 0 and ν = 1, that is `a = 1 / sqrt(q (1 + p α'²))` and `b = -a p α'`. With p = 0 it is
/// the identity. Towards p = 1 the dropped value tends to μ, so p = 1 gives μ everywhere: zeros, as in PyTorch.
///
/// The bits are those of [`Dropout`] with the same key and rate.
///
/// ```
/// use elision::{AlphaDropout, Key, Tensor, ops};
/// let alpha = AlphaDropout::new(Key::new(1), 0.5)?;
/// let (y, mask) = ops::alpha_dropout(&Tensor::full(&[100], 1.0)?, &alpha)?;
/// for (i, y) in y.as_slice().iter().enumerate() {
///     let expected = if mask.get(i) == Some(true) { 1.6655988 } else { -0.7791939 };
///     assert!((y - expected).abs() < 1e-6);
/// }
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlphaDropout {
    dropout: Dropout,
    mean: f64,
    variance: f64,
    saturation: f64,
}

impl AlphaDropout {
    /// For inputs of mean 0 and variance 1 behind SELU.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is NaN or outside [0, 1].
    pub fn new(key: Key, p: f64) -> Result<Self> {
        Ok(Self {
            dropout: Dropout::new(key, p)?,
            mean: 0.0,
            variance: 1.0,
            saturation: SELU_SATURATION,
        })
    }

    /// The same for inputs of another mean and variance.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if the mean is not a finite f32, or the variance not a positive one.
    pub fn with_moments(self, mean: f64, variance: f64) -> Result<Self> {
        check_finite("mean of alpha dropout", mean)?;
        check_finite("variance of alpha dropout", variance)?;
        check_number("variance of alpha dropout", variance, variance > 0.0)?;
        Ok(Self {
            mean,
            variance,
            ..self
        })
    }

    /// The same for another value of dropped elements.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if it is not a finite f32.
    pub fn with_saturation(self, saturation: f64) -> Result<Self> {
        check_finite("saturation of alpha dropout", saturation)?;
        Ok(Self { saturation, ..self })
    }

    /// Which elements are kept.
    #[must_use]
    pub const fn dropout(&self) -> &Dropout {
        &self.dropout
    }

    /// a: the factor of a kept element and of its gradient; 1 with p = 1, where there is none.
    #[must_use]
    pub fn scale(&self) -> f64 {
        let p = self.dropout.p();
        if p == 1.0 {
            return 1.0;
        }
        let spread = p * (self.saturation - self.mean).powi(2) + self.variance;
        (self.variance / ((1.0 - p) * spread)).sqrt()
    }

    /// b: what is added to a kept element.
    #[must_use]
    pub fn shift(&self) -> f64 {
        let p = self.dropout.p();
        self.mean - self.scale() * ((1.0 - p) * self.mean + p * self.saturation)
    }

    /// a α' + b: what a dropped element becomes.
    #[must_use]
    pub fn dropped(&self) -> f64 {
        self.mean + self.scale() * (1.0 - self.dropout.p()) * (self.saturation - self.mean)
    }
}

fn check_finite(what: &'static str, value: f64) -> Result<()> {
    check_number(what, value, (value as f32).is_finite())
}
