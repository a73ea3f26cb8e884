//! The five loops, with both operands packed.

use crate::simd::{LANES, Simd};

use super::Side;
use super::blocking::Blocking;
use super::epilogue::Target;
use super::pack::pack;
use super::panels::Panels;
use super::skip::Skip;
use super::tile::{self, REST};

/// Panels of lanes that are packed together.
const AT_ONCE: usize = 4;

/// Elements of scratch for a product.
pub(super) fn scratch_len(blocking: &Blocking, m: usize, n: usize, k: usize) -> usize {
    let (rows, lanes) = block_lens(blocking, m, n, k);
    rows + lanes
}

/// Elements of the packed blocks of rows and of lanes; both begin on a vector.
fn block_lens(blocking: &Blocking, rows: usize, lanes: usize, k: usize) -> (usize, usize) {
    let Blocking { mr, nr, mc, nc, .. } = *blocking;
    let depth = blocking.depth_step(k);
    let rows = mc.min(rows).next_multiple_of(mr) * depth;
    (
        rows.next_multiple_of(LANES),
        nc.min(lanes).next_multiple_of(nr) * depth,
    )
}

/// The lanes of a product.
#[derive(Clone, Copy)]
pub(super) enum Lanes<'a> {
    /// To be packed.
    Loose(Side<'a>),
    /// Packed before; the part's first column, a multiple of nr, and how many it has.
    Packed(Panels<'a>, usize, usize),
}

impl Lanes<'_> {
    #[inline(always)]
    fn count(&self) -> usize {
        match self {
            Lanes::Loose(side) => side.count,
            Lanes::Packed(_, _, count) => *count,
        }
    }
}

/// Multiplies rows by lanes.
#[inline(always)]
pub(super) fn multiply<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    rows: Side<'_>,
    lanes: Lanes<'_>,
    k: usize,
    skip: Option<Skip<'_>>,
    target: &mut Target<'_, '_>,
    scratch: &mut [f32],
) {
    let blocking = Blocking::of(S::LEVEL);
    let Blocking { mc, nc, .. } = blocking;
    let (nr, kc) = (NV * LANES, blocking.depth_step(k));
    let (rows_len, _) = block_lens(&blocking, rows.count, lanes.count(), k);
    let (rows_scratch, lanes_scratch) = scratch.split_at_mut(rows_len);
    for jc in (0..lanes.count()).step_by(nc) {
        let cols = nc.min(lanes.count() - jc);
        // A product without depth still has an epilogue, so this loop runs at least once.
        for pc in (0..k.max(1)).step_by(kc) {
            let depth = kc.min(k - pc);
            target.finish.first = pc == 0;
            target.finish.last = pc + depth >= k;
            for ic in (0..rows.count).step_by(mc) {
                let count = mc.min(rows.count - ic);
                let rows_block = &mut rows_scratch[..count.next_multiple_of(MR) * depth];
                let block = rows.block(ic, count, pc, depth);
                pack(simd, rows.operand, block, MR, rows_block);
                for jr in (0..cols).step_by(nr) {
                    let panel = match lanes {
                        Lanes::Packed(panels, first, _) => {
                            panels.panel(nr, first + jc + jr, pc, depth)
                        }
                        Lanes::Loose(side) => {
                            // Packed just before their first use, panels are still near.
                            if ic == 0 && jr % (AT_ONCE * nr) == 0 {
                                let count = (AT_ONCE * nr).min(cols - jr);
                                let block = side.block(jc + jr, count, pc, depth);
                                let end = jr + count.next_multiple_of(nr);
                                let panels = &mut lanes_scratch[jr * depth..end * depth];
                                pack(simd, side.operand, block, nr, panels);
                            }
                            &lanes_scratch[jr * depth..(jr + nr) * depth]
                        }
                    };
                    for ir in (0..count).step_by(MR) {
                        let panels = (&rows_block[ir * depth..(ir + MR) * depth], panel);
                        let at = (ic + ir, jc + jr);
                        if tile::is_rest(MR, count - ir) {
                            let tile = sums::<S, MR, REST, NV>(simd, panels, pc, skip, target, at);
                            target.put(simd, &tile, at);
                        } else {
                            let tile = sums::<S, MR, MR, NV>(simd, panels, pc, skip, target, at);
                            target.put(simd, &tile, at);
                        }
                    }
                }
            }
        }
    }
}

/// The sums of a tile of `R` rows over the depths of its panels, which begin at depth `first`.
#[inline(always)]
fn sums<S: Simd, const MR: usize, const R: usize, const NV: usize>(
    simd: S,
    (rows, lanes): (&[f32], &[f32]),
    first: usize,
    skip: Option<Skip<'_>>,
    target: &Target<'_, '_>,
    at: (usize, usize),
) -> tile::Tile<S, R, NV> {
    let place = target.place(at);
    let mut sums = [[simd.splat(0.0); NV]; R];
    let Some(skip) = skip else {
        tile::multiply_packed::<S, MR, R, NV>(simd, &mut sums, rows, lanes, Some(&place));
        return sums;
    };
    let (tile_rows, tile_cols) = target.extent(at, (R, NV * LANES));
    let mut depths = first..first + rows.len() / MR;
    while !depths.is_empty() {
        let run = skip.next_run(&tile_rows, &tile_cols, depths.clone());
        depths.start = run.end;
        let (from, to) = (run.start - first, run.end - first);
        let rows = &rows[from * MR..to * MR];
        let lanes = &lanes[from * NV * LANES..to * NV * LANES];
        tile::multiply_packed::<S, MR, R, NV>(simd, &mut sums, rows, lanes, None);
    }
    sums
}
