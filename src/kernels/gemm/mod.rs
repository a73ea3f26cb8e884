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
//! 4. The operands may change places: the code speaks of *rows*, whose numbers are broadcast, and of
//!    *lanes*, which make vectors. `plan.rs` chooses among three paths: `packed.rs` has the five loops;
//!    `direct.rs` reads rows where they lie; `gemv.rs` streams a matrix past a vector.
//! 5. Blocks that a structured mask drops are left out of the sums (`skip.rs`).
//!
//! An element's products are added in the same order on every path and in every part: the bits of the
//! result depend on kc, hence on the instruction set, and on nothing else; not on threads, and not on how
//! many other rows are computed with it.

mod blocking;
mod direct;
mod epilogue;
mod gemv;
mod pack;
mod packed;
mod panels;
mod plan;
mod skip;
mod tile;

pub use blocking::Blocking;
pub(crate) use epilogue::{Merge, Output, TileEpilogue};
pub(crate) use pack::{Bits, Operand};
pub(crate) use panels::{PackPanels, Panels, panels_len};
pub(crate) use skip::{Plane, Skip};

use crate::simd::{Kernel, LANES, Level, Simd};

use epilogue::{Finish, Target};
use pack::Block;
use plan::{Path, plan};

/// The right operand of a product.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a> {
    /// A matrix, packed if that pays.
    Loose(Operand<'a>),
    /// Packed before.
    Packed(Panels<'a>),
}

/// One part of a product: `c = epilogue(a * b)`.
pub(crate) struct Product<'a, 'm> {
    /// The part's rows of A, by depth.
    pub(crate) a: Operand<'a>,
    /// Depth by the part's columns of B.
    pub(crate) b: Right<'a>,
    /// Columns of A and rows of B.
    pub(crate) depth: usize,
    /// What the part writes.
    pub(crate) output: Output<'m>,
    /// Row and column of the part's first element in the whole of C; also the first row of `a` and the
    /// first column of `b`, which are given whole.
    pub(crate) origin: (usize, usize),
    /// What happens as a tile is stored.
    pub(crate) epilogue: TileEpilogue<'a>,
    /// Blocks of the operands or of C that are left out.
    pub(crate) skip: Option<Skip<'a>>,
    /// Room for the packed blocks, of [`scratch_len`] elements.
    pub(crate) scratch: &'a mut [f32],
}

/// Elements of scratch for a product, whichever path it takes.
pub(crate) fn scratch_len(blocking: &Blocking, m: usize, n: usize, k: usize) -> usize {
    let packed = packed::scratch_len(blocking, m, n, k);
    packed.max(direct::scratch_len(blocking, m.max(n), k))
}

impl Kernel for Product<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let sizes = (self.output.c.rows(), self.output.c.cols(), self.depth);
        let blocking = Blocking::of(S::LEVEL);
        let (path, narrow) = match (self.skip, self.b) {
            // Only the loops know blocks and panels.
            (Some(_), _) | (_, Right::Packed(_)) => (Path::Packed, false),
            (None, Right::Loose(b)) => plan(&blocking, sizes, &self.a, &b),
        };
        let one_row = sizes.0 == 1 && matches!(self.b, Right::Packed(_));
        // The level is a constant of each instance: one of the three remains.
        match (S::LEVEL, narrow) {
            (Level::Avx512, _) if one_row => run::<S, 1, 2>(simd, self, path),
            (Level::Avx512, false) => run::<S, 14, 2>(simd, self, path),
            (Level::Avx512, true) => run::<S, 14, 1>(simd, self, path),
            (Level::Avx2, _) if one_row => run::<S, 1, 1>(simd, self, path),
            (Level::Avx2, _) => run::<S, 6, 1>(simd, self, path),
            (Level::Scalar | Level::Portable, _) => run::<S, 2, 1>(simd, self, path),
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
fn run<S: Simd, const MR: usize, const NV: usize>(simd: S, product: Product<'_, '_>, path: Path) {
    let blocking = Blocking::of(S::LEVEL);
    debug_assert!(
        (MR == 1 || MR == blocking.mr) && (NV == 1 || NV * LANES == blocking.nr),
        "the table and the kernels disagree"
    );
    let Product {
        a,
        b,
        depth,
        output,
        origin,
        epilogue,
        skip,
        scratch,
    } = product;
    let mut target = Target {
        output,
        finish: Finish {
            origin,
            epilogue,
            first: true,
            last: false,
        },
    };
    let (m, n) = (target.output.c.rows(), target.output.c.cols());
    let a = Side {
        operand: a,
        first: origin.0,
        count: m,
    };
    let b = match b {
        Right::Packed(panels) => packed::Lanes::Packed(panels, origin.1, n),
        Right::Loose(b) => packed::Lanes::Loose(Side {
            operand: b.transposed(),
            first: origin.1,
            count: n,
        }),
    };
    let (rows, lanes) = match (path, b) {
        (Path::Straight, packed::Lanes::Loose(b)) => (a, b),
        (Path::Turned, packed::Lanes::Loose(b)) => (b, a),
        _ => return packed::multiply::<S, MR, NV>(simd, a, b, depth, skip, &mut target, scratch),
    };
    if lanes.count == 1 {
        gemv::multiply(simd, (rows, lanes), depth, path, &mut target, scratch);
    } else {
        direct::multiply::<S, MR, NV>(simd, (rows, lanes), depth, path, &mut target, scratch);
    }
}
