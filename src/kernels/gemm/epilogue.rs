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
}

/// Where a tile goes.
pub(super) struct Target<'a, 'm> {
    /// The part of the product that the caller writes.
    pub(super) c: &'a mut MatrixMut<'m>,
    /// Where the part keeps the sums with bias, before the activation.
    pub(super) pre: &'a mut Option<MatrixMut<'m>>,
    /// Row and column of the part's first element in the whole product.
    pub(super) origin: (usize, usize),
    /// Whether the sums are the first for these elements, and whether they are the last.
    pub(super) first: bool,
    pub(super) last: bool,
}

impl Target<'_, '_> {
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
        let rows = MR.min(self.c.rows() - row);
        let cols = (NV * LANES).min(self.c.cols() - col);
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
        let out = self.c.row_mut(row, cols.clone());
        if !self.first {
            sum = simd.add(sum, simd.load_up_to(out));
        }
        if self.last {
            let at = (self.origin.0 + row, self.origin.1 + cols.start);
            if let Some(bias) = epilogue.bias {
                sum = simd.add(sum, simd.load_up_to(&bias[at.1..at.1 + cols.len()]));
            }
            if let Some(pre) = self.pre {
                simd.store_up_to(sum, pre.row_mut(row, cols));
            }
            sum = activate(simd, epilogue.activation, sum);
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
