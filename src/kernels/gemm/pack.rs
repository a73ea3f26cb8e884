//! Packing: copying a block of an operand into panels that the micro-kernel reads in order.
//!
//! A panel holds `width` rows of A (or columns of B), depth first: for each depth, `width` neighbours.
//! The last panel is filled up with zeros. A masked operand is selected and scaled on the way, so that
//! no masked copy of a gradient is ever written.

use crate::mask::bits_at;
use crate::simd::{LANES, Simd};
use crate::tensor::matrix::Matrix;

/// Keep bits laid over a matrix: bit `i * row_stride + j * col_stride` decides for element (i, j).
#[derive(Clone, Copy)]
pub(crate) struct Bits<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) row_stride: usize,
    pub(crate) col_stride: usize,
    /// The factor of a kept element.
    pub(crate) scale: f32,
}

/// An operand of a product: a matrix, and the bits that select from it.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'a> {
    pub(crate) matrix: Matrix<'a>,
    pub(crate) bits: Option<Bits<'a>>,
}

impl<'a> Operand<'a> {
    /// A whole matrix.
    pub(crate) fn whole(matrix: Matrix<'a>) -> Self {
        Self { matrix, bits: None }
    }

    /// The same with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        let bits = self.bits.map(|bits| Bits {
            row_stride: bits.col_stride,
            col_stride: bits.row_stride,
            ..bits
        });
        Self {
            matrix: self.matrix.transposed(),
            bits,
        }
    }

    /// Whether a row can be read as it lies.
    #[inline(always)]
    pub(super) fn has_plain_contiguous_rows(&self) -> bool {
        self.matrix.col_stride == 1 && self.bits.is_none()
    }

    /// `MR` rows of a block from its row `start` on, as they lie; past the last one it is repeated.
    #[inline(always)]
    pub(super) fn rows<const MR: usize>(&self, block: &Block, start: usize) -> [&'a [f32]; MR] {
        let mut rows = [&[][..]; MR];
        for (i, row) in rows.iter_mut().enumerate() {
            let row_number = block.first + (start + i).min(block.count - 1);
            let at = row_number * self.matrix.row_stride + block.first_depth;
            *row = &self.matrix.data[at..at + block.depth];
        }
        rows
    }

    /// Whether the elements of a row, and their bits, are neighbours in memory.
    #[inline(always)]
    fn has_contiguous_rows(&self) -> bool {
        self.matrix.col_stride == 1 && self.bits.is_none_or(|bits| bits.col_stride == 1)
    }

    /// One element, selected and scaled.
    #[inline(always)]
    fn get(&self, row: usize, col: usize) -> f32 {
        let x = self.matrix.data[row * self.matrix.row_stride + col * self.matrix.col_stride];
        match self.bits {
            None => x,
            Some(bits) => {
                let at = row * bits.row_stride + col * bits.col_stride;
                if bits.words[at / 64] >> (at % 64) & 1 == 1 {
                    x * bits.scale
                } else {
                    0.0
                }
            }
        }
    }

    /// Where an element lies, or would lie: for prefetching only.
    #[inline(always)]
    fn address(&self, row: usize, col: usize) -> *const f32 {
        let Matrix {
            data,
            row_stride,
            col_stride,
        } = self.matrix;
        let at = row
            .wrapping_mul(row_stride)
            .wrapping_add(col.wrapping_mul(col_stride));
        data.as_ptr().wrapping_add(at)
    }

    /// Whether 16 elements can be read from there on, and their bits, whichever rows they belong to.
    #[inline(always)]
    fn has_vector(&self, row: usize, col: usize) -> bool {
        let at = row * self.matrix.row_stride + col;
        let has_bits = match self.bits {
            None => true,
            Some(bits) => {
                let at = row * bits.row_stride + col * bits.col_stride;
                at + LANES <= bits.words.len() * 64
            }
        };
        has_bits && at + LANES <= self.matrix.data.len()
    }

    /// Up to 16 elements of one row, selected and scaled; the absent ones are zero.
    #[inline(always)]
    pub(crate) fn neighbours<S: Simd>(
        &self,
        simd: S,
        row: usize,
        col: usize,
        count: usize,
    ) -> S::F32 {
        if self.has_contiguous_rows() {
            return self.along_row(simd, row, col, count);
        }
        let mut lanes = [0.0; LANES];
        for (i, lane) in lanes.iter_mut().enumerate().take(count) {
            *lane = self.get(row, col + i);
        }
        simd.load(&lanes)
    }

    /// The same where rows are contiguous.
    #[inline(always)]
    fn along_row<S: Simd>(&self, simd: S, row: usize, col: usize, count: usize) -> S::F32 {
        let start = row * self.matrix.row_stride + col;
        let x = simd.load_up_to(&self.matrix.data[start..start + count]);
        match self.bits {
            None => x,
            Some(bits) => {
                let keep = bits_at(bits.words, row * bits.row_stride + col * bits.col_stride);
                let keep = simd.pred_from_bits(keep as u16);
                simd.select_or_zero(keep, simd.mul(x, simd.splat(bits.scale)))
            }
        }
    }
}

/// How far ahead of its use a block's memory is asked for, along 16 rows at once and along single rows: the
/// processor follows neither far enough by itself.
const ELEMENTS_AHEAD: usize = 64;
const ROWS_AHEAD: usize = 8;

/// The rectangle of an operand that one block packs: rows are depth for B and neighbours for A, so both
/// are spoken of as `neighbours` and `depth`.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) first_depth: usize,
    pub(super) depth: usize,
}

/// Packs a block of an operand whose rows are the neighbours and whose columns are the depth.
#[inline(always)]
pub(super) fn pack<S: Simd>(
    simd: S,
    operand: Operand<'_>,
    block: Block,
    width: usize,
    out: &mut [f32],
) {
    debug_assert!(
        width < LANES || width.is_multiple_of(LANES),
        "whole vectors of a depth would reach into what was packed before"
    );
    let panel_len = width * block.depth.max(1);
    if !block.count.is_multiple_of(width)
        && let Some(last) = out.chunks_exact_mut(panel_len).last()
    {
        last.fill(0.0);
    }
    if !operand.has_contiguous_rows() && operand.transposed().has_contiguous_rows() {
        return pack_along(simd, operand.transposed(), block, width, out);
    }
    let panels = out.chunks_exact_mut(panel_len);
    for (panel, start) in panels.zip((0..block.count).step_by(width)) {
        let block = Block {
            first: block.first + start,
            count: width.min(block.count - start),
            ..block
        };
        if operand.has_contiguous_rows() {
            pack_across(simd, operand, block, width, panel);
        } else {
            pack_any(operand, block, width, panel);
        }
    }
}

/// All panels of an operand whose neighbours are neighbours in memory (it comes transposed), one depth
/// after another, so that each page of the operand is visited once.
///
/// Panels that are narrower than a vector get whole ones all the same: what is too much lies where the next
/// depths go. Copying the right number of elements takes several times as long.
#[inline(always)]
fn pack_along<S: Simd>(simd: S, operand: Operand<'_>, block: Block, width: usize, out: &mut [f32]) {
    for d in 0..block.depth {
        let depth = block.first_depth + d;
        for start in (0..block.count).step_by(width) {
            let used = width.min(block.count - start);
            let out = &mut out[start * block.depth + d * width..];
            let col = block.first + start;
            let room = (block.depth - d) * width >= LANES;
            let whole = width < LANES && used == width && room && operand.has_vector(depth, col);
            let out = &mut out[..if whole { LANES } else { used }];
            for (i, out) in out.chunks_mut(LANES).enumerate() {
                let col = col + i * LANES;
                simd.prefetch(operand.address(depth + ROWS_AHEAD, col));
                let x = operand.along_row(simd, depth, col, out.len());
                simd.store_up_to(x, out);
            }
        }
    }
}

/// One panel of an operand whose depth is contiguous: blocks of 16 x 16, transposed in registers. All
/// depths of 16 neighbours come before the next 16, since the processor follows that many rows ahead.
/// Vectors are stored whole here, too, as long as the panel has room for them.
#[inline(always)]
fn pack_across<S: Simd>(
    simd: S,
    operand: Operand<'_>,
    block: Block,
    width: usize,
    panel: &mut [f32],
) {
    for start in (0..block.count).step_by(LANES) {
        let count = LANES.min(block.count - start);
        for d in (0..block.depth).step_by(LANES) {
            let depth = LANES.min(block.depth - d);
            let mut rows = [simd.splat(0.0); LANES];
            for (i, row) in rows.iter_mut().enumerate().take(count) {
                let at = (block.first + start + i, block.first_depth + d);
                simd.prefetch(operand.address(at.0, at.1 + ELEMENTS_AHEAD));
                *row = operand.along_row(simd, at.0, at.1, depth);
            }
            let columns = simd.transpose(rows);
            for (i, &column) in columns.iter().enumerate().take(depth) {
                let out = &mut panel[(d + i) * width + start..];
                let len = if out.len() < LANES { count } else { LANES };
                simd.store_up_to(column, &mut out[..len]);
            }
        }
    }
}

/// One panel of an operand with any strides.
#[inline(always)]
fn pack_any(operand: Operand<'_>, block: Block, width: usize, panel: &mut [f32]) {
    for (d, out) in panel.chunks_exact_mut(width).take(block.depth).enumerate() {
        for (i, out) in out.iter_mut().take(block.count).enumerate() {
            *out = operand.get(block.first + i, block.first_depth + d);
        }
    }
}
