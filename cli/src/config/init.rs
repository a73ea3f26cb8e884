//! The words for [`Init`].

use std::fmt;
use std::str::FromStr;

use elision::nn::Init;

/// How weights begin; biases begin with zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InitWord(pub Init);

impl Default for InitWord {
    fn default() -> Self {
        Self(Init::KaimingUniform)
    }
}

impl fmt::Display for InitWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Init::Zeros => f.write_str("zeros"),
            Init::Constant(x) => write!(f, "constant:{x}"),
            Init::Uniform(bound) => write!(f, "uniform:{bound}"),
            Init::Normal(deviation) => write!(f, "normal:{deviation}"),
            Init::KaimingUniform => f.write_str("kaiming-uniform"),
            Init::KaimingNormal => f.write_str("kaiming-normal"),
            Init::XavierUniform => f.write_str("xavier-uniform"),
            Init::XavierNormal => f.write_str("xavier-normal"),
            Init::LecunNormal => f.write_str("lecun-normal"),
        }
    }
}

impl FromStr for InitWord {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let (name, number) = match word.split_once(':') {
            Some((name, number)) => (name, number.parse::<f64>().ok()),
            None => (word, None),
        };
        let spread = number.filter(|x| (*x as f32).is_finite() && *x >= 0.0);
        Ok(Self(match (word, name, spread) {
            ("zeros", ..) => Init::Zeros,
            ("kaiming-uniform", ..) => Init::KaimingUniform,
            ("kaiming-normal", ..) => Init::KaimingNormal,
            ("xavier-uniform", ..) => Init::XavierUniform,
            ("xavier-normal", ..) => Init::XavierNormal,
            ("lecun-normal", ..) => Init::LecunNormal,
            (_, "uniform", Some(bound)) => Init::Uniform(bound),
            (_, "normal", Some(deviation)) => Init::Normal(deviation),
            _ => {
                return Err(
                    "expected zeros, kaiming-uniform, kaiming-normal, xavier-uniform, xavier-normal, \
                     lecun-normal, uniform:BOUND or normal:DEVIATION",
                );
            }
        }))
    }
}
