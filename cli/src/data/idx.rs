//! The IDX format of MNIST: two zero bytes, a type (8 for bytes), the number of dimensions, each
//! dimension as a big-endian `u32`, and the data (<http://yann.lecun.com/exdb/mnist>, "file formats").

use std::io::{self, Read};

use super::file::{Interrupted, up_to};

/// The type code of unsigned bytes, the only one that is read here.
const BYTES: u8 = 8;
/// Dimensions of images, and the most that a header may have.
const MOST: usize = 3;

/// An array of bytes of one to three dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// The dimensions, outermost first; at least one.
    pub dims: Vec<usize>,
    /// The elements in row-major order, as many as the dimensions multiply to.
    pub data: Vec<u8>,
}

impl Array {
    /// Items along the first dimension.
    #[must_use]
    pub fn items(&self) -> usize {
        self.dims.first().copied().unwrap_or(0)
    }

    /// Elements of an item.
    #[must_use]
    pub fn item_len(&self) -> usize {
        self.dims.iter().skip(1).product()
    }
}

/// What is wrong with an IDX file.
#[derive(Debug, thiserror::Error)]
pub enum IdxFault {
    /// It cannot be read, or its compression is damaged.
    #[error("cannot be read after byte {at}: {source}")]
    Read {
        /// Bytes read so far, after decompression.
        at: u64,
        /// The reader's error.
        source: io::Error,
    },
    /// It ends within the header.
    #[error("truncated in the header: {found} bytes of {expected}")]
    Header {
        /// The header's length.
        expected: usize,
        /// The bytes that are there.
        found: usize,
    },
    /// It is no IDX file of bytes with this number of dimensions.
    #[error("wrong magic number {found:#010x} at byte 0: expected {expected:#010x}")]
    Magic {
        /// The number of the kind of file that was asked for.
        expected: u32,
        /// The number in the file.
        found: u32,
    },
    /// A dimension is zero.
    #[error("dimension {0} of the header is 0")]
    Empty(usize),
    /// The dimensions multiply to more than the machine can address.
    #[error("the dimensions of the header overflow")]
    Overflow,
    /// It ends within the data.
    #[error("truncated in item {item} of {items}: ends at byte {found} of {expected}")]
    Truncated {
        /// The item that is not complete, from 0.
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
}

impl From<Interrupted> for IdxFault {
    fn from(Interrupted { at, source }: Interrupted) -> Self {
        Self::Read { at, source }
    }
}

/// Reads an array of `rank` dimensions, 1 to 3, to the end of the stream.
///
/// # Errors
/// [`IdxFault`]; a rank that is none of these reads as a wrong magic number.
pub fn read(mut reader: impl Read, rank: usize) -> Result<Array, IdxFault> {
    let dims = header(&mut reader, rank)?;
    let start = 4 + 4 * dims.len() as u64;
    let len = dims
        .iter()
        .try_fold(1usize, |len, &dim| len.checked_mul(dim))
        .ok_or(IdxFault::Overflow)?;
    let end = start.checked_add(len as u64).ok_or(IdxFault::Overflow)?;
    let data = up_to(&mut reader, len, start)?;
    if data.len() < len {
        let (items, found) = (dims[0], start + data.len() as u64);
        return Err(IdxFault::Truncated {
            item: data.len() / (len / items),
            items,
            found,
            expected: end,
        });
    }
    if !up_to(&mut reader, 1, end)?.is_empty() {
        return Err(IdxFault::Trailing(end));
    }
    Ok(Array { dims, data })
}

fn header(reader: &mut impl Read, rank: usize) -> Result<Vec<usize>, IdxFault> {
    let expected = u32::from_be_bytes([0, 0, BYTES, rank.min(MOST) as u8]);
    let magic = up_to(reader, 4, 0)?;
    let short = |found| IdxFault::Header {
        expected: 4 + 4 * rank.min(MOST),
        found,
    };
    let &[a, b, c, d] = magic.as_slice() else {
        return Err(short(magic.len()));
    };
    let found = u32::from_be_bytes([a, b, c, d]);
    if found != expected || rank == 0 {
        return Err(IdxFault::Magic { expected, found });
    }
    let bytes = up_to(reader, 4 * rank.min(MOST), 4)?;
    let (words, rest) = bytes.as_chunks::<4>();
    if words.len() < rank.min(MOST) || !rest.is_empty() {
        return Err(short(4 + bytes.len()));
    }
    let dims: Vec<usize> = words
        .iter()
        .map(|word| u32::from_be_bytes(*word) as usize)
        .collect();
    match dims.iter().position(|&dim| dim == 0) {
        Some(at) => Err(IdxFault::Empty(at)),
        None => Ok(dims),
    }
}
