//! Tile and block sizes: one table, each number with its argument.

use crate::simd::{LANES, Level};

/// The sizes of the five loops for one instruction set, in elements.
///
/// The names are those of the BLIS papers (Van Zee and van de Geijn 2015).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// Rows of a tile.
    pub mr: usize,
    /// Columns of a tile.
    pub nr: usize,
    /// Depth of a packed panel, at most.
    pub kc: usize,
    /// Rows of a packed block of A.
    pub mc: usize,
    /// Columns of a packed block of B.
    pub nc: usize,
}

impl Blocking {
    /// The depth of the panels of a product: `kc` at most, in equal steps, so that no short last step pays
    /// for a visit of all of C.
    #[must_use]
    pub(crate) const fn depth_step(&self, k: usize) -> usize {
        if k == 0 {
            return 1;
        }
        k.div_ceil(k.div_ceil(self.kc)).next_multiple_of(LANES)
    }

    /// The sizes that the kernels of that level use.
    #[must_use]
    pub const fn of(level: Level) -> Self {
        match level {
            // 32 registers: 28 accumulators, 2 vectors of B, and A broadcast from memory. Panels of A (56 KiB)
            // and of B (128 KiB) are longer than the 48 KiB first-level cache: they stream from the 2 MiB
            // second level, asked for ahead, at 184 bytes for 28 multiply-adds of 14 cycles. So kc may be
            // large, and C is visited seldom. A's block (560 KiB) leaves that cache room for the panel of B
            // and for C; B's block is read from the third.
            Level::Avx512 => Self {
                mr: 14,
                nr: 32,
                kc: 1024,
                mc: 14 * 10,
                nc: 2048,
            },
            // 16 registers: 12 accumulators, 2 of B and 2 of A broadcast. The panel of B (24 KiB) stays in a 32 KiB
            // first-level cache, and those of A (9 KiB) stream past it from the second level, of which their block
            // takes 144 KiB: a 256 KiB one has room for it.
            Level::Avx2 => Self {
                mr: 6,
                nr: 16,
                kc: 384,
                mc: 6 * 16,
                nc: 2048,
            },
            // 16 registers of 4 lanes (SSE2): 8 accumulators, 4 of B, 1 of A broadcast.
            Level::Scalar | Level::Portable => Self {
                mr: 2,
                nr: 16,
                kc: 256,
                mc: 2 * 64,
                nc: 1024,
            },
        }
    }
}
