//! The description of one noise: which numbers, how wide, multiplied or added.

mod alpha;

pub use alpha::AlphaDropout;

use crate::dropout::check_probability;
use crate::error::{Result, check_number};
use crate::key::Key;

/// Which numbers n a noise is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Standard normal.
    Normal,
    /// Uniform in (-1, 1).
    Uniform,
}

/// One noise that drops nothing: `x (1 + s n)`, or `x + s n` where it is [`added`](Noise::added), with a *spread* s and
/// random numbers n of mean 0. Evaluation needs no factor: the mean over n is x.
///
/// Element i's number is a function of (key, i) and of nothing else.
///
/// | constructor | n | the factor's variance |
/// |---|---|---|
/// | [`gaussian_dropout`](Noise::gaussian_dropout) | normal | p / (1 - p), as dropout's |
/// | [`gaussian`](Noise::gaussian) | normal | s² |
/// | [`uniform`](Noise::uniform) | uniform in (-1, 1) | s² / 3 |
///
/// ```
/// use elision::{Key, Noise, Tensor, ops};
/// let noise = Noise::gaussian_dropout(Key::new(1), 0.5)?;
/// assert_eq!(noise.spread(), 1.0);
/// let x = Tensor::full(&[1000], 2.0)?;
/// let (y, n) = (ops::noise(&x, &noise)?, ops::normal(Key::new(1), &[1000])?);
/// assert!(y.as_slice().iter().zip(n.as_slice()).all(|(y, n)| *y == 2.0 * (1.0 + n)));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    key: Key,
    numbers: Numbers,
    spread: f32,
    added: bool,
}

impl Noise {
    fn new(key: Key, numbers: Numbers, spread: f32) -> Self {
        Self {
            key,
            numbers,
            spread,
            added: false,
        }
    }

    /// Gaussian dropout at the rate `p`: factors with the mean and the variance p / (1 - p) of inverted dropout's, but
    /// normal (Srivastava et al. 2014, section 10, <https://jmlr.org/papers/v15/srivastava14a.html>). With p = 0 it
    /// is the identity.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is NaN or outside [0, 1],
    /// [`Error::Number`](crate::Error::Number) if it is 1, where the variance is infinite.
    pub fn gaussian_dropout(key: Key, p: f64) -> Result<Self> {
        check_gaussian_rate(p)?;
        Ok(Self::new(
            key,
            Numbers::Normal,
            (p / (1.0 - p)).sqrt() as f32,
        ))
    }

    /// Normal factors of mean 1 with that standard deviation.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if the deviation is negative, or more than f32 holds.
    pub fn gaussian(key: Key, deviation: f64) -> Result<Self> {
        let spread = check_spread("deviation of noise", deviation)?;
        Ok(Self::new(key, Numbers::Normal, spread))
    }

    /// *Uout*: factors uniform in (1 - β, 1 + β) for the half width β (Li et al. 2019,
    /// <https://arxiv.org/abs/1801.05134>, who take 0.1, as we recall it). For inputs of mean 0 the variance in evaluation is
    /// 3 / (3 + β²) of that in training, closer to 1 than dropout's 1 - p, so batch normalisation behind it is less misled.
    ///
    /// # Errors
    /// [`Error::Number`](crate::Error::Number) if the half width is negative, or more than f32 holds.
    pub fn uniform(key: Key, half_width: f64) -> Result<Self> {
        let spread = check_spread("half width of noise", half_width)?;
        Ok(Self::new(key, Numbers::Uniform, spread))
    }

    /// The same numbers, added to x rather than to its factor.
    #[must_use]
    pub const fn added(self) -> Self {
        Self {
            added: true,
            ..self
        }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }

    /// The factor of the numbers.
    #[must_use]
    pub const fn spread(&self) -> f32 {
        self.spread
    }

    /// Whether the numbers are added to x, and do not multiply it.
    #[must_use]
    pub const fn is_added(&self) -> bool {
        self.added
    }

    pub(crate) const fn numbers(&self) -> Numbers {
        self.numbers
    }
}

/// A rate of Gaussian dropout, back again.
pub(crate) fn check_gaussian_rate(p: f64) -> Result<f64> {
    check_probability(p)?;
    check_number("drop probability of Gaussian dropout", p, p < 1.0)?;
    Ok(p)
}

/// A spread that f32 can hold, rounded to it.
pub(crate) fn check_spread(what: &'static str, spread: f64) -> Result<f32> {
    let valid = (0.0..=f64::from(f32::MAX)).contains(&spread);
    check_number(what, spread, valid)?;
    Ok(spread as f32)
}
