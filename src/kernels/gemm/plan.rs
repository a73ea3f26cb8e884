//! Which way round a product is computed: a pure function of sizes and strides.
//!
//! A tile broadcasts the numbers of one operand and loads vectors of the other. Either operand of a product
//! may be the broadcast one; if it is B, the tile holds a piece of C transposed and is turned as it is
//! stored. The broadcast operand may be read where it lies if its depth is contiguous. The bits of the
//! result are the same whatever the choice, so that threads may choose each for its own part.

use super::blocking::Blocking;
use super::pack::Operand;
use crate::simd::LANES;

/// Multiply-adds in the time of packing one element: it moves 8 bytes, a multiply-add of a tile none.
const PACKING: usize = 24;

/// Multiply-adds in the time of turning one element of C as it is stored.
const TURNING: usize = 8;

/// Panels of vectors up to which rows are broadcast from where they lie. Each panel reads them again, and
/// rows a power of two apart evict each other from the first-level cache, which packed panels do not.
const DIRECT_PANELS: usize = 8;

/// How a part of a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// B is broadcast, and tiles are turned as they are stored.
    pub(super) turned: bool,
    /// The broadcast operand is read where it lies.
    pub(super) direct: bool,
    /// Tiles are one vector wide.
    pub(super) narrow: bool,
}

/// The cheaper of both ways for `m x n x k`.
pub(super) fn plan(
    blocking: &Blocking,
    (m, n, k): (usize, usize, usize),
    a: &Operand<'_>,
    b: &Operand<'_>,
) -> Plan {
    let a_rows = k > 0 && a.has_contiguous_rows_without_bits();
    let b_rows = k > 0 && b.transposed().has_contiguous_rows_without_bits();
    let straight = Way::new(blocking, (m, n), a_rows);
    let turned = Way::new(blocking, (n, m), b_rows);
    let turning = m.saturating_mul(n).saturating_mul(TURNING);
    let chunks = k.div_ceil(blocking.kc);
    let turns = turned.direct
        && turned
            .cost(k)
            .saturating_add(turning.saturating_mul(chunks))
            < straight.cost(k);
    let way = if turns { turned } else { straight };
    Plan {
        turned: turns,
        direct: way.direct,
        narrow: way.narrow,
    }
}

/// One way round: `rows` are broadcast, `lanes` make vectors.
struct Way {
    rows: usize,
    lanes: usize,
    /// `rows` and `lanes` in whole tiles.
    padded: (usize, usize),
    direct: bool,
    narrow: bool,
}

impl Way {
    fn new(blocking: &Blocking, (rows, lanes): (usize, usize), contiguous: bool) -> Self {
        let narrow = lanes <= LANES;
        let width = if narrow { LANES } else { blocking.nr };
        Self {
            rows,
            lanes,
            padded: (
                rows.next_multiple_of(blocking.mr),
                lanes.next_multiple_of(width),
            ),
            direct: contiguous && lanes <= DIRECT_PANELS * width,
            narrow,
        }
    }

    /// In multiply-adds.
    fn cost(&self, k: usize) -> usize {
        let sums = self.padded.0.saturating_mul(self.padded.1);
        let packed = self.lanes + if self.direct { 0 } else { self.rows };
        sums.saturating_add(packed.saturating_mul(PACKING))
            .saturating_mul(k)
    }
}
