//! Data sets for classification: two that are embedded, those that `elision data fetch` brings, and files of
//! the user's in CSV, NPY and NPZ.
//!
//! The readers [`idx::read`], [`npy::read`], [`from_npz`] and [`table::read`] take any [`std::io::Read`], never panic and hold no more
//! than a small multiple of what they have read: a header that promises a terabyte costs nothing.

mod adult;
mod breast_cancer;
pub(crate) mod choice;
mod digits;
mod embedded;
mod encode;
mod examples;
mod file;
pub(crate) mod folder;
pub mod idx;
mod mnist;
mod normal;
pub mod npy;
mod preparation;
mod raw;
mod source;
mod split;
pub mod table;

use std::path::PathBuf;

pub use encode::{Column, Encoder};
pub use examples::{Examples, from_npz};
pub use file::decoded;
pub use normal::Normal;
pub use preparation::Preparation;
pub(crate) use raw::Raw;
use raw::Scaling;
pub use source::Source;
pub use split::{HoldOut, Pick, hold_out, split};

/// The rows of one side of a data set: features in row-major order, and a class each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Row-major features, `labels.len()` rows of equal length.
    pub x: Vec<f32>,
    /// The class of each row.
    pub labels: Vec<u32>,
}

impl Part {
    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.labels.len()
    }
}

/// A data set, split and scaled.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// A short name, fit for a folder.
    pub name: String,
    /// Features of a row.
    pub features: usize,
    /// The classes, in the order of their numbers.
    pub classes: Vec<String>,
    /// What made the network's features of those in the file.
    pub preparation: Preparation,
    /// What the network learns from.
    pub train: Part,
    /// What choices are made by, if rows were held out for that.
    pub validation: Option<Part>,
    /// What it is judged by.
    pub test: Part,
}

/// What is wrong with a file of data.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be opened.
    #[error("{0}")]
    Open(#[source] std::io::Error),
    /// A file of a published set is not there.
    #[error(
        "{source}; `elision data fetch {set}` brings it, or --data-dir names the folder that has it"
    )]
    Absent {
        /// The name of the set.
        set: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is not the IDX file that it should be.
    #[error("{0}")]
    Idx(#[from] idx::IdxFault),
    /// It is not a table of numbers with a label.
    #[error("{0}")]
    Table(#[from] table::TableFault),
    /// It is not the NPY file that it should be.
    #[error("{0}")]
    Npy(#[from] npy::NpyFault),
    /// It is no NPZ file.
    #[error("no NPZ file: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// An array of an NPZ file that cannot be used.
    #[error("array {name}: {fault}")]
    Array {
        /// The array's name.
        name: &'static str,
        /// What is wrong with it.
        fault: npy::NpyFault,
    },
    /// An NPZ file without the arrays that are expected.
    #[error("neither the arrays x and y nor x_train, y_train, x_test and y_test; it has {0}")]
    Arrays(String),
    /// The file of labels does not belong to the file of images.
    #[error("{labels} labels for {images} images")]
    Count {
        /// Items in the file of labels.
        labels: usize,
        /// Items in the file of images.
        images: usize,
    },
    /// A label that is no class.
    #[error("item {item}: label {label} is not one of 0 to 9")]
    Class {
        /// The item, from 0.
        item: usize,
        /// Its label.
        label: u8,
    },
    /// Test images of another size than the training images.
    #[error("images of {found} pixels, but the training images have {expected}")]
    Pixels {
        /// Pixels of a training image.
        expected: usize,
        /// Pixels of a test image.
        found: usize,
    },
    /// A split that leaves one side empty.
    #[error("{rows} rows cannot be split into two parts with a fraction of {fraction}")]
    Split {
        /// Rows of the table.
        rows: usize,
        /// The part asked for.
        fraction: f64,
    },
    /// Validation rows that leave nothing to learn from, or none at all.
    #[error("{count} of {rows} training rows cannot be held out for validation")]
    HoldOut {
        /// Training rows.
        rows: usize,
        /// Rows to hold out.
        count: usize,
    },
}

/// A fault and the file that has it.
#[derive(Debug)]
pub struct Located {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

impl Located {
    fn new(path: impl Into<PathBuf>, fault: impl Into<Fault>) -> Self {
        Self {
            path: path.into(),
            fault: fault.into(),
        }
    }
}
