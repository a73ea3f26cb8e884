//! What happens to a tile as it is stored: fusion is data, one value for every combination.

use std::ops::Range;

use crate::activation::Activation;
use crate::kernels::activation::activate;
use crate::mask::bits_at;
use crate::simd::{LANES, Simd};
use crate::tensor::matrix::MatrixMut;

use super::pack::Bits;
use super::tile::Tile;

/// `dropout(activation(sum + bias))`, in this order; each part may be absent.
#[derive(Clone, Copy, Default)]
pub(crate) struct TileEpilogue<'a> {
    /// One number a column.
    pub(crate) bias: Option<&'a [f32]>,
    /// Applied to the sum and the bias.
    pub(crate) activation: Activation,
    /// Which elements of the product are kept, laid over the whole of it.
    pub(crate) keep: Option<Bits<'a>>,
    /// The factor of an element that [`Merge`] keeps.
    pub(crate) merge_scale: f32,
}

/// Keep bits, 16 to a cell in row-major order, that become the backward pass's bits as the tiles are
/// stored: a bit stays 1 if the finished element is not `<= 0`, so that after ReLU it holds both
/// decisions. Cells take the place of [`Bits`] where rows are whole cells, for then no two tiles share one.
pub(crate) type Merge<'m> = MatrixMut<'m, u16>;

/// What a product, or a part of one, writes.
pub(crate) struct Output<'m> {
    /// The finished elements.
    pub(crate) c: MatrixMut<'m>,
    /// The sums with bias before the activation.
    pub(crate) pre: Option<MatrixMut<'m>>,
    /// The keep bits, if they are to be merged.
    pub(crate) merge: Option<Merge<'m>>,
}

impl<'m> Output<'m> {
    /// The finished elements alone.
    pub(crate) fn only(c: MatrixMut<'m>) -> Self {
        Self {
            c,
            pre: None,
            merge: None,
        }
    }

    /// The rows before `at`, and the others.
    pub(crate) fn split_rows(self, at: usize) -> (Self, Self) {
        let c = self.c.split_rows(at);
        let pre = self.pre.map(|pre| pre.split_rows(at)).unzip();
        let merge = self.merge.map(|merge| merge.split_rows(at)).unzip();
        Self::pair(c, pre, merge)
    }

    /// The columns before `at`, a multiple of 16, and the others.
    pub(crate) fn split_cols(self, at: usize) -> (Self, Self) {
        let c = self.c.split_cols(at);
        let pre = self.pre.map(|pre| pre.split_cols(at)).unzip();
        let merge = self.merge.map(|merge| merge.split_cols(at / LANES)).unzip();
        Self::pair(c, pre, merge)
    }

    fn pair(
        c: (MatrixMut<'m>, MatrixMut<'m>),
        pre: (Option<MatrixMut<'m>>, Option<MatrixMut<'m>>),
        merge: (Option<Merge<'m>>, Option<Merge<'m>>),
    ) -> (Self, Self) {
        let first = Self {
            c: c.0,
            pre: pre.0,
            merge: merge.0,
        };
        (
            first,
            Self {
                c: c.1,
                pre: pre.1,
                merge: merge.1,
            },
        )
    }
}

/// Where tiles go.
pub(super) struct Target<'a, 'm> {
    /// What the part writes.
    pub(super) output: Output<'m>,
    /// What is done to the sums.
    pub(super) finish: Finish<'a>,
}

/// Where one tile goes.
pub(super) struct Place<'a, 'm> {
    c: &'a MatrixMut<'m>,
    at: (usize, usize),
}

impl Place<'_, '_> {
    /// Asks for the lines of one row of C, so that they are there when the tile is stored.
    #[inline(always)]
    pub(super) fn ask<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, segment: usize) {
        let (row, col) = self.at;
        if segment < MR {
            for v in 0..NV {
                simd.prefetch(self.c.address(row + segment, col + v * LANES));
            }
        }
    }
}

impl Target<'_, '_> {
    /// Where the tile at (`row`, `col`) of the loops goes.
    #[inline(always)]
    pub(super) fn place(&self, at: (usize, usize)) -> Place<'_, '_> {
        Place {
            c: &self.output.c,
            at,
        }
    }

    /// The rows and columns of the whole product that a tile of the given size covers.
    #[inline(always)]
    pub(super) fn extent(
        &self,
        (row, col): (usize, usize),
        size: (usize, usize),
    ) -> (Range<usize>, Range<usize>) {
        let rows = row..(row + size.0).min(self.output.c.rows());
        let cols = col..(col + size.1).min(self.output.c.cols());
        let (i, j) = self.finish.origin;
        (i + rows.start..i + rows.end, j + cols.start..j + cols.end)
    }

    /// Adds the used part of a tile to its place, and finishes the elements whose sums are complete.
    #[inline(always)]
    pub(super) fn put<S: Simd, const MR: usize, const NV: usize>(
        &mut self,
        simd: S,
        tile: &Tile<S, MR, NV>,
        at: (usize, usize),
    ) {
        let (row, col) = at;
        let rows = MR.min(self.output.c.rows() - row);
        let cols = (NV * LANES).min(self.output.c.cols() - col);
        if rows == MR && cols == NV * LANES && !(self.finish.last && self.finishes()) {
            return self.add_whole(simd, tile, at);
        }
        let finish = self.finish;
        for (r, sums) in tile.iter().enumerate().take(rows) {
            for (v, &sum) in sums.iter().enumerate().take(cols.div_ceil(LANES)) {
                let start = col + v * LANES;
                let end = (start + LANES).min(col + cols);
                finish.put(simd, &mut self.output, sum, row + r, start..end);
            }
        }
    }

    /// Whether finished sums are more than stored.
    #[inline(always)]
    fn finishes(&self) -> bool {
        let TileEpilogue {
            bias,
            activation,
            keep,
            ..
        } = &self.finish.epilogue;
        let plain = bias.is_none() && keep.is_none() && *activation == Activation::Identity;
        !plain || self.output.pre.is_some() || self.output.merge.is_some()
    }

    /// A tile that is used whole and not finished: the usual case, with nothing to decide for each vector.
    #[inline(always)]
    fn add_whole<S: Simd, const MR: usize, const NV: usize>(
        &mut self,
        simd: S,
        tile: &Tile<S, MR, NV>,
        (row, col): (usize, usize),
    ) {
        for (r, sums) in tile.iter().enumerate() {
            let out = self.output.c.row_mut(row + r, col..col + NV * LANES);
            let (out, _) = out.as_chunks_mut::<LANES>();
            for (&sum, out) in sums.iter().zip(out) {
                let sum = match self.finish.first {
                    true => sum,
                    false => simd.add(sum, simd.load(out)),
                };
                simd.store(sum, out);
            }
        }
    }

    /// Adds `lanes` rows of C that come as columns: `columns` holds `NV` vectors for each of the columns
    /// from `at` on. They are turned 16 x 16 elements at a time, so that whole lines of C are written.
    #[inline(always)]
    pub(super) fn put_turned<S: Simd, const NV: usize>(
        &mut self,
        simd: S,
        columns: &[f32],
        (row, col): (usize, usize),
    ) {
        let finish = self.finish;
        let (vectors, _) = columns.as_chunks::<LANES>();
        let rows = (NV * LANES).min(self.output.c.rows() - row);
        for v in 0..rows.div_ceil(LANES) {
            let row = row + v * LANES;
            let rows = LANES.min(self.output.c.rows() - row);
            for (i, group) in vectors.chunks(LANES * NV).enumerate() {
                let mut block = [simd.splat(0.0); LANES];
                for (lane, vector) in block.iter_mut().zip(group.iter().skip(v).step_by(NV)) {
                    *lane = simd.load(vector);
                }
                let cols = col + i * LANES..col + i * LANES + group.len() / NV;
                for (r, &sum) in simd.transpose(block).iter().enumerate().take(rows) {
                    finish.put(simd, &mut self.output, sum, row + r, cols.clone());
                }
            }
        }
    }

    /// Adds up to 16 neighbours of one row of C, and finishes them if they are complete.
    #[inline(always)]
    pub(super) fn put_vector<S: Simd>(
        &mut self,
        simd: S,
        sum: S::F32,
        row: usize,
        cols: Range<usize>,
    ) {
        let finish = self.finish;
        finish.put(simd, &mut self.output, sum, row, cols);
    }
}

/// What is done to sums. It is copied for each tile, so that it stays in registers between stores.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    /// Row and column of the part's first element in the whole product.
    pub(super) origin: (usize, usize),
    /// What happens to finished sums.
    pub(super) epilogue: TileEpilogue<'a>,
    /// Whether the sums are the first for these elements, and whether they are the last.
    pub(super) first: bool,
    pub(super) last: bool,
}

impl Finish<'_> {
    /// Adds up to 16 neighbours of one row of C, and finishes them if they are complete.
    #[inline(always)]
    fn put<S: Simd>(
        &self,
        simd: S,
        output: &mut Output<'_>,
        mut sum: S::F32,
        row: usize,
        cols: Range<usize>,
    ) {
        let out = output.c.row_mut(row, cols.clone());
        if !self.first {
            sum = simd.add(sum, simd.load_up_to(out));
        }
        if self.last {
            let epilogue = &self.epilogue;
            let at = (self.origin.0 + row, self.origin.1 + cols.start);
            if let Some(bias) = epilogue.bias {
                sum = simd.add(sum, simd.load_up_to(&bias[at.1..at.1 + cols.len()]));
            }
            if let Some(pre) = &mut output.pre {
                simd.store_up_to(sum, pre.row_mut(row, cols.clone()));
            }
            sum = activate(simd, epilogue.activation, sum);
            if let Some(cells) = &mut output.merge {
                let cell = cols.start / LANES;
                let bits = &mut cells.row_mut(row, cell..cell + 1)[0];
                let scaled = simd.mul(sum, simd.splat(epilogue.merge_scale));
                sum = simd.select_or_zero(simd.pred_from_bits(*bits), scaled);
                *bits &= !simd.pred_to_bits(simd.le(sum, simd.splat(0.0)));
            }
            if let Some(keep) = epilogue.keep {
                let bits = bits_at(keep.words, at.0 * keep.row_stride + at.1);
                sum = simd.select_or_zero(
                    simd.pred_from_bits(bits as u16),
                    simd.mul(sum, simd.splat(keep.scale)),
                );
            }
        }
        simd.store_up_to(sum, out);
    }
}
