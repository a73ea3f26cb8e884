//! What happens to a tile as it is stored: fusion is data, one value for every combination.

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

/// Where a tile goes.
pub(super) struct Target<'a, 'm> {
    /// What the part writes.
    pub(super) output: &'a mut Output<'m>,
    /// Row and column of the part's first element in the whole product.
    pub(super) origin: (usize, usize),
    /// Whether the sums are the first for these elements, and whether they are the last.
    pub(super) first: bool,
    pub(super) last: bool,
}

impl Target<'_, '_> {
    /// Asks for the lines of a tile's place in the product, so that they arrive while it is computed: the
    /// 28 misses of a large tile would otherwise cost a tenth of its time.
    #[inline(always)]
    pub(super) fn prefetch<S: Simd, const MR: usize, const NV: usize>(
        &mut self,
        simd: S,
        (row, col): (usize, usize),
    ) {
        let rows = MR.min(self.output.c.rows() - row);
        let cols = (NV * LANES).min(self.output.c.cols() - col);
        for r in row..row + rows {
            for line in self.output.c.row_mut(r, col..col + cols).chunks(LANES) {
                simd.prefetch(&line[0]);
            }
        }
    }

    /// Adds the used part of a tile to the product at (`row`, `col`) of the part, and finishes the
    /// elements whose sums are complete.
    #[inline(always)]
    pub(super) fn put<S: Simd, const MR: usize, const NV: usize>(
        &mut self,
        simd: S,
        tile: &Tile<S, MR, NV>,
        (row, col): (usize, usize),
        epilogue: &TileEpilogue<'_>,
    ) {
        let rows = MR.min(self.output.c.rows() - row);
        let cols = (NV * LANES).min(self.output.c.cols() - col);
        for (r, sums) in tile.iter().enumerate().take(rows) {
            for (v, &sum) in sums.iter().enumerate().take(cols.div_ceil(LANES)) {
                let start = col + v * LANES;
                let end = (start + LANES).min(col + cols);
                self.put_vector(simd, sum, row + r, start..end, epilogue);
            }
        }
    }

    #[inline(always)]
    fn put_vector<S: Simd>(
        &mut self,
        simd: S,
        mut sum: S::F32,
        row: usize,
        cols: std::ops::Range<usize>,
        epilogue: &TileEpilogue<'_>,
    ) {
        let out = self.output.c.row_mut(row, cols.clone());
        if !self.first {
            sum = simd.add(sum, simd.load_up_to(out));
        }
        if self.last {
            let at = (self.origin.0 + row, self.origin.1 + cols.start);
            if let Some(bias) = epilogue.bias {
                sum = simd.add(sum, simd.load_up_to(&bias[at.1..at.1 + cols.len()]));
            }
            if let Some(pre) = &mut self.output.pre {
                simd.store_up_to(sum, pre.row_mut(row, cols.clone()));
            }
            sum = activate(simd, epilogue.activation, sum);
            if let Some(cells) = &mut self.output.merge {
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
