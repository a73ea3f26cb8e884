//! Sharing a matrix product among threads: C is halved, along rows or columns, until each thread has a
//! part, and each part is a product of its own.

use rayon::prelude::*;

use crate::exec::scratch::with_scratch;
use crate::kernels::gemm::{
    Blocking, Operand, Output, Product, Right, Skip, TileEpilogue, scratch_len,
};
use crate::kernels::keep::ColumnSums;
use crate::simd::{Isa, dispatch};

/// Multiply-adds that are worth a thread: some 3 microseconds of AVX-512, against one or two for handing
/// the work over.
pub(super) const GRAIN: usize = 1 << 18;

/// A product to share.
pub(crate) struct Job<'a, 'm> {
    /// Rows of C by depth.
    pub(crate) a: Operand<'a>,
    /// Depth by columns of C.
    pub(crate) b: Right<'a>,
    /// Columns of A and rows of B.
    pub(crate) depth: usize,
    /// What is written.
    pub(crate) output: Output<'m>,
    /// What happens to the sums.
    pub(crate) epilogue: TileEpilogue<'a>,
    /// Blocks that are left out.
    pub(crate) skip: Option<Skip<'a>>,
}

/// Where to cut a part of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Rows(usize),
    Cols(usize),
}

/// How many threads a product of `m x n x k` is worth.
fn threads_for(m: usize, n: usize, k: usize, available: usize) -> usize {
    let work = m.saturating_mul(n).saturating_mul(k);
    available.min(work / GRAIN).max(1)
}

/// Where to cut `m x n` elements so that `left` of `threads` threads get the first part. The longer side
/// is cut, since both parts then pack the shorter operand twice; the cut falls between tiles.
fn cut(m: usize, n: usize, blocking: &Blocking, left: usize, threads: usize) -> Option<Cut> {
    let at = |len: usize, tile: usize| {
        let tiles = len.div_ceil(tile);
        (tiles * left).div_ceil(threads) * tile
    };
    let (rows, cols) = (at(m, blocking.mr), at(n, blocking.nr));
    match (rows < m, cols < n) {
        (true, true) if m >= n => Some(Cut::Rows(rows)),
        (_, true) => Some(Cut::Cols(cols)),
        (true, false) => Some(Cut::Rows(rows)),
        (false, false) => None,
    }
}

/// Computes the product on the ambient threads.
pub(crate) fn product(isa: Isa, job: Job<'_, '_>) {
    let (m, n) = (job.output.c.rows(), job.output.c.cols());
    let threads = threads_for(m, n, job.depth, rayon::current_num_threads());
    share(isa, job, (0, 0), threads);
}

/// Computes the product on the caller's thread.
pub(super) fn product_alone(isa: Isa, job: Job<'_, '_>) {
    alone(isa, job, (0, 0));
}

fn share(isa: Isa, job: Job<'_, '_>, origin: (usize, usize), threads: usize) {
    let (m, n) = (job.output.c.rows(), job.output.c.cols());
    let left = threads / 2;
    let place = match left {
        0 => None,
        _ => cut(m, n, &Blocking::of(isa.level()), left, threads),
    };
    let Some(place) = place else {
        return alone(isa, job, origin);
    };
    let Job {
        a,
        b,
        depth,
        output,
        epilogue,
        skip,
    } = job;
    let (first, second) = match place {
        Cut::Rows(at) => output.split_rows(at),
        Cut::Cols(at) => output.split_cols(at),
    };
    let next = match place {
        Cut::Rows(at) => (origin.0 + at, origin.1),
        Cut::Cols(at) => (origin.0, origin.1 + at),
    };
    let part = |output| Job {
        a,
        b,
        depth,
        output,
        epilogue,
        skip,
    };
    rayon::join(
        || share(isa, part(first), origin, left),
        || share(isa, part(second), next, threads - left),
    );
}

fn alone(isa: Isa, job: Job<'_, '_>, origin: (usize, usize)) {
    let Job {
        a,
        b,
        depth,
        output,
        epilogue,
        skip,
    } = job;
    let (m, n) = (output.c.rows(), output.c.cols());
    let scratch_len = scratch_len(&Blocking::of(isa.level()), m, n, depth);
    with_scratch(scratch_len, |scratch| {
        dispatch(
            isa,
            Product {
                a,
                b,
                depth,
                output,
                origin,
                epilogue,
                skip,
                scratch,
            },
        );
    });
}

/// Columns that one task sums.
const SUMMED_COLS: usize = 256;

/// Sums the columns of a selected and scaled matrix of `rows` rows into `out`.
pub(crate) fn column_sums(isa: Isa, operand: Operand<'_>, rows: usize, out: &mut [f32]) {
    let sums = |(i, out): (usize, &mut [f32])| {
        dispatch(
            isa,
            ColumnSums {
                operand,
                rows,
                first_col: i * SUMMED_COLS,
                out,
            },
        );
    };
    if rows.saturating_mul(out.len()) < 2 * GRAIN {
        return out.chunks_mut(SUMMED_COLS).enumerate().for_each(sums);
    }
    out.par_chunks_mut(SUMMED_COLS).enumerate().for_each(sums);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;

    #[test]
    fn cuts_fall_between_tiles_and_are_fair() {
        let blocking = Blocking::of(Level::Avx512);
        assert_eq!(cut(1024, 1024, &blocking, 1, 2), Some(Cut::Rows(37 * 14)));
        assert_eq!(cut(64, 1024, &blocking, 1, 2), Some(Cut::Cols(512)));
        assert_eq!(cut(64, 1024, &blocking, 1, 3), Some(Cut::Cols(352)));
        assert_eq!(cut(14, 32, &blocking, 1, 2), None);
        assert_eq!(cut(28, 32, &blocking, 1, 2), Some(Cut::Rows(14)));
    }

    #[test]
    fn small_products_stay_on_one_thread() {
        assert_eq!(threads_for(64, 64, 64, 64), 1);
        assert_eq!(threads_for(64, 64, 128, 64), 2);
        assert_eq!(threads_for(usize::MAX, usize::MAX, 2, 64), 64);
        assert_eq!(threads_for(0, 10, 10, 8), 1);
    }
}
