//! Masks whose elements share their fate with those of a block.

use super::Mask;
use crate::error::{Error, Result};

/// A mask over a matrix whose decisions are made for whole blocks of rows by columns.
///
/// A product whose operand is masked so leaves out the blocks that are dropped
/// ([`BlockMask::over`]). Blocks of any size give the right result; time is saved where no tile of the
/// product overlaps a kept block, so choose multiples of 42 rows and 32 columns, which are whole tiles on
/// every instruction set, or much larger blocks. Blocks at the edges may be smaller.
///
/// It holds a bit for each element and one for each block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockMask {
    shape: [usize; 2],
    block: [usize; 2],
    blocks: Mask,
    elements: Mask,
    scale: f32,
}

impl BlockMask {
    /// A mask over `shape` from one bit for each block of `block` elements, in row-major order of the
    /// blocks; kept elements are multiplied by `scale`.
    ///
    /// # Errors
    /// [`Error::Empty`] if a block has no elements, [`Error::Length`] if there is not one bit for each
    /// block, [`Error::Number`] if the scale is not finite, [`Error::Overflow`] if the elements cannot be
    /// counted.
    pub fn new(blocks: Mask, shape: [usize; 2], block: [usize; 2], scale: f32) -> Result<Self> {
        let count = Self::count(shape, block)?;
        if blocks.len() != count {
            return Err(Error::Length {
                what: "mask of blocks",
                expected: count,
                found: blocks.len(),
            });
        }
        if !scale.is_finite() {
            return Err(Error::Number {
                what: "scale of a mask of blocks",
                value: scale.into(),
            });
        }
        let elements = expand(&blocks, shape, block);
        Ok(Self {
            shape,
            block,
            blocks,
            elements,
            scale,
        })
    }

    /// How many blocks cover a shape.
    ///
    /// # Errors
    /// [`Error::Empty`] if a block has no elements, [`Error::Overflow`] if the elements cannot be counted.
    pub fn count(shape: [usize; 2], block: [usize; 2]) -> Result<usize> {
        if block.contains(&0) {
            return Err(Error::Empty("a block of a mask"));
        }
        let elements = shape[0].checked_mul(shape[1]);
        elements.ok_or(Error::Overflow("mask of blocks"))?;
        Ok(shape[0].div_ceil(block[0]) * shape[1].div_ceil(block[1]))
    }

    /// Rows and columns of the masked matrix.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Rows and columns of a block.
    #[must_use]
    pub fn block(&self) -> [usize; 2] {
        self.block
    }

    /// A bit for each block, in row-major order.
    #[must_use]
    pub fn blocks(&self) -> &Mask {
        &self.blocks
    }

    /// A bit for each element, in row-major order.
    #[must_use]
    pub fn elements(&self) -> &Mask {
        &self.elements
    }

    /// The factor of a kept element.
    #[must_use]
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The memory of its bits.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.blocks.as_words()) + size_of_val(self.elements.as_words())
    }
}

/// One bit an element from one bit a block.
fn expand(blocks: &Mask, shape: [usize; 2], block: [usize; 2]) -> Mask {
    let per_row = shape[1].div_ceil(block[1]);
    let mut elements = Mask::none(shape[0] * shape[1]);
    let words = elements.words_mut();
    for kept in blocks.kept() {
        let rows = kept / per_row * block[0]..shape[0].min((kept / per_row + 1) * block[0]);
        let cols = kept % per_row * block[1]..shape[1].min((kept % per_row + 1) * block[1]);
        for row in rows {
            set(words, row * shape[1] + cols.start, cols.len());
        }
    }
    elements
}

/// Sets `len` bits from bit `start` on.
fn set(words: &mut [u64], start: usize, len: usize) {
    let mut at = start;
    while at < start + len {
        let count = (64 - at % 64).min(start + len - at);
        words[at / 64] |= (!0 >> (64 - count)) << (at % 64);
        at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_has_the_fate_of_its_block() {
        for (shape, block) in [
            ([5, 200], [2, 70]),
            ([1, 1], [4, 4]),
            ([7, 64], [7, 64]),
            ([0, 3], [1, 1]),
        ] {
            let count = BlockMask::count(shape, block).unwrap();
            let kept: Vec<bool> = (0..count).map(|i| i % 3 != 1).collect();
            let mask = BlockMask::new(Mask::from_bools(&kept), shape, block, 2.0).unwrap();
            let per_row = shape[1].div_ceil(block[1]);
            for (i, found) in mask.elements().to_bools().into_iter().enumerate() {
                let (row, col) = (i / shape[1] / block[0], i % shape[1] / block[1]);
                assert_eq!(found, kept[row * per_row + col], "{shape:?} {block:?} {i}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let new = |bits, shape, block, scale| BlockMask::new(Mask::all(bits), shape, block, scale);
        assert!(new(1, [2, 2], [2, 2], 1.0).is_ok());
        assert!(matches!(
            new(2, [2, 2], [2, 2], 1.0),
            Err(Error::Length { .. })
        ));
        assert!(matches!(new(1, [2, 2], [0, 2], 1.0), Err(Error::Empty(_))));
        assert!(matches!(
            new(1, [2, 2], [2, 2], f32::NAN),
            Err(Error::Number { .. })
        ));
        assert!(matches!(
            new(1, [usize::MAX, 2], [1, 1], 1.0),
            Err(Error::Overflow(_))
        ));
    }
}
