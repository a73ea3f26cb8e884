//! Turning an output into the bits that its backward pass needs, and summing a gradient under them.

use crate::kernels::gemm::Operand;
use crate::simd::{Kernel, LANES, Simd};

/// Bit i is 0 where `y[i] <= 0` and 1 elsewhere, NaN included.
///
/// After ReLU and dropout this is both decisions in one bit: a dropped element is `+0.0`, and so is one
/// that ReLU cut, while the gradient of all others is the scale. Tiles merge the bits as they are stored where
/// rows are whole cells of 16; this pass does the others, where tiles would share a cell.
pub(crate) struct Positive<'a> {
    /// The output.
    pub(crate) y: &'a [f32],
    /// A word for each 64 elements, rounded up.
    pub(crate) words: &'a mut [u64],
}

impl Kernel for Positive<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let zero = simd.splat(0.0);
        for (y, word) in self.y.chunks(64).zip(self.words) {
            let (whole, tail) = y.as_chunks::<LANES>();
            let mut cut = 0;
            for (i, y) in whole.iter().enumerate() {
                let bits = simd.pred_to_bits(simd.le(simd.load(y), zero));
                cut |= u64::from(bits) << (LANES * i);
            }
            if !tail.is_empty() {
                let bits = simd.pred_to_bits(simd.le(simd.load_up_to(tail), zero));
                cut |= u64::from(bits) << (LANES * whole.len());
            }
            let used = !0 >> (64 - y.len());
            *word = !cut & used;
        }
    }
}

/// Rows that are summed before their sum is added to the others': bounds the growth of rounding errors.
const ROWS: usize = 64;

/// Sums of the columns `first_col..` of a selected and scaled matrix. The order of additions depends on
/// the number of rows alone.
pub(crate) struct ColumnSums<'a> {
    /// The matrix.
    pub(crate) operand: Operand<'a>,
    /// Its rows.
    pub(crate) rows: usize,
    /// The column of `out[0]`.
    pub(crate) first_col: usize,
    /// One sum a column.
    pub(crate) out: &'a mut [f32],
}

impl Kernel for ColumnSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (v, out) in self.out.chunks_mut(LANES).enumerate() {
            let col = self.first_col + v * LANES;
            let mut total = simd.splat(0.0);
            for start in (0..self.rows).step_by(ROWS) {
                let mut sum = simd.splat(0.0);
                for row in start..self.rows.min(start + ROWS) {
                    sum = simd.add(sum, self.operand.neighbours(simd, row, col, out.len()));
                }
                total = simd.add(total, sum);
            }
            simd.store_up_to(total, out);
        }
    }
}
