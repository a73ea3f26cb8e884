//! Where data sets come from.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use super::{
    Column, Dataset, Examples, Fault, HoldOut, Located, Pick, Raw, Scaling, adult, breast_cancer,
    digits, examples, file, from_npz, mnist, split, table,
};

/// Where a data set comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The embedded digits.
    Digits,
    /// The embedded measurements of breast tumours.
    BreastCancer,
    /// `adult.data` and `adult.test` in a folder.
    Adult {
        /// The folder.
        folder: PathBuf,
    },
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
    /// Two NPY files.
    Npy {
        /// The file of features: a row of numbers for each item of its first dimension.
        x: PathBuf,
        /// The file of labels.
        y: PathBuf,
        /// Which rows are for testing.
        pick: Pick,
    },
    /// An NPZ file with the arrays `x` and `y`, or `x_train`, `y_train`, `x_test` and `y_test`.
    Npz {
        /// The file.
        path: PathBuf,
        /// Which rows are for testing, if the file does not say it.
        pick: Pick,
    },
}

impl Source {
    /// Reads, splits and scales the data.
    ///
    /// # Errors
    /// [`Located`], with the first fault of the first file that has one.
    pub fn load(&self) -> Result<Dataset, Located> {
        self.load_held_out(None)
    }

    /// Reads and splits the data, holds some of the training rows out for validation, and scales all
    /// parts as those training rows that remain ask for.
    ///
    /// # Errors
    /// As [`Source::load`], and [`Fault::HoldOut`] or [`Fault::Split`] where there are too few rows.
    pub fn load_held_out(&self, validation: Option<HoldOut>) -> Result<Dataset, Located> {
        self.raw()?
            .dataset(validation)
            .map_err(|fault| Located::new(self.path(), fault))
    }

    /// The rows as the files have them.
    pub(crate) fn raw(&self) -> Result<Raw, Located> {
        let at = |fault| Located::new(self.path(), fault);
        match self {
            Self::Digits => digits::load().map_err(at),
            Self::BreastCancer => breast_cancer::load().map_err(at),
            Self::Adult { folder } => adult::load(folder).map_err(|l| fetchable("adult", l)),
            Self::Idx { name, folder } => mnist::load(name, folder).map_err(|l| fetchable(name, l)),
            Self::Csv { path, layout, pick } => load_csv(path, layout, *pick),
            Self::Npy { x, y, pick } => {
                let examples = examples::from_npy(x, y)?;
                raw_examples(x, examples, *pick).map_err(at)
            }
            Self::Npz { path, pick } => {
                let file = File::open(path).map_err(|source| at(Fault::Open(source)))?;
                from_npz(BufReader::new(file))
                    .and_then(|examples| raw_examples(path, examples, *pick))
                    .map_err(at)
            }
        }
    }

    /// What a fault of the whole set is blamed on.
    fn path(&self) -> &Path {
        match self {
            Self::Digits => Path::new("the embedded digits"),
            Self::BreastCancer => Path::new("the embedded breast-cancer set"),
            Self::Adult { folder } | Self::Idx { folder, .. } => folder,
            Self::Csv { path, .. } | Self::Npz { path, .. } | Self::Npy { x: path, .. } => path,
        }
    }
}

/// A file that is not there can be brought.
fn fetchable(set: &str, located: Located) -> Located {
    match located.fault {
        Fault::Open(source) if source.kind() == ErrorKind::NotFound => {
            let set = set.to_owned();
            Located::new(located.path, Fault::Absent { set, source })
        }
        _ => located,
    }
}

fn load_csv(path: &Path, layout: &table::Layout, pick: Pick) -> Result<Raw, Located> {
    let at = |fault| Located::new(path, fault);
    let table = table::read(file::open(path)?, layout).map_err(|fault| at(fault.into()))?;
    let (train, test) = split(&table.rows, table.features(), pick).map_err(at)?;
    Ok(Raw {
        name: file::stem(path),
        classes: table.classes.clone(),
        scaling: Scaling::Fitted(vec![Column::Number; table.features()]),
        train,
        test,
    })
}

fn raw_examples(path: &Path, examples: Examples, pick: Pick) -> Result<Raw, Fault> {
    let (train, test) = match examples.test {
        Some(test) => (examples.train, test),
        None => split(&examples.train, examples.features, pick)?,
    };
    Ok(Raw {
        name: file::stem(path),
        classes: examples.classes,
        scaling: Scaling::Fitted(vec![Column::Number; examples.features]),
        train,
        test,
    })
}
