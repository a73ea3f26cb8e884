//! The product of rows that are read where they lie and of few lanes, which are packed.
//!
//! Each group of rows meets all lanes before the next, so that it comes from memory once. If the rows are
//! columns of C, the tiles are pieces of C turned: they are collected in scratch and turned together.

use crate::simd::{LANES, Simd};

use super::Side;
use super::blocking::Blocking;
use super::epilogue::Target;
use super::pack::pack;
use super::plan::{DIRECT_PANELS, Path};
use super::tile::{self, REST};

/// Elements of scratch for a product of at most `lanes` lanes.
pub(super) fn scratch_len(blocking: &Blocking, lanes: usize, k: usize) -> usize {
    let lanes = lanes
        .min(DIRECT_PANELS * blocking.nr)
        .next_multiple_of(blocking.nr);
    lanes * (blocking.mr * LANES + blocking.depth_step(k))
}

/// Multiplies rows by lanes.
#[inline(always)]
pub(super) fn multiply<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    (rows, lanes): (Side<'_>, Side<'_>),
    k: usize,
    path: Path,
    target: &mut Target<'_, '_>,
    scratch: &mut [f32],
) {
    let (nr, kc) = (NV * LANES, Blocking::of(S::LEVEL).depth_step(k));
    // A group of rows is whole tiles and, as columns of C, whole vectors.
    let group = MR * LANES;
    let (turned, scratch) = scratch.split_at_mut(lanes.count.next_multiple_of(nr) * group);
    for pc in (0..k).step_by(kc) {
        let depth = kc.min(k - pc);
        target.finish.first = pc == 0;
        target.finish.last = pc + depth == k;
        let packed = &mut scratch[..lanes.count.next_multiple_of(nr) * depth];
        let block = lanes.block(0, lanes.count, pc, depth);
        pack(simd, lanes.operand, block, nr, packed);
        for ic in (0..rows.count).step_by(group) {
            let count = group.min(rows.count - ic);
            let block = rows.block(ic, count, pc, depth);
            for ir in (0..count).step_by(MR) {
                let lanes = (&*packed, lanes.count, group);
                if tile::is_rest(MR, count - ir) {
                    let rows = rows.operand.rows::<REST>(&block, ir);
                    tiles::<S, REST, NV>(simd, rows, lanes, (ic, ir), path, target, turned);
                } else {
                    let rows = rows.operand.rows::<MR>(&block, ir);
                    tiles::<S, MR, NV>(simd, rows, lanes, (ic, ir), path, target, turned);
                }
            }
            if path == Path::Turned {
                for jr in (0..lanes.count).step_by(nr) {
                    let columns = &turned[jr * group..][..count * nr];
                    target.put_turned::<S, NV>(simd, columns, (jr, ic));
                }
            }
        }
    }
}

/// The tiles of `R` rows and all lanes: their panels, their number, and the rows of a group.
#[inline(always)]
fn tiles<S: Simd, const R: usize, const NV: usize>(
    simd: S,
    rows: [&[f32]; R],
    (packed, count, group): (&[f32], usize, usize),
    (ic, ir): (usize, usize),
    path: Path,
    target: &mut Target<'_, '_>,
    turned: &mut [f32],
) {
    let (nr, depth) = (NV * LANES, rows[0].len());
    for jr in (0..count).step_by(nr) {
        let lanes = &packed[jr * depth..(jr + nr) * depth];
        let tile = tile::multiply_direct::<S, R, NV>(simd, rows, lanes);
        match path {
            Path::Turned => tile::store(simd, &tile, &mut turned[jr * group + ir * nr..]),
            _ => target.put(simd, &tile, (ic + ir, jr)),
        }
    }
}
