//! The leaves of the reduction tree, one sequence at a time or 64 side by side, and the joining of leaves.
//! The tree is described in [`reference::reduce`](crate::reference::reduce); both kinds of leaf follow it, so a result does not
//! depend on which of them was used.

use super::elementwise::{Binary, Operand, Zip};
use crate::simd::{Kernel, LANES, Simd};

/// Elements of a leaf.
pub(crate) const BLOCK: usize = 4096;
/// Accumulators of a leaf: four vectors, which hides the latency of an addition.
const WIDTH: usize = 64;
/// Sequences that [`columns`] reduces side by side. Its 64 x 64 accumulators are 16 KiB and stay in the
/// first-level cache.
pub(crate) const TILE: usize = 64;

/// How two partial results become one. `combine(x, IDENTITY)` is `x` for every `x` that the tree makes.
pub(crate) trait Combine: Binary {
    /// What each accumulator begins with.
    const IDENTITY: f32;
    /// The operation on vectors, for one lane.
    fn combine(a: f32, b: f32) -> f32;
}

/// `a + b`.
#[derive(Clone, Copy)]
pub(crate) struct Sum;

impl Binary for Sum {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, a: S::F32, b: S::F32) -> S::F32 {
        simd.add(a, b)
    }
}

impl Combine for Sum {
    const IDENTITY: f32 = 0.0;

    #[inline(always)]
    fn combine(a: f32, b: f32) -> f32 {
        a + b
    }
}

/// The greater; `b` if they are equal; the first that is NaN if one is.
#[derive(Clone, Copy)]
pub(crate) struct Max;

impl Binary for Max {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, a: S::F32, b: S::F32) -> S::F32 {
        simd.select(simd.eq(a, a), simd.max(a, b), a)
    }
}

impl Combine for Max {
    const IDENTITY: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn combine(a: f32, b: f32) -> f32 {
        if a > b || a.is_nan() { a } else { b }
    }
}

/// The leaf of at most [`BLOCK`] elements.
#[inline(always)]
pub(crate) fn leaf<S: Simd, C: Combine>(simd: S, op: C, x: &[f32]) -> f32 {
    let mut acc = [simd.splat(C::IDENTITY); WIDTH / LANES];
    let (blocks, rest) = x.as_chunks::<WIDTH>();
    for block in blocks {
        for (acc, x) in acc.iter_mut().zip(block.as_chunks().0) {
            *acc = op.apply(simd, *acc, simd.load(x));
        }
    }
    let (whole, tail) = rest.as_chunks::<LANES>();
    for (acc, x) in acc.iter_mut().zip(whole) {
        *acc = op.apply(simd, *acc, simd.load(x));
    }
    if !tail.is_empty() {
        let mut lanes = [C::IDENTITY; LANES];
        lanes[..tail.len()].copy_from_slice(tail);
        acc[whole.len()] = op.apply(simd, acc[whole.len()], simd.load(&lanes));
    }
    let even = op.apply(simd, acc[0], acc[2]);
    let odd = op.apply(simd, acc[1], acc[3]);
    simd.fold_lanes(op.apply(simd, even, odd), C::combine)
}

/// The accumulators of up to [`TILE`] sequences side by side: row i is accumulator i of each.
pub(crate) struct Columns {
    acc: [[f32; TILE]; WIDTH],
    /// Accumulators in use, a power of two: those beyond the length of a short sequence would hold the
    /// identity.
    used: usize,
}

impl Columns {
    /// Room for leaves.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self {
            acc: [[0.0; TILE]; WIDTH],
            used: 0,
        }
    }

    /// Begins leaves of `n` elements.
    #[inline(always)]
    pub(crate) fn begin<C: Combine>(&mut self, _: C, n: usize) {
        self.used = n.clamp(1, WIDTH).next_power_of_two();
        for acc in &mut self.acc[..self.used] {
            acc.fill(C::IDENTITY);
        }
    }

    /// Takes element `i` of each sequence.
    #[inline(always)]
    pub(crate) fn push<S: Simd, C: Combine>(&mut self, simd: S, op: C, i: usize, row: &[f32]) {
        let acc = self.acc[i % WIDTH].as_chunks_mut::<LANES>().0;
        let (whole, tail) = row.as_chunks::<LANES>();
        for (acc, x) in acc.iter_mut().zip(whole) {
            simd.store(op.apply(simd, simd.load(acc), simd.load(x)), acc);
        }
        if !tail.is_empty() {
            // Lanes past the tail belong to no sequence, and nobody reads them.
            let acc = &mut acc[whole.len()];
            simd.store(op.apply(simd, simd.load(acc), simd.load_up_to(tail)), acc);
        }
    }

    /// Writes the leaves.
    #[inline(always)]
    pub(crate) fn finish<S: Simd, C: Combine>(&mut self, simd: S, op: C, out: &mut [f32]) {
        let mut half = self.used / 2;
        while half > 0 {
            let (low, high) = self.acc[..2 * half].split_at_mut(half);
            for (low, high) in low.iter_mut().zip(high) {
                let b = Operand::Slice(high);
                Zip {
                    op,
                    a: None,
                    b,
                    out: low,
                }
                .run(simd);
            }
            half /= 2;
        }
        out.copy_from_slice(&self.acc[0][..out.len()]);
    }
}

/// Joins the rows of a matrix pairwise, neighbours first, until the first row holds the result.
pub(crate) struct Join<'a, C> {
    pub(crate) op: C,
    /// Row b holds the b-th leaf of each sequence.
    pub(crate) rows: &'a mut [f32],
    pub(crate) width: usize,
}

impl<C: Combine> Kernel for Join<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { op, rows, width } = self;
        let mut step = width;
        while step < rows.len() {
            for pair in rows.chunks_mut(2 * step) {
                if pair.len() > step {
                    let (low, high) = pair.split_at_mut(step);
                    let b = Operand::Slice(&high[..width]);
                    Zip {
                        op,
                        a: None,
                        b,
                        out: &mut low[..width],
                    }
                    .run(simd);
                }
            }
            step *= 2;
        }
    }
}
