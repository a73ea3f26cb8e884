//! The micro-kernel: `MR x NR` accumulators in registers, over the depth of a panel of vectors.
//!
//! The products of one element are added in order of depth, whatever its place in the tile and wherever
//! the operands lie, so that all paths of a product give the same bits.

use crate::simd::{LANES, Simd};

use super::epilogue::Place;

/// The sums of a tile: `MR` rows of `NV` vectors.
pub(super) type Tile<S, const MR: usize, const NV: usize> = [[<S as Simd>::F32; NV]; MR];

/// Depths between two prefetches of the place in C of a tile of `mr` rows: one row at a time, because a burst of
/// them would fill the buffers that the panels' own lines arrive through. Few rows have asked for all of theirs
/// early on, and a short segment is mostly the loop around it.
#[inline(always)]
const fn segment(mr: usize) -> usize {
    if is_tall(mr) { 16 } else { 32 }
}

/// Depths that packed panels are asked for ahead of their use: they stream from the second-level cache, and
/// the processor's own prefetcher stops at the end of each page. A depth of lanes is more than twice as long.
const ROWS_AHEAD: usize = 16;
const LANES_AHEAD: usize = 8;

/// Rows of a tile at the edge of a product that has no more than these left there. It costs a fraction of a
/// whole tile: 128 rows are 9 tiles of 14 and one of 4, not 10.
pub(super) const REST: usize = 4;

/// Whether tiles of `mr` rows are tall, as 32 registers allow.
#[inline(always)]
const fn is_tall(mr: usize) -> bool {
    mr > 2 * REST
}

/// Whether lanes stream, too. Their panels for tiles of few rows are narrow enough to stay in the first-level cache, unless
/// the one row there is reads each of them once.
#[inline(always)]
const fn lanes_stream(mr: usize) -> bool {
    is_tall(mr) || mr == 1
}

/// Whether `rows` that are left are a matter for a tile of [`REST`] rows in place of `mr`.
#[inline(always)]
pub(super) fn is_rest(mr: usize, rows: usize) -> bool {
    rows <= REST && is_tall(mr)
}

/// Adds the product of the first `R` rows of a packed panel of `MR`, depth first, and a panel of `NV`
/// vectors, depth first.
#[inline(always)]
pub(super) fn multiply_packed<S: Simd, const MR: usize, const R: usize, const NV: usize>(
    simd: S,
    sums: &mut Tile<S, R, NV>,
    a: &[f32],
    b: &[f32],
    place: Option<&Place<'_, '_>>,
) {
    let mut tile = *sums;
    let (a, _) = a.as_chunks::<MR>();
    let (b, _) = b.as_chunks::<LANES>();
    let segments = a.chunks(segment(MR)).zip(b.chunks(segment(MR) * NV));
    for (segment, (a, b)) in segments.enumerate() {
        if let Some(place) = place {
            place.ask::<S, R, NV>(simd, segment);
        }
        for (a, b) in a.iter().zip(b.chunks_exact(NV)) {
            simd.prefetch(a.as_ptr().wrapping_add(ROWS_AHEAD * MR));
            if lanes_stream(MR) {
                for j in 0..NV {
                    simd.prefetch(b.as_ptr().wrapping_add(LANES_AHEAD * NV + j).cast());
                }
            }
            let b = load::<S, NV>(simd, b);
            for i in 0..R {
                multiply_add(simd, a[i], &b, &mut tile[i]);
            }
        }
    }
    *sums = tile;
}

/// The product of `MR` rows as they lie in memory, each of the panel's depth, and a panel of vectors.
#[inline(always)]
pub(super) fn multiply_direct<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    rows: [&[f32]; MR],
    b: &[f32],
) -> Tile<S, MR, NV> {
    let mut sums = [[simd.splat(0.0); NV]; MR];
    let (b, _) = b.as_chunks::<LANES>();
    let depth = b.len() / NV;
    let mut a = rows;
    for row in &mut a {
        *row = &row[..depth];
    }
    for (d, b) in (0..depth).zip(b.chunks_exact(NV)) {
        let b = load::<S, NV>(simd, b);
        for i in 0..MR {
            multiply_add(simd, a[i][d], &b, &mut sums[i]);
        }
    }
    sums
}

#[inline(always)]
fn load<S: Simd, const NV: usize>(simd: S, b: &[[f32; LANES]]) -> [S::F32; NV] {
    let mut vectors = [simd.splat(0.0); NV];
    for j in 0..NV {
        vectors[j] = simd.load(&b[j]);
    }
    vectors
}

#[inline(always)]
fn multiply_add<S: Simd, const NV: usize>(
    simd: S,
    a: f32,
    b: &[S::F32; NV],
    sums: &mut [S::F32; NV],
) {
    let a = simd.splat(a);
    for j in 0..NV {
        sums[j] = simd.mul_add(a, b[j], sums[j]);
    }
}

/// Stores a tile, row after row.
#[inline(always)]
pub(super) fn store<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    tile: &Tile<S, MR, NV>,
    out: &mut [f32],
) {
    let (out, _) = out.as_chunks_mut::<LANES>();
    for (row, out) in tile.iter().zip(out.chunks_exact_mut(NV)) {
        for (&sum, out) in row.iter().zip(out) {
            simd.store(sum, out);
        }
    }
}
