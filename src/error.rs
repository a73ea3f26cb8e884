//! What can be wrong with a call.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A shape in an error message, printed as `2x3`; a scalar's as `()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent(Box<[usize]>);

impl From<&[usize]> for Extent {
    fn from(dims: &[usize]) -> Self {
        Self(dims.into())
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("()");
        }
        for (i, dim) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "x" };
            write!(f, "{separator}{dim}")?;
        }
        Ok(())
    }
}

/// The faults that a public operation reports. A call that returns one has changed nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A drop probability that is not one.
    #[error("drop probability {0} is outside [0, 1]")]
    Probability(f64),
    /// A drop probability that is not one, among many.
    #[error("drop probability {value} at position {position} is outside [0, 1]")]
    Rate {
        /// Where it stands among the others.
        position: usize,
        /// Its value.
        value: f64,
    },
    /// A number that must be finite (and positive, where `what` says so) and is not.
    #[error("{what} cannot be {value}")]
    Number {
        /// The argument.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A word in `ELISION_MAX_ISA`, or given to a parser, that names no instruction set.
    #[error("unknown instruction set {0:?}: expected scalar, portable, avx2 or avx512")]
    UnknownIsa(String),
    /// An instruction set that this processor lacks.
    #[error("this processor has no {0}")]
    UnavailableIsa(&'static str),
    /// Two shapes that should agree and do not.
    #[error("{what}: expected shape {expected}, found {found}")]
    Shape {
        /// The argument at fault.
        what: &'static str,
        /// The shape that it should have.
        expected: Extent,
        /// The shape that it has.
        found: Extent,
    },
    /// Two shapes that do not broadcast to one.
    #[error("shapes {left} and {right} do not broadcast")]
    Broadcast {
        /// The left operand's shape.
        left: Extent,
        /// The right operand's shape.
        right: Extent,
    },
    /// A slice, mask or buffer of the wrong length.
    #[error("{what}: expected length {expected}, found {found}")]
    Length {
        /// The argument at fault.
        what: &'static str,
        /// The length that it should have.
        expected: usize,
        /// The length that it has.
        found: usize,
    },
    /// A number of dimensions that the operation does not take.
    #[error("{what}: expected rank {expected}, found {found}")]
    Rank {
        /// The argument at fault.
        what: &'static str,
        /// The number of dimensions that it should have.
        expected: usize,
        /// The number that it has.
        found: usize,
    },
    /// More dimensions than a shape holds.
    #[error("rank {0} is above the limit of 8")]
    RankLimit(usize),
    /// An axis that the shape does not have.
    #[error("axis {axis} is out of range for rank {rank}")]
    Axis {
        /// The axis asked for.
        axis: usize,
        /// The number of dimensions.
        rank: usize,
    },
    /// An axis named more than once.
    #[error("axis {0} is named twice")]
    RepeatedAxis(usize),
    /// A range or index outside of what it indexes.
    #[error("{what}: {start}..{end} is out of range for length {length}")]
    Range {
        /// What is indexed.
        what: &'static str,
        /// The first index.
        start: usize,
        /// One past the last index.
        end: usize,
        /// The length available.
        length: usize,
    },
    /// A size whose product or end does not fit the machine.
    #[error("{0}: the size overflows")]
    Overflow(&'static str),
    /// A layout in which two indices of a mutable view meet the same element.
    #[error("{0}: two indices share one element")]
    Overlap(&'static str),
    /// A view that cannot be reshaped without a copy.
    #[error(
        "a view of shape {found} and these strides cannot be reshaped to {expected} without a copy"
    )]
    Reshape {
        /// The shape asked for.
        expected: Extent,
        /// The view's shape.
        found: Extent,
    },
    /// An operation that has no value for an empty input.
    #[error("{0} of nothing is undefined")]
    Empty(&'static str),
    /// A class label outside of the range of classes.
    #[error("label {label} of row {row} is out of range for {classes} classes")]
    Label {
        /// The row.
        row: usize,
        /// Its label.
        label: u32,
        /// The number of classes.
        classes: usize,
    },
    /// A variable of a graph that a backward pass, or the tape's owner, has freed.
    #[error("the graph of this variable has been freed: a backward pass runs once")]
    Freed,
    /// A name that is empty, has a dot in it, or is taken.
    #[error("{0:?} cannot name a layer: names are not empty, have no dots and differ")]
    Name(String),
    /// A pattern of names that describes no layer with a drop probability.
    #[error("no layer with a drop probability matches {0:?}")]
    Pattern(String),
    /// An index that is out of range, among many.
    #[error("{what}: index {index} at position {position} is out of range for {length}")]
    Index {
        /// What is indexed.
        what: &'static str,
        /// Where the index stands among the others.
        position: usize,
        /// The index.
        index: u32,
        /// The length available.
        length: usize,
    },
    /// A checkpoint that cannot be read, or is not one of the model that it is put into.
    #[error("checkpoint: {0}")]
    Checkpoint(CheckpointFault),
    /// A file that the system does not let read or write.
    #[error("{}: {message}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong, as programs tell it.
        kind: io::ErrorKind,
        /// The same, as people do.
        message: String,
    },
    /// A combination of options that the operation does not support.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// What can be wrong with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointFault {
    /// Bytes that are no safetensors file, or what no safetensors file can hold.
    #[error("{0}")]
    Format(String),
    /// A tensor whose elements are no 32-bit floating-point numbers.
    #[error("tensor {tensor:?} holds {dtype}, and only F32 is read")]
    Dtype {
        /// The tensor.
        tensor: String,
        /// The type of its elements, in the format's words.
        dtype: String,
    },
    /// A parameter of the model that the checkpoint lacks.
    #[error("tensor {0:?} is missing")]
    Missing(String),
    /// A parameter in the checkpoint that the model lacks.
    #[error("the model has no parameter for tensor {0:?}")]
    Unknown(String),
    /// A parameter whose shape differs.
    #[error("tensor {tensor:?}: expected shape {expected}, found {found}")]
    Shape {
        /// The tensor.
        tensor: String,
        /// The shape of the model's parameter.
        expected: Extent,
        /// The shape in the checkpoint.
        found: Extent,
    },
    /// A word that is not what the trainer expects: it was made by a run with other settings.
    #[error("{name}: expected {expected:?}, found {found:?}")]
    Metadata {
        /// The name of the word.
        name: String,
        /// What the trainer has.
        expected: String,
        /// What the checkpoint has.
        found: String,
    },
}

/// The result of every public operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A number must be one that the caller found valid.
pub(crate) fn check_number(what: &'static str, value: impl Into<f64>, valid: bool) -> Result<()> {
    if valid {
        return Ok(());
    }
    Err(Error::Number {
        what,
        value: value.into(),
    })
}
