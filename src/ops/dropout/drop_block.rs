//! `DropBlock`: blocks of a map, grown from seeds by shifts of packed bits.
//!
//! A seed stands at the corner of its block. Seeds lie only where a whole block fits, so a block never leaves its row,
//! and the maps of a whole batch are one string of bits: a block grows along an axis by shifts over the axis's stride,
//! twice as far each time.

use super::shared::select_shared_into;
use crate::dropout::{DropBlock, Dropout};
use crate::error::Result;
use crate::exec::{current_isa, for_each_chunk};
use crate::kernels::dilate::{NotAnd, NotCount, ShiftOr};
use crate::mask::{Broadcast, Mask, SharedMask};
use crate::ops::check::check_shape;
use crate::simd::{Isa, dispatch};
use crate::tensor::{Dims, Tensor, View, ViewMut};

/// Cost of a word of 64 bits against an element of a scaled copy.
const WORD_WEIGHT: usize = 1;

impl SharedMask {
    /// The mask of `DropBlock` for a tensor of that shape, with the dropout's key, probability and offset.
    ///
    /// Seed i is element i of [`noise_shape`](DropBlock::noise_shape), and is there if the dropout of probability
    /// [`gamma`](DropBlock::gamma) with this key drops it and a whole block fits. The factor of a kept element is the
    /// number of elements over the number of kept ones, or 1 if nothing is kept; the dropout's own scale and form are
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
        let mut mask = Mask::draw(&seeds, noise_shape.count()?)?;
        let kept = if block.block() == 1 || gamma == 0.0 {
            mask.count_kept()
        } else {
            grow(block, &noise_shape, &mut mask)?
        };
        let scale = match kept {
            0 => 1.0,
            kept => (mask.len() as f64 / kept as f64) as f32,
        };
        Ok(Self::over(mask, noise_shape, scale))
    }
}

/// Makes the mask of blocks of that of seeds, whose bit is 0 where a seed was drawn. Returns how many elements are kept.
fn grow(block: &DropBlock, noise_shape: &Dims, mask: &mut Mask) -> Result<usize> {
    let isa = current_isa()?;
    let axes = block.spatial(noise_shape)?;
    let mut room = mask.clone();
    sow(isa, block, noise_shape, mask, &mut room)?;
    let (mut from, to) = (room, mask);
    for axis in axes {
        let stride: usize = noise_shape[axis + 1..].iter().product();
        let mut width = 1;
        while width < block.block() {
            let more = width.min(block.block() - width);
            shift_or(isa, &from, to, more * stride);
            std::mem::swap(&mut from, to);
            width += more;
        }
    }
    std::mem::swap(&mut from, to);
    let past_end = 64 * to.as_words().len() - to.len();
    let ones = dispatch(isa, NotCount(to.words_mut()));
    to.clear_tail();
    Ok(ones - past_end)
}

/// Sets the bits of `seeds` where `kept` has a 0 and a whole block fits.
fn sow(
    isa: Isa,
    block: &DropBlock,
    noise_shape: &Dims,
    kept: &Mask,
    seeds: &mut Mask,
) -> Result<()> {
    let (map, valid) = corners(block, noise_shape)?;
    let places = Broadcast::new(&map, noise_shape)?;
    let elements = kept.len();
    for_each_chunk(seeds.words_mut(), WORD_WEIGHT, |first, dst| {
        let n = (64 * dst.len()).min(elements - 64 * first);
        places.write(valid.as_words(), 64 * first, n, dst);
        let src = &kept.as_words()[first..first + dst.len()];
        dispatch(isa, NotAnd { src, dst });
    });
    Ok(())
}

/// Where a block can begin, for one map, and the shape of this.
fn corners(block: &DropBlock, noise_shape: &Dims) -> Result<(Dims, Mask)> {
    let axes = block.spatial(noise_shape)?;
    let mut map = *noise_shape;
    for (axis, size) in map.iter_mut().enumerate() {
        if !axes.contains(&axis) {
            *size = 1;
        }
    }
    let fits = |mut place: usize| {
        map.iter().rev().all(|&n| {
            let at = place % n;
            place /= n;
            n == 1 || at + block.block() <= n
        })
    };
    let valid: Vec<bool> = (0..map.count()?).map(fits).collect();
    Ok((map, Mask::from_bools(&valid)))
}

fn shift_or(isa: Isa, from: &Mask, to: &mut Mask, shift: usize) {
    let src = from.as_words();
    for_each_chunk(to.words_mut(), WORD_WEIGHT, |first, dst| {
        dispatch(
            isa,
            ShiftOr {
                src,
                dst,
                first,
                shift,
            },
        );
    });
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
