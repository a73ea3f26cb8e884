//! Which path a product takes: a pure function of sizes and strides.
//!
//! A tile broadcasts the numbers of its *rows* and multiplies them by vectors of *lanes*. Rows may be those
//! of A, or columns of B, and then the tile holds a piece of C turned. Rows whose depth is contiguous
//! may be read where they lie. The bits of the result are the same on every path, so that threads may
//! choose each for its own part.

use super::blocking::Blocking;
use super::pack::Operand;
use crate::simd::LANES;

/// Multiply-adds in the time of packing one element, which moves 8 bytes to and from a cache.
const PACKING: usize = 24;

/// Multiply-adds in the time of turning one element of C as it is stored.
const TURNING: usize = 8;

/// Panels of lanes up to which rows are read where they lie. Every panel reads them again, and rows a
/// power of two apart evict each other from the first-level cache, which packed rows do not.
pub(super) const DIRECT_PANELS: usize = 8;

/// How a part of a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Both operands are packed; rows are those of A.
    Packed,
    /// Rows are those of A, read where they lie.
    Straight,
    /// Rows are columns of B, read where they lie.
    Turned,
}

/// The cheapest path for `m x n x k`, and whether one vector a row of a tile is enough.
pub(super) fn plan(
    blocking: &Blocking,
    (m, n, k): (usize, usize, usize),
    a: &Operand<'_>,
    b: &Operand<'_>,
) -> (Path, bool) {
    let a_lies = k > 0 && a.has_plain_contiguous_rows();
    let b_lies = k > 0 && b.transposed().has_plain_contiguous_rows();
    choose(blocking, (m, n, k), (a_lies, b_lies))
}

/// The same, with whether A and B may be read where they lie.
fn choose(
    blocking: &Blocking,
    (m, n, k): (usize, usize, usize),
    (a_lies, b_lies): (bool, bool),
) -> (Path, bool) {
    let steps = k.div_ceil(blocking.depth_step(k));
    let turning = [m, n, TURNING, steps]
        .iter()
        .fold(1, |x: usize, &y| x.saturating_mul(y));
    let mut best = (Path::Packed, n);
    let mut least = cost(blocking, (m, n, k), m.saturating_add(n));
    if a_lies && n <= DIRECT_PANELS * blocking.nr {
        let straight = cost(blocking, (m, n, k), n);
        if straight < least {
            (best, least) = ((Path::Straight, n), straight);
        }
    }
    if b_lies && m <= DIRECT_PANELS * blocking.nr {
        let turned = cost(blocking, (n, m, k), m).saturating_add(turning);
        if turned < least {
            best = (Path::Turned, m);
        }
    }
    (best.0, best.1 <= LANES)
}

/// The cost in multiply-adds of whole tiles, and of packing `packed` elements for each depth.
fn cost(blocking: &Blocking, (rows, lanes, k): (usize, usize, usize), packed: usize) -> usize {
    let width = if lanes <= LANES { LANES } else { blocking.nr };
    let lanes = lanes.div_ceil(width).saturating_mul(width);
    let rows = rows.div_ceil(blocking.mr).saturating_mul(blocking.mr);
    let packing = packed.saturating_mul(PACKING);
    rows.saturating_mul(lanes)
        .saturating_add(packing)
        .saturating_mul(k)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;

    const BOTH: (bool, bool) = (true, true);

    fn choice(sizes: (usize, usize, usize), lie: (bool, bool)) -> (Path, bool) {
        choose(&Blocking::of(Level::Avx512), sizes, lie)
    }

    #[test]
    fn small_batches_read_the_weights_where_they_lie() {
        assert_eq!(choice((1, 1024, 1024), BOTH), (Path::Turned, true));
        assert_eq!(choice((16, 1024, 1024), BOTH), (Path::Turned, true));
        assert_eq!(choice((64, 512, 512), BOTH), (Path::Turned, false));
        assert_eq!(choice((128, 2048, 784), BOTH), (Path::Turned, false));
    }

    #[test]
    fn few_outputs_read_the_batch_where_it_lies() {
        assert_eq!(choice((128, 10, 1024), BOTH), (Path::Straight, true));
        assert_eq!(choice((1024, 1, 1024), BOTH), (Path::Straight, true));
    }

    #[test]
    fn large_products_and_other_strides_are_packed() {
        assert_eq!(choice((2048, 2048, 2048), BOTH), (Path::Packed, false));
        assert_eq!(
            choice((64, 512, 512), (false, false)),
            (Path::Packed, false)
        );
        assert_eq!(choice((16, 16, 0), (false, false)), (Path::Packed, true));
        assert_eq!(
            choice((usize::MAX, usize::MAX, 2), BOTH),
            (Path::Packed, false)
        );
    }
}
