//! Structured masks: which blocks of a product need not be computed.
//!
//! Skipping is only ever a saving. Packing or the epilogue applies the bits of the same mask to every
//! element, so that a tile that overlaps a kept block is right however the blocks lie.

use std::ops::Range;

/// The two axes of a product that a mask's blocks lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plane {
    /// A is masked: rows of C and depth.
    RowsDepth,
    /// B is masked: depth and columns of C.
    DepthCols,
    /// C is masked.
    RowsCols,
}

/// A mask of blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skip<'a> {
    pub(crate) plane: Plane,
    /// A bit for each block in row-major order, 1 = kept.
    pub(crate) kept: &'a [u64],
    /// Blocks in a row of blocks.
    pub(crate) per_row: usize,
    /// Elements of a block on the first and on the second axis of the plane.
    pub(crate) block: (usize, usize),
}

impl Skip<'_> {
    /// Whether a rectangle of the plane touches a kept block.
    #[inline(always)]
    fn touches(&self, first: &Range<usize>, second: &Range<usize>) -> bool {
        for i in first.start / self.block.0..first.end.div_ceil(self.block.0) {
            for j in second.start / self.block.1..second.end.div_ceil(self.block.1) {
                let at = i * self.per_row + j;
                if self.kept[at / 64] >> (at % 64) & 1 == 1 {
                    return true;
                }
            }
        }
        false
    }

    /// The first run of depths in `depths` that has to be added for the tile of `rows` and `cols`.
    #[inline(always)]
    pub(super) fn next_run(
        &self,
        rows: &Range<usize>,
        cols: &Range<usize>,
        depths: Range<usize>,
    ) -> Range<usize> {
        let block = match self.plane {
            Plane::RowsDepth => self.block.1,
            Plane::DepthCols => self.block.0,
            Plane::RowsCols => {
                let start = if self.touches(rows, cols) {
                    depths.start
                } else {
                    depths.end
                };
                return start..depths.end;
            }
        };
        let mut run = depths.start..depths.start;
        while run.end < depths.end {
            let next = (run.end / block + 1) * block;
            let piece = run.end..next.min(depths.end);
            let kept = match self.plane {
                Plane::RowsDepth => self.touches(rows, &piece),
                _ => self.touches(&piece, cols),
            };
            match (kept, run.is_empty()) {
                (true, _) => run.end = piece.end,
                (false, true) => run = piece.end..piece.end,
                (false, false) => break,
            }
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_what_is_kept() {
        // Rows 0..4: blocks 0 and 1 kept, 2 dropped, 3 kept; rows 4..8: none.
        let skip = Skip {
            plane: Plane::RowsDepth,
            kept: &[0b0000_1011],
            per_row: 4,
            block: (4, 10),
        };
        let next = |rows: Range<usize>, depths| skip.next_run(&rows, &(0..1), depths);
        assert_eq!(next(0..2, 0..40), 0..20);
        assert_eq!(next(0..2, 20..40), 30..40);
        assert_eq!(next(0..2, 5..33), 5..20);
        assert_eq!(next(4..8, 0..40), 40..40);
        assert_eq!(next(3..5, 30..35), 30..35);
        let columns = Skip {
            plane: Plane::DepthCols,
            block: (4, 10),
            ..skip
        };
        assert_eq!(columns.next_run(&(0..1), &(0..10), 0..8), 0..4);
        assert!(columns.next_run(&(0..1), &(20..30), 0..8).is_empty());
        let both = Skip {
            plane: Plane::RowsCols,
            ..skip
        };
        assert_eq!(both.next_run(&(0..4), &(15..25), 7..9), 7..9);
        assert!(both.next_run(&(4..8), &(15..25), 7..9).is_empty());
    }
}
