//! What parameters are before the first step.

use std::f64::consts::TAU;

use crate::error::{Error, Result, check_number};
use crate::exec::for_each_chunk;
use crate::key::Key;
use crate::tensor::Tensor;

/// How a tensor of parameters begins.
///
/// Element i is a function of (key, i) alone, for any shape and any number of threads. The normal numbers lean
/// on the logarithm and the cosine of the platform, whose last bit may differ from one platform to another.
///
/// Five of them keep the size of activations or gradients from layer to layer. They take the weights' *fan in*,
/// the numbers that an output is a sum of, which is the product of all axes but the first, and their *fan out*,
/// the first axis times the axes between the first and the last. For a matrix [units, inputs] these are inputs
/// and units; for a convolution's [O, KH, KW, C] they are KH KW C and O KH KW.
///
/// ```
/// use elision::Key;
/// use elision::nn::Init;
/// let w = Init::KaimingUniform.fill(&[64, 150], Key::new(1))?;
/// assert!(w.as_slice().iter().all(|w| w.abs() <= 0.2)); // sqrt(6 / 150)
/// assert_eq!(w, Init::KaimingUniform.fill(&[64, 150], Key::new(1))?);
/// assert_eq!(Init::Zeros.fill(&[64], Key::new(2))?.as_slice(), [0.0; 64]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All 0.
    Zeros,
    /// All this number.
    Constant(f32),
    /// Uniform from minus this bound to the bound.
    Uniform(f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Uniform with the variance of [`KaimingNormal`](Init::KaimingNormal): the bound is sqrt(6 / fan in).
    KaimingUniform,
    /// Normal with variance 2 / fan in, for ReLU (He et al. 2015, "Delving Deep into Rectifiers", section 2.2).
    KaimingNormal,
    /// Uniform with the variance of [`XavierNormal`](Init::XavierNormal): the bound is
    /// sqrt(6 / (fan in + fan out)).
    XavierUniform,
    /// Normal with variance 2 / (fan in + fan out), for tanh (Glorot and Bengio 2010, "Understanding the
    /// difficulty of training deep feedforward neural networks", equation 12).
    XavierNormal,
    /// Normal with variance 1 / fan in (LeCun et al. 1998, "Efficient BackProp", section 4.6).
    LecunNormal,
}

/// Where elements come from: numbers in f64, rounded once.
#[derive(Clone, Copy)]
enum Source {
    Same(f32),
    Uniform(f64),
    Normal(f64),
}

impl Init {
    /// A tensor of that shape. A shape without elements is no error.
    ///
    /// # Errors
    /// [`Error::Number`] if a bound or a deviation is negative or not finite, or a constant is not finite;
    /// [`Error::Rank`] if a fan is needed and the shape has fewer than two axes; [`Error::RankLimit`] and
    /// [`Error::Overflow`] for shapes that no tensor has.
    pub fn fill(self, shape: &[usize], key: Key) -> Result<Tensor> {
        let source = self.source(shape)?;
        let mut tensor = Tensor::zeros(shape)?;
        source.fill(tensor.as_mut_slice(), key);
        Ok(tensor)
    }

    fn source(self, shape: &[usize]) -> Result<Source> {
        let both = |[fan_in, fan_out]: [f64; 2]| fan_in + fan_out;
        Ok(match self {
            Self::Zeros => Source::Same(0.0),
            Self::Constant(x) => {
                check_number("constant of a parameter", x, x.is_finite())?;
                Source::Same(x)
            }
            Self::Uniform(bound) => Source::Uniform(check_spread("bound of a parameter", bound)?),
            Self::Normal(std) => Source::Normal(check_spread("deviation of a parameter", std)?),
            Self::KaimingUniform => Source::Uniform((6.0 / fans(shape)?[0]).sqrt()),
            Self::KaimingNormal => Source::Normal((2.0 / fans(shape)?[0]).sqrt()),
            Self::XavierUniform => Source::Uniform((6.0 / both(fans(shape)?)).sqrt()),
            Self::XavierNormal => Source::Normal((2.0 / both(fans(shape)?)).sqrt()),
            Self::LecunNormal => Source::Normal(fans(shape)?[0].sqrt().recip()),
        })
    }
}

/// A spread that f32 can hold.
fn check_spread(what: &'static str, spread: f64) -> Result<f64> {
    let valid = (0.0..=f64::from(f32::MAX)).contains(&spread);
    check_number(what, spread, valid)?;
    Ok(spread)
}

/// Fan in and fan out. Where one is zero there are no elements that would ask for it.
fn fans(shape: &[usize]) -> Result<[f64; 2]> {
    let [first, between @ .., last] = shape else {
        return Err(Error::Rank {
            what: "weights",
            expected: 2,
            found: shape.len(),
        });
    };
    let field: f64 = between.iter().map(|&size| size as f64).product();
    Ok([field * *last as f64, field * *first as f64])
}

/// An element, in elements of a scaled copy: a key, and a logarithm and a cosine of some numbers.
const WEIGHT: usize = 64;

impl Source {
    fn fill(self, out: &mut [f32], key: Key) {
        if let Self::Same(x) = self {
            return out.fill(x);
        }
        for_each_chunk(out, WEIGHT, |start, out| {
            for (i, x) in (start as u64..).zip(out) {
                *x = self.number(key.fold_in(i)) as f32;
            }
        });
    }

    fn number(self, key: Key) -> f64 {
        match self {
            Self::Same(x) => x.into(),
            Self::Uniform(bound) => bound * (2.0 * high(key) - 1.0),
            Self::Normal(std) => std * normal(key),
        }
    }
}

/// The steps of 53 random bits.
const UNIT: f64 = 1.0 / (1u64 << 53) as f64;

/// A uniform number from [0, 1): the highest 53 bits of the key.
fn high(key: Key) -> f64 {
    (key.to_u128() >> 75) as f64 * UNIT
}

/// A standard normal number (Box and Muller 1958): the radius comes from the higher half of the key, the angle
/// from the lower.
fn normal(key: Key) -> f64 {
    // From (0, 1], of which every number has a logarithm.
    let radius = (-2.0 * (high(key) + UNIT).ln()).sqrt();
    let turn = (key.to_u128() as u64 >> 11) as f64 * UNIT;
    radius * (TAU * turn).cos()
}
