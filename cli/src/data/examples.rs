//! Training and test rows from arrays: one pair of NPY files, or the arrays of an NPZ file.

use std::collections::BTreeSet;
use std::io::{Read, Seek};
use std::path::Path;

use zip::ZipArchive;

use super::npy::{self, Array, NpyFault};
use super::table::{MOST_CLASSES, shown};
use super::{Fault, Located, Part, file};

/// Rows of features and labels; classes are the distinct labels, sorted.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// Features of a row.
    pub features: usize,
    /// The classes.
    pub classes: Vec<String>,
    /// The training rows, or all rows if there are no others.
    pub train: Part,
    /// The test rows, if the file holds them apart.
    pub test: Option<Part>,
}

/// Features and labels of one side, the labels not yet numbered.
struct Side {
    features: usize,
    x: Vec<f32>,
    labels: Vec<i64>,
}

impl Side {
    /// `at_x` and `at_y` say whose fault it is.
    fn new<E>(
        x: &Array,
        y: &Array,
        at_x: impl Fn(NpyFault) -> E,
        at_y: impl Fn(NpyFault) -> E,
    ) -> Result<Self, E> {
        let labels = y.labels().map_err(&at_y)?;
        let features = x.features().map_err(at_x)?;
        if labels.len() != x.items() {
            return Err(at_y(NpyFault::Rows {
                labels: labels.len(),
                rows: x.items(),
            }));
        }
        Ok(Self {
            features: x.item_len(),
            x: features,
            labels,
        })
    }

    fn part(self, classes: &[i64]) -> Part {
        let class = |label| classes.partition_point(|class| class < label) as u32;
        Part {
            labels: self.labels.iter().map(class).collect(),
            x: self.x,
        }
    }
}

/// The distinct labels, sorted.
fn classes(train: &Side, test: Option<&Side>) -> Result<Vec<i64>, NpyFault> {
    let mut classes = BTreeSet::new();
    let test = test.map_or(&[][..], |test| &test.labels);
    for &label in train.labels.iter().chain(test) {
        classes.insert(label);
        if classes.len() > MOST_CLASSES {
            break;
        }
    }
    if !(2..=MOST_CLASSES).contains(&classes.len()) {
        return Err(NpyFault::Classes(classes.len()));
    }
    Ok(classes.into_iter().collect())
}

fn named(classes: &[i64]) -> Vec<String> {
    classes.iter().map(i64::to_string).collect()
}

/// Reads the features in `x` and the labels in `y`, each one NPY file.
pub(super) fn from_npy(x: &Path, y: &Path) -> Result<Examples, Located> {
    let at_x = |fault| Located::new(x, fault);
    let at_y = |fault| Located::new(y, fault);
    let features = npy::read(file::open(x)?).map_err(at_x)?;
    let labels = npy::read(file::open(y)?).map_err(at_y)?;
    let side = Side::new(&features, &labels, at_x, at_y)?;
    let classes = classes(&side, None).map_err(at_y)?;
    Ok(Examples {
        features: side.features,
        classes: named(&classes),
        train: side.part(&classes),
        test: None,
    })
}

/// Reads an NPZ file with the arrays `x` and `y`, or `x_train`, `y_train`, `x_test` and `y_test`.
///
/// # Errors
/// [`Fault::Zip`] if it is no NPZ file, [`Fault::Arrays`] if it has other arrays, and [`Fault::Array`] for
/// an array that cannot be used.
pub fn from_npz(file: impl Read + Seek) -> Result<Examples, Fault> {
    let mut archive = ZipArchive::new(file)?;
    let holds = |name: &str| archive.index_for_name(&entry(name)).is_some();
    let parted = ["x_train", "y_train", "x_test", "y_test"]
        .into_iter()
        .all(holds);
    if !parted {
        if !(holds("x") && holds("y")) {
            return Err(Fault::Arrays(listed(&archive)));
        }
        let rows = side(&mut archive, "x", "y")?;
        return numbered(rows, None, "y");
    }
    let train = side(&mut archive, "x_train", "y_train")?;
    let test = side(&mut archive, "x_test", "y_test")?;
    if test.features != train.features {
        return Err(in_array("x_test")(NpyFault::Features {
            expected: train.features,
            found: test.features,
        }));
    }
    numbered(train, Some(test), "y_train")
}

/// Both sides with the same classes, which the array `labels` is blamed for.
fn numbered(train: Side, test: Option<Side>, labels: &'static str) -> Result<Examples, Fault> {
    let classes = classes(&train, test.as_ref()).map_err(in_array(labels))?;
    Ok(Examples {
        features: train.features,
        classes: named(&classes),
        train: train.part(&classes),
        test: test.map(|test| test.part(&classes)),
    })
}

/// The name that an array's file has in the archive.
fn entry(array: &str) -> String {
    format!("{array}.npy")
}

fn in_array(name: &'static str) -> impl Fn(NpyFault) -> Fault {
    move |fault| Fault::Array { name, fault }
}

fn side(
    archive: &mut ZipArchive<impl Read + Seek>,
    x: &'static str,
    y: &'static str,
) -> Result<Side, Fault> {
    let mut array = |name| -> Result<Array, Fault> {
        npy::read(archive.by_name(&entry(name))?).map_err(in_array(name))
    };
    let (features, labels) = (array(x)?, array(y)?);
    Side::new(&features, &labels, in_array(x), in_array(y))
}

/// The first of the archive's names, fit for a message.
fn listed(archive: &ZipArchive<impl Read + Seek>) -> String {
    const MOST: usize = 10;
    let names = archive.file_names().filter_map(Result::ok).take(MOST);
    let names = names.map(|name| shown(name.strip_suffix(".npy").unwrap_or(&name).as_bytes()));
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
