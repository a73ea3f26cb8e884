//! The memory of a tensor: a `Vec<f32>` that the caller handed over, or blocks of 64 bytes.
#![allow(unsafe_code, reason = "bytemuck's marker traits for the 64-byte block")]

use crate::error::{Error, Result};

/// Elements of 64 bytes: a cache line, and a vector of the kernels.
const LANES: usize = 16;

/// 64 bytes on a boundary of their own, so that a load of a whole vector never crosses a cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Block([f32; LANES]);

// SAFETY: an array of `f32` is zeroable, and the block holds nothing else.
unsafe impl bytemuck::Zeroable for Block {}
// SAFETY: 64 bytes of `f32` at an alignment of 64: no padding, no invalid bit pattern, `repr(C)`.
unsafe impl bytemuck::Pod for Block {}

/// Memory for some `f32`.
#[derive(Clone)]
pub(super) enum Storage {
    /// Adopted from the caller, at whatever address.
    Vec(Vec<f32>),
    /// Allocated here; the last block may be used in part.
    Blocks { blocks: Vec<Block>, len: usize },
}

/// Room for `len` elements, not yet filled. A size that no allocation can have, or that the machine
/// refuses, is an error rather than an abort.
fn reserve(len: usize) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    blocks
        .try_reserve_exact(len.div_ceil(LANES))
        .map_err(|_| Error::Overflow("tensor"))?;
    Ok(blocks)
}

impl Storage {
    /// `len` times `x`.
    pub(super) fn full(len: usize, x: f32) -> Result<Self> {
        let mut blocks = reserve(len)?;
        blocks.resize(len.div_ceil(LANES), Block([x; LANES]));
        Ok(Self::Blocks { blocks, len })
    }

    /// A copy of `data`.
    pub(super) fn copy(data: &[f32]) -> Result<Self> {
        let mut blocks = reserve(data.len())?;
        let (whole, rest) = data.as_chunks::<LANES>();
        blocks.extend(whole.iter().map(|&lanes| Block(lanes)));
        if !rest.is_empty() {
            let mut lanes = [0.0; LANES];
            lanes[..rest.len()].copy_from_slice(rest);
            blocks.push(Block(lanes));
        }
        Ok(Self::Blocks {
            blocks,
            len: data.len(),
        })
    }

    /// Room for `new_len` elements, some of which may be those that were there.
    pub(super) fn resize(&mut self, new_len: usize) -> Result<()> {
        let Self::Blocks { blocks, len } = self else {
            *self = Self::full(new_len, 0.0)?;
            return Ok(());
        };
        let count = new_len.div_ceil(LANES);
        blocks
            .try_reserve(count.saturating_sub(blocks.len()))
            .map_err(|_| Error::Overflow("tensor"))?;
        blocks.resize(count, Block([0.0; LANES]));
        *len = new_len;
        Ok(())
    }

    pub(super) fn as_slice(&self) -> &[f32] {
        match self {
            Self::Vec(data) => data,
            Self::Blocks { blocks, len } => &bytemuck::cast_slice(blocks)[..*len],
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        match self {
            Self::Vec(data) => data,
            Self::Blocks { blocks, len } => &mut bytemuck::cast_slice_mut(blocks)[..*len],
        }
    }

    pub(super) fn into_vec(self) -> Vec<f32> {
        match self {
            Self::Vec(data) => data,
            Self::Blocks { .. } => self.as_slice().to_vec(),
        }
    }
}
