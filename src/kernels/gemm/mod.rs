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
//! 4. The operands may change places: the loops speak of *rows*, whose numbers are broadcast, and of
//!    *lanes*, which make vectors. Rows may be read where they lie. `plan.rs` decides.
//! 5. A product with a vector streams the matrix through registers (`gemv.rs`).
//!
//! An element's products are added in the same order on every path and in every part: the bits of the
//! result depend on kc, hence on the instruction set, and on nothing else; not on threads, and not on how
//! many other rows are computed with it.

mod blocking;
mod epilogue;
mod gemv;
mod pack;
mod plan;
mod tile;

pub use blocking::Blocking;
pub(crate) use epilogue::{Merge, Output, TileEpilogue};
pub(crate) use pack::{Bits, Operand};

use crate::simd::{Kernel, LANES, Level, Simd};

use epilogue::Target;
use pack::{Block, pack};
use plan::{Plan, plan};

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

/// Elements of scratch for a product, whichever way round it is computed.
pub(crate) fn scratch_len(blocking: &Blocking, m: usize, n: usize, k: usize) -> usize {
    let sum = |(rows, lanes): (usize, usize)| rows + lanes + turned_len(blocking);
    sum(block_lens(blocking, m, n, k)).max(sum(block_lens(blocking, n, m, k)))
}

/// Elements of the packed blocks of rows and of lanes.
fn block_lens(blocking: &Blocking, rows: usize, lanes: usize, k: usize) -> (usize, usize) {
    let Blocking { mr, nr, mc, nc, .. } = *blocking;
    let depth = blocking.depth_step(k);
    let rows = mc.min(rows).next_multiple_of(mr) * depth;
    (
        rows.next_multiple_of(LANES),
        nc.min(lanes).next_multiple_of(nr) * depth,
    )
}

/// Elements of the tiles that are turned together: columns of C in whole vectors and in whole tiles.
fn turned_len(blocking: &Blocking) -> usize {
    blocking.mr * LANES * blocking.nr * 8
}

impl Kernel for Product<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let sizes = (self.output.c.rows(), self.output.c.cols(), self.depth);
        let plan = plan(&Blocking::of(S::LEVEL), sizes, &self.a, &self.b);
        // The level is a constant of each instance: one of the three remains.
        match (S::LEVEL, plan.narrow) {
            (Level::Avx512, false) => run::<S, 14, 2>(simd, self, plan),
            (Level::Avx512, true) => run::<S, 14, 1>(simd, self, plan),
            (Level::Avx2, _) => run::<S, 6, 1>(simd, self, plan),
            (Level::Scalar | Level::Portable, _) => run::<S, 2, 1>(simd, self, plan),
        }
    }
}

/// An operand as the loops see it: rows of depth, or lanes of depth.
#[derive(Clone, Copy)]
struct Side<'a> {
    /// Neighbours by depth.
    operand: Operand<'a>,
    /// The part's first neighbour, and how many it has.
    first: usize,
    count: usize,
}

impl Side<'_> {
    /// The block of `count` neighbours from `start` on and the depths from `first_depth` on.
    #[inline(always)]
    fn block(&self, start: usize, count: usize, first_depth: usize, depth: usize) -> Block {
        Block {
            first: self.first + start,
            count,
            first_depth,
            depth,
        }
    }
}

#[inline(always)]
fn run<S: Simd, const MR: usize, const NV: usize>(simd: S, product: Product<'_, '_>, plan: Plan) {
    let Product {
        a,
        b,
        depth,
        output,
        origin,
        epilogue,
        scratch,
    } = product;
    let a = Side {
        operand: a,
        first: origin.0,
        count: output.c.rows(),
    };
    let b = Side {
        operand: b.transposed(),
        first: origin.1,
        count: output.c.cols(),
    };
    let (rows, lanes) = if plan.turned { (b, a) } else { (a, b) };
    let mut target = Target {
        output,
        origin,
        epilogue,
        first: true,
        last: false,
    };
    if plan.direct && lanes.count == 1 {
        gemv::multiply(simd, rows, lanes, depth, plan.turned, &mut target, scratch);
    } else {
        loops::<S, MR, NV>(simd, rows, lanes, depth, plan, &mut target, scratch);
    }
}

#[inline(always)]
fn loops<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    rows: Side<'_>,
    lanes: Side<'_>,
    k: usize,
    plan: Plan,
    target: &mut Target<'_, '_>,
    scratch: &mut [f32],
) {
    let blocking = Blocking::of(S::LEVEL);
    let (nr, kc, nc) = (NV * LANES, blocking.depth_step(k), blocking.nc);
    let mc = if plan.turned { MR * LANES } else { blocking.mc };
    let (rows_len, _) = block_lens(&blocking, rows.count, lanes.count, k);
    let (columns, scratch) = scratch.split_at_mut(turned_len(&blocking));
    let (rows_scratch, lanes_scratch) = scratch.split_at_mut(rows_len);
    for jc in (0..lanes.count).step_by(nc) {
        let cols = nc.min(lanes.count - jc);
        // A product without depth still has an epilogue, so this loop runs at least once.
        for pc in (0..k.max(1)).step_by(kc) {
            let depth = kc.min(k - pc);
            target.first = pc == 0;
            target.last = pc + depth >= k;
            let lanes_block = &mut lanes_scratch[..cols.next_multiple_of(nr) * depth];
            if plan.direct {
                pack(
                    simd,
                    lanes.operand,
                    lanes.block(jc, cols, pc, depth),
                    nr,
                    lanes_block,
                );
            }
            for ic in (0..rows.count).step_by(mc) {
                let count = mc.min(rows.count - ic);
                let block = rows.block(ic, count, pc, depth);
                if plan.direct {
                    for ir in (0..count).step_by(MR) {
                        let rows = rows.operand.rows::<MR>(&block, ir);
                        for jr in (0..cols).step_by(nr) {
                            let lanes = &lanes_block[jr * depth..(jr + nr) * depth];
                            let tile = tile::multiply_direct::<S, MR, NV>(simd, rows, lanes);
                            if plan.turned {
                                tile::store(simd, &tile, &mut columns[jr * mc + ir * nr..]);
                            } else {
                                target.put(simd, &tile, (ic + ir, jc + jr));
                            }
                        }
                    }
                    if plan.turned {
                        for jr in (0..cols).step_by(nr) {
                            let columns = &columns[jr * mc..][..count * nr];
                            target.put_turned::<S, NV>(simd, columns, (jc + jr, ic));
                        }
                    }
                    continue;
                }
                let rows_block = &mut rows_scratch[..count.next_multiple_of(MR) * depth];
                pack(simd, rows.operand, block, MR, rows_block);
                for jr in (0..cols).step_by(nr) {
                    let lanes_panel = &mut lanes_block[jr * depth..(jr + nr) * depth];
                    if ic == 0 {
                        let block = lanes.block(jc + jr, nr.min(cols - jr), pc, depth);
                        pack(simd, lanes.operand, block, nr, lanes_panel);
                    }
                    for ir in (0..count).step_by(MR) {
                        let rows = &rows_block[ir * depth..(ir + MR) * depth];
                        let place = target.place((ic + ir, jc + jr), plan.turned);
                        let tile =
                            tile::multiply_packed::<S, MR, NV>(simd, rows, lanes_panel, &place);
                        if plan.turned {
                            tile::store(simd, &tile, &mut columns[ir * nr..]);
                        } else {
                            target.put(simd, &tile, (ic + ir, jc + jr));
                        }
                    }
                    if plan.turned {
                        let columns = &columns[..count * nr];
                        target.put_turned::<S, NV>(simd, columns, (jc + jr, ic));
                    }
                }
            }
        }
    }
}
