//! A matrix times a vector: 16 rows at a time, turned in registers, so that each element of the matrix is
//! read once, in order, and a lane adds the products of its row as a tile would.

use crate::simd::{LANES, Simd};

use super::Side;
use super::blocking::Blocking;
use super::epilogue::Target;
use super::plan::Path;

/// Elements that a row is asked for ahead of its use.
const AHEAD: usize = 32;

/// Multiplies rows, read where they lie, by the one lane.
#[inline(always)]
pub(super) fn multiply<S: Simd>(
    simd: S,
    (rows, lane): (Side<'_>, Side<'_>),
    k: usize,
    path: Path,
    target: &mut Target<'_, '_>,
    scratch: &mut [f32],
) {
    let kc = Blocking::of(S::LEVEL).depth_step(k);
    for pc in (0..k).step_by(kc) {
        let depth = kc.min(k - pc);
        target.finish.first = pc == 0;
        target.finish.last = pc + depth == k;
        let vector = &mut scratch[..depth];
        for d in (0..depth).step_by(LANES) {
            let count = LANES.min(depth - d);
            let x = lane.operand.neighbours(simd, lane.first, pc + d, count);
            simd.store_up_to(x, &mut vector[d..d + count]);
        }
        for start in (0..rows.count).step_by(LANES) {
            let count = LANES.min(rows.count - start);
            let block = rows.block(start, count, pc, depth);
            let sums = sum_rows(simd, rows.operand.rows(&block, 0), vector);
            if path == Path::Turned {
                target.put_vector(simd, sums, 0, start..start + count);
                continue;
            }
            for (i, &sum) in simd.to_array(sums).iter().enumerate().take(count) {
                target.put_vector(simd, simd.splat(sum), start + i, 0..1);
            }
        }
    }
}

/// The sums of 16 rows.
#[inline(always)]
fn sum_rows<S: Simd>(simd: S, rows: [&[f32]; LANES], vector: &[f32]) -> S::F32 {
    let mut sums = simd.splat(0.0);
    let (blocks, rest) = vector.as_chunks::<LANES>();
    let mut chunks = [&[][..]; LANES];
    for i in 0..LANES {
        chunks[i] = &rows[i].as_chunks::<LANES>().0[..blocks.len()];
    }
    for (c, x) in (0..blocks.len()).zip(blocks) {
        let mut block = [simd.splat(0.0); LANES];
        for i in 0..LANES {
            let row = &chunks[i][c];
            simd.prefetch(row.as_ptr().wrapping_add(AHEAD));
            block[i] = simd.load(row);
        }
        sums = add_products(simd, sums, block, x);
    }
    if !rest.is_empty() {
        let mut block = [simd.splat(0.0); LANES];
        for i in 0..LANES {
            block[i] = simd.load_up_to(&rows[i][vector.len() - rest.len()..]);
        }
        sums = add_products(simd, sums, block, rest);
    }
    sums
}

/// Adds the products of up to 16 depths, in their order.
#[inline(always)]
fn add_products<S: Simd>(simd: S, mut sums: S::F32, block: [S::F32; LANES], x: &[f32]) -> S::F32 {
    let columns = simd.transpose(block);
    for (&x, &column) in x.iter().zip(&columns) {
        sums = simd.mul_add(simd.splat(x), column, sums);
    }
    sums
}
