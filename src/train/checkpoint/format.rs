//! The safetensors format: the length of the header, 8 bytes, little-endian; the header, a JSON object with the type,
//! shape and place of each tensor; the elements, little-endian, without gaps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::Checkpoint;
use crate::error::{CheckpointFault, Error, Result};
use crate::tensor::{Dims, Tensor};

/// The bytes of the header's length, and of what the header's length is a multiple of.
const LENGTH: usize = size_of::<u64>();
/// The longest header that the format's own reader takes.
const MAX_HEADER: usize = 100_000_000;
/// The header's entry that is no tensor.
const METADATA: &str = "__metadata__";

/// The bytes of a checkpoint.
pub(super) fn write(checkpoint: &Checkpoint) -> Result<Vec<u8>> {
    let header = header(checkpoint)?;
    let tensors = || checkpoint.tensors.values().map(Tensor::as_slice);
    let data: usize = tensors().map(size_of_val).sum();
    let start = LENGTH + header.len();
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(start + data)
        .map_err(|_| Error::Overflow("checkpoint"))?;
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    bytes.resize(start + data, 0);
    let mut rest = &mut bytes[start..];
    for elements in tensors() {
        let (own, after) = rest.split_at_mut(size_of_val(elements));
        let (cells, _) = own.as_chunks_mut();
        for (cell, x) in cells.iter_mut().zip(elements) {
            *cell = x.to_le_bytes();
        }
        rest = after;
    }
    Ok(bytes)
}

fn header(checkpoint: &Checkpoint) -> Result<Vec<u8>> {
    let mut entries = BTreeMap::new();
    let mut end = 0;
    for (name, tensor) in &checkpoint.tensors {
        let start = end;
        end += size_of_val(tensor.as_slice());
        let info = TensorInfo {
            dtype: Dtype::F32,
            shape: tensor.shape().to_vec(),
            data_offsets: (start, end),
        };
        entries.insert(name.as_str(), Entry::Tensor(info));
    }
    if entries.contains_key(METADATA) {
        return Err(unfit(format!("a tensor cannot be named {METADATA:?}")));
    }
    if !checkpoint.metadata.is_empty() {
        entries.insert(METADATA, Entry::Metadata(&checkpoint.metadata));
    }
    let mut header = serde_json::to_vec(&entries).map_err(unfit)?;
    header.resize(header.len().next_multiple_of(LENGTH), b' ');
    check_header(header.len())?;
    Ok(header)
}

/// An entry of the header that is written. The crate's own header has its metadata in an order that differs from run
/// to run.
enum Entry<'a> {
    Metadata(&'a BTreeMap<String, String>),
    Tensor(TensorInfo),
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Metadata(metadata) => metadata.serialize(serializer),
            Self::Tensor(info) => info.serialize(serializer),
        }
    }
}

/// The checkpoint in the bytes.
pub(super) fn read(bytes: &[u8]) -> Result<Checkpoint> {
    let (header, data) = split(bytes)?;
    let header = str::from_utf8(header).map_err(unfit)?;
    let mut json = serde_json::Deserializer::from_str(header);
    Distinct::Header.deserialize(&mut json).map_err(unfit)?;
    // Checks that the tensors follow one another without a gap and are as long as their shapes say. The crate's
    // reader of whole files would add the header's length to a sum that may be near the largest number.
    let index: Metadata = serde_json::from_str(header).map_err(unfit)?;
    if index.data_len() != data.len() {
        let (expected, found) = (index.data_len(), data.len());
        return Err(unfit(format!(
            "the header describes {expected} bytes of data, and {found} are there"
        )));
    }
    let mut tensors = BTreeMap::new();
    for (name, info) in index.tensors() {
        let value = tensor(&name, info, data)?;
        tensors.insert(name, value);
    }
    let metadata = index.metadata().iter().flatten();
    let metadata = metadata.map(|(name, word)| (name.clone(), word.clone()));
    Ok(Checkpoint {
        tensors,
        metadata: metadata.collect(),
    })
}

/// The header and the data.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Err(unfit("the file ends within its first 8 bytes"));
    };
    let length = u64::from_le_bytes(*length);
    let parts = usize::try_from(length).map(|length| (length, rest.split_at_checked(length)));
    let Ok((length, Some(parts))) = parts else {
        let found = rest.len();
        return Err(unfit(format!(
            "a header of {length} bytes is announced, and {found} bytes follow"
        )));
    };
    check_header(length)?;
    Ok(parts)
}

fn check_header(length: usize) -> Result<()> {
    if length <= MAX_HEADER {
        return Ok(());
    }
    Err(unfit(format!(
        "a header of {length} bytes is above the limit of {MAX_HEADER}"
    )))
}

/// One tensor; its place in the data has been checked.
fn tensor(name: &str, info: &TensorInfo, data: &[u8]) -> Result<Tensor> {
    if info.dtype != Dtype::F32 {
        return Err(Error::Checkpoint(CheckpointFault::Dtype {
            tensor: name.to_owned(),
            dtype: info.dtype.to_string(),
        }));
    }
    let shape = Dims::new(&info.shape).and_then(|shape| shape.count().map(|_| shape));
    let shape = shape.map_err(|fault| unfit(format!("tensor {name:?}: {fault}")))?;
    let mut tensor = Tensor::zeros(&shape)?;
    let (start, end) = info.data_offsets;
    let (cells, _) = data[start..end].as_chunks();
    for (x, cell) in tensor.as_mut_slice().iter_mut().zip(cells) {
        *x = f32::from_le_bytes(*cell);
    }
    Ok(tensor)
}

/// Passes over a JSON object and fails if a name is given twice: a map that is read keeps the last entry in silence.
#[derive(PartialEq)]
enum Distinct {
    /// The whole, and the metadata in it.
    Header,
    /// Only the metadata.
    Metadata,
}

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            if self == Self::Header && name == METADATA {
                entries.next_value_seed(Self::Metadata)?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
            if let Some(name) = names.replace(name) {
                return Err(A::Error::custom(format!("{name:?} is named twice")));
            }
        }
        Ok(())
    }
}

fn unfit(fault: impl fmt::Display) -> Error {
    Error::Checkpoint(CheckpointFault::Format(fault.to_string()))
}
