//! The micro-kernel: `MR x NR` accumulators in registers, over the depth of a packed panel.

use crate::simd::{LANES, Simd};

/// The sums of a tile: `MR` rows of `NV` vectors.
pub(super) type Tile<S, const MR: usize, const NV: usize> = [[<S as Simd>::F32; NV]; MR];

/// Multiplies a panel of A (`MR` rows, depth first) by a panel of B (`NV` vectors, depth first). The
/// products of one element are added in order of depth, whatever its place in the tile.
#[inline(always)]
pub(super) fn multiply<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    a: &[f32],
    b: &[f32],
) -> Tile<S, MR, NV> {
    let mut sums = [[simd.splat(0.0); NV]; MR];
    let (a, _) = a.as_chunks::<MR>();
    let (b, _) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b.chunks_exact(NV)) {
        let mut vectors = [simd.splat(0.0); NV];
        for j in 0..NV {
            vectors[j] = simd.load(&b[j]);
        }
        for i in 0..MR {
            let a = simd.splat(a[i]);
            for j in 0..NV {
                sums[i][j] = simd.mul_add(a, vectors[j], sums[i][j]);
            }
        }
    }
    sums
}
