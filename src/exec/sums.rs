//! Sums over the rows of a matrix.

use std::ops::Range;

use rayon::prelude::*;

use super::scratch::with_f64_scratch;
use crate::error::Result;

/// Elements of a block of rows, which is a task.
const BLOCK: usize = 32_768;
/// Fewest rows of a block: the sums of all blocks then take an eighth of the memory of the matrix.
const LEAST_ROWS: usize = 32;

/// Calls `add(rows, sums)` for blocks of the rows of a matrix of `n` columns, with `width` sums that begin as
/// zero; then `finish` with those of all rows.
///
/// The blocks depend on the shape alone and are added in order, so the number of threads changes no bit.
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if there are too many sums.
pub(crate) fn sum_over_rows<R>(
    (rows, n): (usize, usize),
    width: usize,
    add: impl Fn(Range<usize>, &mut [f64]) + Sync,
    finish: impl FnOnce(&[f64]) -> R,
) -> Result<R> {
    let step = (BLOCK / n.max(1)).max(LEAST_ROWS);
    let blocks = rows.div_ceil(step).max(1);
    with_f64_scratch("sums over rows", blocks.saturating_mul(width), |scratch| {
        scratch.fill(0.0);
        let block = |(i, sums): (usize, &mut [f64])| {
            add(i * step..rows.min((i + 1) * step), sums);
        };
        if blocks == 1 {
            block((0, &mut *scratch));
        } else {
            let parts = scratch.par_chunks_mut(width.max(1)).enumerate();
            parts.for_each(block);
        }
        let (total, rest) = scratch.split_at_mut(width);
        for part in rest.chunks_exact(width.max(1)) {
            for (total, part) in total.iter_mut().zip(part) {
                *total += part;
            }
        }
        finish(total)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_added_once() {
        for (rows, n) in [(0, 3), (1, 1), (40_000, 2), (33, 100_000), (5, 0)] {
            let sum = sum_over_rows(
                (rows, n),
                2,
                |rows, sums| {
                    sums[0] += rows.len() as f64;
                    sums[1] += rows.sum::<usize>() as f64;
                },
                |sums| (sums[0] as usize, sums[1] as usize),
            );
            assert_eq!(sum, Ok((rows, rows * rows.saturating_sub(1) / 2)));
        }
    }
}
