//! General matrix product with an epilogue, after Goto and van de Geijn (2008) and BLIS.
//!
//! Five loops around a micro-kernel. From the outside in:
//!
//! ```text
//! loop 5  over columns of C, nc at a time
//! loop 4    over depth, kc at a time            pack kc x nc of B into panels of nr columns
//! loop 3      over rows of C, mc at a time      pack mc x kc of A into panels of mr rows
//! loop 2        over panels of B, nr columns
//! loop 1          over panels of A, mr rows     the micro-kernel: mr x nr sums in registers
//! ```
//!
//! Where this departs from the papers:
//!
//! 1. The sums of a tile go through [`TileEpilogue`] when their last depth is done: bias, activation and
//!    dropout cost one visit of a tile that is in registers anyway.
//! 2. Operands may carry keep bits, which packing applies.
//! 3. Threads get parts of C and run all five loops on their own; nothing is shared, so nothing waits.
//!    An element's products are added in the same order in every part: the bits of the result depend on
//!    kc, hence on the instruction set, and on nothing else.

mod blocking;
mod epilogue;
mod pack;
mod tile;

pub use blocking::Blocking;
pub(crate) use epilogue::{Merge, Output, TileEpilogue};
pub(crate) use pack::{Bits, Operand};

use crate::simd::{Kernel, LANES, Level, Simd};

use epilogue::Target;
use pack::{Block, pack};

/// One part of a product: `c = epilogue(a * b)`.
pub(crate) struct Product<'a, 'm> {
    /// The part's rows of A, by depth.
    pub(crate) a: Operand<'a>,
    /// Depth by the part's columns of B.
    pub(crate) b: Operand<'a>,
    /// Columns of A and rows of B.
    pub(crate) depth: usize,
    /// What the part writes.
    pub(crate) output: Output<'m>,
    /// Row and column of the part's first element in the whole of C; also the first row of `a` and the
    /// first column of `b`, which are given whole.
    pub(crate) origin: (usize, usize),
    /// What happens as a tile is stored.
    pub(crate) epilogue: TileEpilogue<'a>,
    /// Room for the packed blocks, of [`scratch_len`] elements.
    pub(crate) scratch: &'a mut [f32],
}

/// Elements of scratch for packed blocks of A and of B.
pub(crate) fn scratch_len(blocking: &Blocking, m: usize, n: usize, k: usize) -> (usize, usize) {
    let Blocking { mr, nr, kc, mc, nc } = *blocking;
    let depth = kc.min(k);
    (
        mc.min(m).next_multiple_of(mr) * depth,
        nc.min(n).next_multiple_of(nr) * depth,
    )
}

impl Kernel for Product<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // The level is a constant of each instance: one of the three remains.
        match S::LEVEL {
            Level::Avx512 => loops::<S, 14, 2>(simd, self),
            Level::Avx2 => loops::<S, 6, 1>(simd, self),
            Level::Scalar | Level::Portable => loops::<S, 2, 1>(simd, self),
        }
    }
}

#[inline(always)]
fn loops<S: Simd, const MR: usize, const NV: usize>(simd: S, product: Product<'_, '_>) {
    let blocking = Blocking::of(S::LEVEL);
    let Blocking { mr, nr, kc, mc, nc } = blocking;
    debug_assert!(
        mr == MR && nr == NV * LANES,
        "the table and the kernels disagree"
    );
    let Product {
        a,
        b,
        depth: k,
        mut output,
        origin,
        epilogue,
        scratch,
    } = product;
    let (m, n) = (output.c.rows(), output.c.cols());
    let (a_len, _) = scratch_len(&blocking, m, n, k);
    let (a_scratch, b_scratch) = scratch.split_at_mut(a_len);
    let b = b.transposed();
    for jc in (0..n).step_by(nc) {
        let cols = nc.min(n - jc);
        // A product without depth still has an epilogue, so this loop runs at least once.
        for pc in (0..k.max(1)).step_by(kc) {
            let depth = kc.min(k - pc);
            let block = Block {
                first: origin.1 + jc,
                count: cols,
                first_depth: pc,
                depth,
            };
            let b_block = &mut b_scratch[..cols.next_multiple_of(nr) * depth];
            pack(simd, b, block, nr, b_block);
            for ic in (0..m).step_by(mc) {
                let rows = mc.min(m - ic);
                let block = Block {
                    first: origin.0 + ic,
                    count: rows,
                    first_depth: pc,
                    depth,
                };
                let a_block = &mut a_scratch[..rows.next_multiple_of(mr) * depth];
                pack(simd, a, block, mr, a_block);
                let mut target = Target {
                    output: &mut output,
                    origin,
                    first: pc == 0,
                    last: pc + depth >= k,
                };
                for jr in (0..cols).step_by(nr) {
                    let b_panel = &b_block[jr * depth..(jr + nr) * depth];
                    for ir in (0..rows).step_by(mr) {
                        let a_panel = &a_block[ir * depth..(ir + mr) * depth];
                        target.prefetch::<S, MR, NV>(simd, (ic + ir, jc + jr));
                        let tile = tile::multiply::<S, MR, NV>(simd, a_panel, b_panel);
                        target.put(simd, &tile, (ic + ir, jc + jr), &epilogue);
                    }
                }
            }
        }
    }
}
