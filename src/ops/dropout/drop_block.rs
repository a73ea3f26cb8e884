//! `DropBlock`: blocks of a map.

use super::blocks::Blocks;
use super::draw::{check_end, stream};
use super::shared::select_shared_into;
use crate::dropout::{DropBlock, Dropout};
use crate::error::Result;
use crate::exec::current_isa;
use crate::mask::{Mask, SharedMask};
use crate::ops::check::check_shape;
use crate::tensor::{Tensor, View, ViewMut};

impl SharedMask {
    /// The mask of `DropBlock` for a tensor of that shape, with the dropout's key, probability and offset.
    ///
    /// Seed i, in row-major order of [`seed_shape`](DropBlock::seed_shape), is there if the dropout of probability
    /// [`gamma`](DropBlock::gamma) with this key drops element i. The factor of a kept element is the number of elements over the number of kept ones, or 1 if nothing is kept; the dropout's own scale and form are
    /// not used.
    ///
    /// ```
    /// use elision::{DropBlock, Dropout, Key, SharedMask};
    /// let dropout = Dropout::new(Key::new(1), 0.2)?;
    /// let mask = SharedMask::draw_blocks(&DropBlock::new(3)?, &dropout, &[8, 10, 10, 4])?;
    /// assert!(mask.scale() > 1.1 && mask.scale() < 1.3);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`DropBlock::noise_shape`]; [`Error::Overflow`](crate::Error::Overflow) if there are too many elements, or the dropout's offset
    /// plus their number does not fit 64 bits.
    pub fn draw_blocks(block: &DropBlock, dropout: &Dropout, shape: &[usize]) -> Result<Self> {
        let noise_shape = block.noise_shape(shape)?;
        let gamma = block.gamma(dropout.p(), shape)?;
        let seeds = Dropout::new(dropout.key(), gamma)?.with_offset(dropout.offset());
        check_end(&seeds, block.seed_shape(shape)?.count()?)?;
        let mut mask = Mask::try_none(noise_shape.count()?)?;
        let kept = match mask.is_empty() {
            true => 0,
            false => {
                Blocks::new(block, &noise_shape)?.draw(current_isa()?, stream(&seeds), &mut mask)
            }
        };
        let scale = match kept {
            0 => 1.0,
            kept => (mask.len() as f64 / kept as f64) as f32,
        };
        Ok(Self::over(mask, noise_shape, scale))
    }
}

/// `DropBlock` in training: the output, and the mask with which [`select_shared_into`](super::select_shared_into) makes
/// the gradient. The factor of a kept element depends on the mask alone, so it is a constant there.
///
/// ```
/// use elision::{DropBlock, Dropout, Key, Tensor, ops};
/// let x = Tensor::full(&[4, 14, 14, 8], 1.0)?;
/// let (y, mask) = ops::drop_block(&x, &DropBlock::new(7)?.coupled(), &Dropout::new(Key::new(1), 0.1)?)?;
/// assert_eq!(mask.noise_shape(), [4, 14, 14, 1]);
/// assert!(y.as_slice().iter().all(|&y| y == 0.0 || y == mask.scale()));
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`SharedMask::draw_blocks`].
pub fn drop_block<'a>(
    x: impl Into<View<'a>>,
    block: &DropBlock,
    dropout: &Dropout,
) -> Result<(Tensor, SharedMask)> {
    let x = x.into();
    block.noise_shape(x.shape())?;
    let mut out = Tensor::zeros(x.shape())?;
    let mask = drop_block_into(x, block, dropout, &mut out)?;
    Ok((out, mask))
}

/// [`drop_block`], written to `out`. Returns the mask.
///
/// # Errors
/// Those of [`drop_block`]; [`Error::Shape`](crate::Error::Shape) if `out` has another shape than `x`.
pub fn drop_block_into<'a, 'b>(
    x: impl Into<View<'a>>,
    block: &DropBlock,
    dropout: &Dropout,
    out: impl Into<ViewMut<'b>>,
) -> Result<SharedMask> {
    let (x, out) = (x.into(), out.into());
    check_shape("output of DropBlock", x.shape(), out.shape())?;
    let mask = SharedMask::draw_blocks(block, dropout, x.shape())?;
    select_shared_into(x, mask.noise_shape(), mask.mask(), mask.scale(), out)?;
    Ok(mask)
}
