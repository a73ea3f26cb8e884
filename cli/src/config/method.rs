//! The kinds of dropout.

use std::fmt;
use std::str::FromStr;

/// How a layer drops, or what noise it makes; `docs/dropout.md` explains each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Method {
    /// Each element by itself.
    #[default]
    Element,
    /// A unit of a linear layer for the whole batch, which then costs nothing.
    Unit,
    /// Blocks of a linear layer's input, rows by columns, which cost nothing.
    InputBlock([usize; 2]),
    /// A channel of a sample.
    Channel,
    /// Squares of each channel, of this size.
    DropBlock(usize),
    /// Normal noise as a factor.
    Gaussian,
    /// Uniform noise as a factor; the probability is its half width.
    Uniform,
    /// For SELU, element by element.
    Alpha,
    /// For SELU, channel by channel.
    FeatureAlpha,
    /// Each weight of a linear layer.
    DropConnect,
    /// Shakeout of a linear layer's input, with this constant.
    Shakeout(f32),
    /// Of a linear layer's input, with a probability that is learned from the given one on.
    Concrete,
    /// Noise of a linear layer's weights that is learned from the given probability on.
    Variational,
    /// The same without limit, so that weights are pruned; it takes no probability.
    SparseVariational,
    /// With a probability that each unit's own input decides; it takes none.
    Standout,
}

/// The kinds of layers that a method may stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A layer of dropout by itself, over rows of features.
    Rows,
    /// The same over maps.
    Maps,
    Linear,
    Conv,
}

impl Method {
    /// Whether it is for such layers.
    pub(crate) fn fits(self, place: Place) -> bool {
        match self {
            Self::Element | Self::Gaussian | Self::Uniform | Self::Alpha => true,
            Self::Channel | Self::DropBlock(_) | Self::FeatureAlpha => {
                matches!(place, Place::Maps | Place::Conv)
            }
            _ => place == Place::Linear,
        }
    }

    /// Whether it takes no probability.
    pub(crate) fn has_no_rate(self) -> bool {
        matches!(self, Self::SparseVariational | Self::Standout)
    }

    fn without_number(word: &str) -> Option<Self> {
        Some(match word {
            "element" => Self::Element,
            "unit" => Self::Unit,
            "channel" => Self::Channel,
            "gaussian" => Self::Gaussian,
            "uniform" => Self::Uniform,
            "alpha" => Self::Alpha,
            "feature-alpha" => Self::FeatureAlpha,
            "drop-connect" => Self::DropConnect,
            "concrete" => Self::Concrete,
            "variational" => Self::Variational,
            "sparse-variational" => Self::SparseVariational,
            "standout" => Self::Standout,
            _ => return None,
        })
    }

    fn with_number(name: &str, number: &str) -> Option<Self> {
        let count = |word: &str| word.parse().ok().filter(|&count: &usize| count > 0);
        match name {
            "drop-block" => count(number).map(Self::DropBlock),
            "input-block" => {
                let (rows, columns) = number.split_once('x')?;
                Some(Self::InputBlock([count(rows)?, count(columns)?]))
            }
            "shakeout" => {
                let constant: f32 = number.parse().ok()?;
                let valid = constant.is_finite() && constant >= 0.0;
                valid.then_some(Self::Shakeout(constant))
            }
            _ => None,
        }
    }
}

impl FromStr for Method {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = match word.split_once(':') {
            None => Self::without_number(word),
            Some((name, number)) => Self::with_number(name, number),
        };
        found.ok_or(
            "expected element, unit, input-block:ROWSxCOLUMNS, channel, drop-block:SIZE, gaussian, uniform, alpha, \
             feature-alpha, drop-connect, shakeout:CONSTANT, concrete, variational, sparse-variational or standout",
        )
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Element => "element",
            Self::Unit => "unit",
            Self::InputBlock([rows, columns]) => return write!(f, "input-block:{rows}x{columns}"),
            Self::Channel => "channel",
            Self::DropBlock(size) => return write!(f, "drop-block:{size}"),
            Self::Gaussian => "gaussian",
            Self::Uniform => "uniform",
            Self::Alpha => "alpha",
            Self::FeatureAlpha => "feature-alpha",
            Self::DropConnect => "drop-connect",
            Self::Shakeout(constant) => return write!(f, "shakeout:{constant}"),
            Self::Concrete => "concrete",
            Self::Variational => "variational",
            Self::SparseVariational => "sparse-variational",
            Self::Standout => "standout",
        })
    }
}
