//! Samples and what they should give.

use super::data::{gather_into, gather_rows};
use super::loss::{Known, Target, rows};
use crate::autograd::{Tape, Var};
use crate::error::{Error, Result};
use crate::tensor::{Dims, Tensor, View};

/// What each of some samples should give.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// A class each.
    Labels(Vec<u32>),
    /// A row of values each, `[rows, ..]`.
    Values(Tensor),
}

/// Samples of shape `[rows, ..]`, with as many targets.
///
/// ```
/// use elision::Tensor;
/// use elision::train::{Samples, Targets};
/// let x = Tensor::from_slice(&[1.0, 2.0, 3.0], &[3, 1])?;
/// let samples = Samples::new(x, Targets::Labels(vec![0, 1, 0]))?;
/// let (training, validation) = samples.split_last(1)?;
/// assert_eq!((training.rows(), validation.x().as_slice()), (2, &[3.0][..]));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    x: Tensor,
    targets: Targets,
}

impl Samples {
    /// Samples with their targets.
    ///
    /// # Errors
    /// [`Error::Rank`] if the samples or the values have no axis, [`Error::Length`] if there are not as many targets
    /// as samples.
    pub fn new(x: Tensor, targets: Targets) -> Result<Self> {
        let expected = rows("samples", x.view())?;
        let samples = Self { x, targets };
        let found = samples.target().rows()?;
        if expected != found {
            return Err(Error::Length {
                what: "targets",
                expected,
                found,
            });
        }
        Ok(samples)
    }

    /// The number of samples.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.x.shape()[0]
    }

    /// The samples.
    #[must_use]
    pub fn x(&self) -> &Tensor {
        &self.x
    }

    /// What they should give.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The same, borrowed.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        match &self.targets {
            Targets::Labels(labels) => Target::Labels(labels),
            Targets::Values(values) => Target::Values(values.view()),
        }
    }

    /// The samples of some rows, in that order; a row may come more than once.
    ///
    /// # Errors
    /// [`Error::Range`] if a row does not exist, [`Error::Overflow`] if they cannot be allocated.
    pub fn gather(&self, rows: &[usize]) -> Result<Self> {
        let x = gather_rows(&self.x, rows)?;
        let targets = match &self.targets {
            Targets::Labels(labels) => {
                Targets::Labels(rows.iter().map(|&row| labels[row]).collect())
            }
            Targets::Values(values) => Targets::Values(gather_rows(values, rows)?),
        };
        Ok(Self { x, targets })
    }

    /// All but the last `n` samples, and the last `n`.
    ///
    /// # Errors
    /// [`Error::Range`] if there are fewer, [`Error::Overflow`] if they cannot be allocated.
    pub fn split_last(&self, n: usize) -> Result<(Self, Self)> {
        let rows = self.rows();
        let Some(at) = rows.checked_sub(n) else {
            return Err(Error::Range {
                what: "samples to split off",
                start: 0,
                end: n,
                length: rows,
            });
        };
        let part = |range: std::ops::Range<usize>| self.gather(&range.collect::<Vec<_>>());
        Ok((part(0..at)?, part(at..rows)?))
    }

    /// Some rows and their targets as constants of a tape.
    pub(super) fn on(&self, tape: &Tape, rows: &[usize]) -> Result<(Var, Known<'static>)> {
        let x = gathered(tape, self.x.view(), rows)?;
        let target = match &self.targets {
            Targets::Labels(labels) => Known::Labels(rows.iter().map(|&row| labels[row]).collect()),
            Targets::Values(values) => Known::Values(gathered(tape, values.view(), rows)?),
        };
        Ok((x, target))
    }
}

/// Rows in a tape's memory.
fn gathered(tape: &Tape, x: View<'_>, rows: &[usize]) -> Result<Var> {
    let mut shape = Dims::new(x.shape())?;
    shape[0] = rows.len();
    let mut out = tape.buffer(&shape)?;
    gather_into(x, rows, out.as_mut_slice())?;
    Ok(tape.constant(out))
}
