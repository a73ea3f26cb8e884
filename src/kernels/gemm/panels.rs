//! An operand that was packed once, for many products.

use crate::simd::{Kernel, LANES, Level, Simd};

use super::blocking::Blocking;
use super::pack::{Block, Operand, pack};

/// All columns of B as panels of lanes: for each step of depth, one panel after another.
#[derive(Clone, Copy)]
pub(crate) struct Panels<'a> {
    pub(crate) data: &'a [f32],
    /// Columns of B.
    pub(crate) cols: usize,
}

impl<'a> Panels<'a> {
    /// The panel of `nr` columns from `col` on, a multiple of `nr`, and the depths from `pc` on.
    #[inline(always)]
    pub(super) fn panel(&self, nr: usize, col: usize, pc: usize, depth: usize) -> &'a [f32] {
        let start = pc * self.cols.next_multiple_of(nr) + col * depth;
        &self.data[start..start + nr * depth]
    }
}

/// Elements of the panels of a `k x n` operand; `None` if they cannot be counted.
pub(crate) fn panels_len(level: Level, n: usize, k: usize) -> Option<usize> {
    n.checked_next_multiple_of(Blocking::of(level).nr)?
        .checked_mul(k)
}

/// Packs columns of depth into panels of [`panels_len`] elements.
pub(crate) struct PackPanels<'a> {
    /// Depth by columns.
    pub(crate) b: Operand<'a>,
    pub(crate) cols: usize,
    pub(crate) depth: usize,
    pub(crate) out: &'a mut [f32],
}

impl Kernel for PackPanels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            b,
            cols,
            depth: k,
            out,
        } = self;
        let blocking = Blocking::of(S::LEVEL);
        debug_assert_eq!(blocking.nr % LANES, 0, "panels are whole vectors");
        let kc = blocking.depth_step(k);
        let padded = cols.next_multiple_of(blocking.nr);
        for pc in (0..k).step_by(kc) {
            let depth = kc.min(k - pc);
            let block = Block {
                first: 0,
                count: cols,
                first_depth: pc,
                depth,
            };
            let out = &mut out[pc * padded..(pc + depth) * padded];
            pack(simd, b.transposed(), block, blocking.nr, out);
        }
    }
}
