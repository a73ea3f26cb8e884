//! What training makes small.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::ops::copy_into;
use crate::tensor::View;

/// A loss: a mean over the batch.
///
/// ```
/// use elision::train::Loss;
/// let loss: Loss = "cross-entropy:0.1".parse()?;
/// assert_eq!(loss, Loss::CrossEntropy { smoothing: 0.1 });
/// assert_eq!(Loss::MeanSquaredError.to_string(), "mse");
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Cross-entropy of softmax(row) with the label: [`Var::cross_entropy`].
    CrossEntropy {
        /// The share of the target that is spread evenly over the classes.
        smoothing: f64,
    },
    /// [`Var::mean_squared_error`] with values of the output's shape.
    MeanSquaredError,
    /// [`Var::gaussian_nll`]: of outputs `[rows, 2 d]` the first `d` columns are means, the others logarithms of
    /// variances; values `[rows, d]`.
    GaussianNll,
    /// [`Var::binary_cross_entropy_with_logits`] with values from 0 to 1 of the output's shape.
    BinaryCrossEntropy,
}

/// What the samples of a batch should give: a label or a row of values for each.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Classes.
    Labels(&'a [u32]),
    /// Values, `[rows, ..]`.
    Values(View<'a>),
}

/// A target whose values are on the tape.
pub(super) enum Known<'a> {
    Labels(Cow<'a, [u32]>),
    Values(Var),
}

impl<'a> Target<'a> {
    /// The number of rows.
    ///
    /// # Errors
    /// [`Error::Rank`] if values have no axis.
    pub fn rows(&self) -> Result<usize> {
        match self {
            Self::Labels(labels) => Ok(labels.len()),
            Self::Values(values) => rows("targets", *values),
        }
    }

    /// The targets of some rows.
    pub(super) fn slice(&self, part: Range<usize>) -> Result<Self> {
        Ok(match *self {
            Self::Labels(labels) => Self::Labels(&labels[part]),
            Self::Values(values) => Self::Values(values.slice(0, part)?),
        })
    }

    pub(super) fn on(&self, tape: &Tape) -> Result<Known<'a>> {
        Ok(match *self {
            Self::Labels(labels) => Known::Labels(labels.into()),
            Self::Values(values) => Known::Values(constant(tape, values)?),
        })
    }
}

/// The size of the first axis.
pub(super) fn rows(what: &'static str, samples: View<'_>) -> Result<usize> {
    let (expected, found) = (1, 0);
    let first = samples.shape().first().copied();
    first.ok_or(Error::Rank {
        what,
        expected,
        found,
    })
}

/// A copy in a tape's memory.
pub(super) fn constant(tape: &Tape, x: View<'_>) -> Result<Var> {
    let mut copy = tape.buffer(x.shape())?;
    copy_into(x, &mut *copy)?;
    Ok(tape.constant(copy))
}

impl Loss {
    /// The loss of a model's output.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the loss does not take such targets, and those of the operation on variables.
    pub fn of(&self, output: &Var, target: &Target<'_>) -> Result<Var> {
        self.between(output, &target.on(output.tape())?)
    }

    pub(super) fn between(&self, output: &Var, target: &Known<'_>) -> Result<Var> {
        match (*self, target) {
            (Self::CrossEntropy { smoothing }, Known::Labels(labels)) => {
                output.cross_entropy(labels, smoothing)
            }
            (Self::CrossEntropy { .. }, Known::Values(_)) => {
                Err(Error::Unsupported("cross-entropy needs labels as targets"))
            }
            (_, Known::Labels(_)) => Err(Error::Unsupported("this loss needs values as targets")),
            (Self::MeanSquaredError, Known::Values(values)) => output.mean_squared_error(values),
            (Self::GaussianNll, Known::Values(values)) => gaussian_nll(output, values),
            (Self::BinaryCrossEntropy, Known::Values(values)) => {
                output.binary_cross_entropy_with_logits(values)
            }
        }
    }
}

fn gaussian_nll(output: &Var, target: &Var) -> Result<Var> {
    let &[_, columns] = output.shape() else {
        return Err(Error::Rank {
            what: "means and log variances",
            expected: 2,
            found: output.rank(),
        });
    };
    let half = columns / 2;
    // The shapes differ, which is reported, if the number of columns is odd.
    let (mean, log) = (output.slice(1, 0..half)?, output.slice(1, half..columns)?);
    mean.gaussian_nll(&log, target)
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CrossEntropy { smoothing: 0.0 } => f.pad("cross-entropy"),
            Self::CrossEntropy { smoothing } => f.pad(&format!("cross-entropy:{smoothing}")),
            Self::MeanSquaredError => f.pad("mse"),
            Self::GaussianNll => f.pad("gaussian-nll"),
            Self::BinaryCrossEntropy => f.pad("bce"),
        }
    }
}

impl FromStr for Loss {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let smoothing = match word {
            "cross-entropy" => Some(0.0),
            "mse" => return Ok(Self::MeanSquaredError),
            "gaussian-nll" => return Ok(Self::GaussianNll),
            "bce" => return Ok(Self::BinaryCrossEntropy),
            _ => word
                .strip_prefix("cross-entropy:")
                .and_then(|share| share.parse().ok()),
        };
        match smoothing {
            Some(smoothing) if (0.0..1.0).contains(&smoothing) => {
                Ok(Self::CrossEntropy { smoothing })
            }
            _ => Err(Error::Unsupported(
                "a loss is cross-entropy, cross-entropy:S with S from 0 to below 1, mse, gaussian-nll or bce",
            )),
        }
    }
}
