//! The NPY format of NumPy: a magic number, a version, a header in Python's notation that tells the type,
//! the order and the dimensions, and the elements
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

mod element;
mod header;

use std::io::{self, Read};

use super::file::{Interrupted, up_to};
use super::table::MOST_CLASSES;
use element::Element;

/// An array of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// The dimensions, outermost first; none for a single number.
    pub dims: Vec<usize>,
    element: Element,
    /// The elements in row-major order, in the file's representation.
    bytes: Vec<u8>,
}

/// What is wrong with an NPY file.
#[derive(Debug, thiserror::Error)]
pub enum NpyFault {
    /// It cannot be read, or its compression is damaged.
    #[error("cannot be read after byte {at}: {source}")]
    Read {
        /// Bytes read so far, after decompression.
        at: u64,
        /// The reader's error.
        source: io::Error,
    },
    /// It is another kind of file.
    #[error("no NPY file: it does not begin with its magic number")]
    Magic,
    /// A version of the format that is not known.
    #[error("version {major}.{minor} of the format; 1.0, 2.0 and 3.0 are read")]
    Version {
        /// The first number of the version.
        major: u8,
        /// The second.
        minor: u8,
    },
    /// A header far longer than any array of numbers needs.
    #[error("a header of {0} bytes; at most 10000 are read")]
    LongHeader(usize),
    /// It ends within the header.
    #[error("truncated in the header: {found} bytes of {expected}")]
    ShortHeader {
        /// The header's length as far as it is known.
        expected: usize,
        /// The bytes that are there.
        found: usize,
    },
    /// The header is not the dictionary that it should be.
    #[error("byte {at}: the header is not the dictionary of an array")]
    Header {
        /// Where it goes astray.
        at: usize,
    },
    /// Elements that are no plain numbers.
    #[error("elements of type {0:?}; bool, i1 to i8, u1 to u8, f4 and f8 are read")]
    Type(String),
    /// A dimension is zero.
    #[error("dimension {0} of the header is 0")]
    Empty(usize),
    /// The dimensions multiply to more than the machine can address.
    #[error("the dimensions of the header overflow")]
    Overflow,
    /// It ends within the data.
    #[error("truncated in item {item} of {items}: ends at byte {found} of {expected}")]
    Truncated {
        /// The item along the first dimension of the storage that is not complete, from 0.
        item: usize,
        /// The items that the header promises.
        items: usize,
        /// The file's length, after decompression.
        found: u64,
        /// The length that the header promises.
        expected: u64,
    },
    /// It goes on after the data.
    #[error("more data than the header says: expected the end at byte {0}")]
    Trailing(u64),
    /// Features or labels without rows: a single number.
    #[error("a single number, where an array with a row for each example is expected")]
    Scalar,
    /// A feature that is no finite number of single precision.
    #[error("row {row}, feature {feature}: {value} is not a finite number of single precision")]
    Number {
        /// The row, from 0.
        row: usize,
        /// The feature of the row, from 0.
        feature: usize,
        /// The element.
        value: f64,
    },
    /// Labels of several numbers a row.
    #[error("{0} numbers a row, where one label is expected")]
    Wide(usize),
    /// A label that is no integer.
    #[error("row {row}: the label {value} is not an integer")]
    Label {
        /// The row, from 0.
        row: usize,
        /// The element.
        value: f64,
    },
    /// The labels do not belong to the features.
    #[error("{labels} labels for {rows} rows of features")]
    Rows {
        /// Rows of labels.
        labels: usize,
        /// Rows of features.
        rows: usize,
    },
    /// Test rows of another length than the training rows.
    #[error("{found} features a row, but the training rows have {expected}")]
    Features {
        /// Features of a training row.
        expected: usize,
        /// Features of a test row.
        found: usize,
    },
    /// Fewer than two classes, or too many.
    #[error("{0} different labels, expected 2 to {MOST_CLASSES}")]
    Classes(usize),
}

impl From<Interrupted> for NpyFault {
    fn from(Interrupted { at, source }: Interrupted) -> Self {
        Self::Read { at, source }
    }
}

/// Reads an array to the end of the stream.
///
/// # Errors
/// [`NpyFault`], the first in the order of the file.
pub fn read(mut reader: impl Read) -> Result<Array, NpyFault> {
    let header = header::read(&mut reader)?;
    if let Some(at) = header.dims.iter().position(|&dim| dim == 0) {
        return Err(NpyFault::Empty(at));
    }
    let size = header.element.size;
    let len = header
        .dims
        .iter()
        .try_fold(size, |len, &dim| len.checked_mul(dim))
        .ok_or(NpyFault::Overflow)?;
    let end = header.end.checked_add(len as u64);
    let end = end.ok_or(NpyFault::Overflow)?;
    let bytes = up_to(&mut reader, len, header.end)?;
    if bytes.len() < len {
        let outermost = if header.fortran {
            header.dims.last()
        } else {
            header.dims.first()
        };
        let items = outermost.copied().unwrap_or(1);
        return Err(NpyFault::Truncated {
            item: bytes.len() / (len / items),
            items,
            found: header.end + bytes.len() as u64,
            expected: end,
        });
    }
    if !up_to(&mut reader, 1, end)?.is_empty() {
        return Err(NpyFault::Trailing(end));
    }
    Ok(Array {
        bytes: if header.fortran {
            row_major(&bytes, &header.dims, size)
        } else {
            bytes
        },
        dims: header.dims,
        element: header.element,
    })
}

/// Elements of `size` bytes whose first index varies fastest, so ordered that their last one does.
fn row_major(bytes: &[u8], dims: &[usize], size: usize) -> Vec<u8> {
    let stride = |d: usize| dims[..d].iter().product::<usize>() * size;
    let strides: Vec<usize> = (0..dims.len()).map(stride).collect();
    let mut index = vec![0; dims.len()];
    let mut at = 0;
    let mut ordered = Vec::with_capacity(bytes.len());
    while ordered.len() < bytes.len() {
        ordered.extend_from_slice(&bytes[at..at + size]);
        // The next index, the last dimension first, as an odometer turns.
        for d in (0..dims.len()).rev() {
            index[d] += 1;
            at += strides[d];
            if index[d] < dims[d] {
                break;
            }
            at -= strides[d] * dims[d];
            index[d] = 0;
        }
    }
    ordered
}

impl Array {
    /// Items along the first dimension.
    #[must_use]
    pub fn items(&self) -> usize {
        self.dims.first().copied().unwrap_or(1)
    }

    /// Elements of an item.
    #[must_use]
    pub fn item_len(&self) -> usize {
        self.dims.iter().skip(1).product()
    }

    fn elements(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.element.size)
    }

    /// The elements as features, in row-major order.
    ///
    /// # Errors
    /// [`NpyFault::Scalar`], and [`NpyFault::Number`] for what is not finite as an `f32`.
    pub fn features(&self) -> Result<Vec<f32>, NpyFault> {
        if self.dims.is_empty() {
            return Err(NpyFault::Scalar);
        }
        let feature = |(at, element)| {
            let value = self.element.number(element);
            let narrow = value as f32;
            narrow
                .is_finite()
                .then_some(narrow)
                .ok_or(NpyFault::Number {
                    row: at / self.item_len(),
                    feature: at % self.item_len(),
                    value,
                })
        };
        self.elements().enumerate().map(feature).collect()
    }

    /// The elements as labels: one integer for each item.
    ///
    /// # Errors
    /// [`NpyFault::Scalar`], [`NpyFault::Wide`] and [`NpyFault::Label`].
    pub fn labels(&self) -> Result<Vec<i64>, NpyFault> {
        if self.dims.is_empty() {
            return Err(NpyFault::Scalar);
        }
        if self.item_len() != 1 {
            return Err(NpyFault::Wide(self.item_len()));
        }
        let label = |(row, element)| {
            self.element.integer(element).ok_or(NpyFault::Label {
                row,
                value: self.element.number(element),
            })
        };
        self.elements().enumerate().map(label).collect()
    }
}
