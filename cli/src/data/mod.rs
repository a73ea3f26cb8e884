//! Data sets for classification: the embedded digits, IDX files (MNIST and its kin) and CSV files.
//!
//! The readers [`idx::read`] and [`table::read`] take any [`std::io::Read`], never panic and hold no more
//! than a small multiple of what they have read: a header that promises a terabyte costs nothing.

mod digits;
mod file;
pub mod idx;
mod mnist;
mod normal;
mod split;
pub mod table;

use std::path::{Path, PathBuf};

pub use file::decoded;
pub use normal::Normal;
pub use split::{Pick, split};

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
    /// Number of classes.
    pub classes: usize,
    /// What the network learns from.
    pub train: Part,
    /// What it is judged by.
    pub test: Part,
}

/// What is wrong with a file of data.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be opened.
    #[error("{0}")]
    Open(#[source] std::io::Error),
    /// It is not the IDX file that it should be.
    #[error("{0}")]
    Idx(#[from] idx::IdxFault),
    /// It is not a table of numbers with a label.
    #[error("{0}")]
    Table(#[from] table::TableFault),
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
    #[error("{rows} rows cannot be split into two parts with a test fraction of {fraction}")]
    Split {
        /// Rows of the table.
        rows: usize,
        /// The part asked for.
        fraction: f64,
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

/// Where a data set comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The embedded digits.
    Digits,
    /// The four IDX files of MNIST, or of a set with the same names, in a folder.
    Idx {
        /// The name of the set.
        name: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A CSV file.
    Csv {
        /// The file.
        path: PathBuf,
        /// How it is read.
        layout: table::Layout,
        /// Which rows are for testing.
        pick: Pick,
    },
}

impl Source {
    /// Reads, splits and scales the data.
    ///
    /// # Errors
    /// [`Located`], with the first fault of the first file that has one.
    pub fn load(&self) -> Result<Dataset, Located> {
        match self {
            Self::Digits => {
                digits::load().map_err(|fault| Located::new("the embedded digits", fault))
            }
            Self::Idx { name, folder } => mnist::load(name, folder),
            Self::Csv { path, layout, pick } => load_csv(path, layout, *pick),
        }
    }
}

fn load_csv(path: &Path, layout: &table::Layout, pick: Pick) -> Result<Dataset, Located> {
    let table =
        table::read(file::open(path)?, layout).map_err(|fault| Located::new(path, fault))?;
    let parts = split(&table.rows, table.features(), pick);
    let (mut train, mut test) = parts.map_err(|fault| Located::new(path, fault))?;
    let normal = Normal::fit(&train.x, table.features());
    normal.apply(&mut train.x);
    normal.apply(&mut test.x);
    Ok(Dataset {
        name: file::stem(path),
        features: table.features(),
        classes: table.classes.len(),
        train,
        test,
    })
}
