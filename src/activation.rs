//! The functions between layers.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// An elementwise nonlinearity.
///
/// ```
/// use elision::Activation;
/// assert_eq!("gelu".parse::<Activation>()?, Activation::GeluTanh);
/// assert_eq!(Activation::default(), Activation::Identity);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// x, bit for bit.
    #[default]
    Identity,
    /// max(x, 0): `+0.0` for `x <= 0` and for -0.0; a NaN stays one. The derivative is 0 at 0.
    Relu,
    /// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), the approximation of
    /// [Hendrycks and Gimpel 2016](https://arxiv.org/abs/1606.08415); PyTorch's `approximate="tanh"`.
    GeluTanh,
    /// x Phi(x), with Phi the standard normal distribution's mass below x; from the same paper.
    GeluErf,
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e^-x).
    Sigmoid,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Identity,
        Self::Relu,
        Self::GeluTanh,
        Self::GeluErf,
        Self::Tanh,
        Self::Sigmoid,
    ];

    /// The lower-case word that [`FromStr`] knows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Relu => "relu",
            Self::GeluTanh => "gelu",
            Self::GeluErf => "gelu-erf",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Activation {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|a| a.name() == word)
            .ok_or(Error::Unsupported(
                "unknown activation: expected identity, relu, gelu, gelu-erf, tanh or sigmoid",
            ))
    }
}
