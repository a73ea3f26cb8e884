//! `DropBlock`: squares of a map instead of elements.

use std::ops::Range;

use super::{Channels, check_probability};
use crate::error::{Error, Result, check_number};
use crate::tensor::Dims;

/// The geometry of `DropBlock` (Ghiasi, Lin and Le 2018, <https://arxiv.org/abs/1810.12890>): squares, or cubes, of a map
/// of features are dropped whole, because what one element tells its neighbours tell as well.
///
/// A seed is drawn at each place where a whole block fits, with probability [`gamma`](DropBlock::gamma); each seed drops
/// the block that begins there, and blocks may overlap. Kept elements are multiplied by the number of elements over the
/// number of kept ones. A block of 1 is dropout of elements; one as large as the map drops maps whole.
///
/// The maps are those of `[samples, …, channels]` or `[samples, channels, …]` with one, two or three spatial axes, or
/// more. Blocks of even size are as good as odd ones. The paper uses blocks of 7 and ramps p up from 0 during training;
/// as we recall it, it also finds masks of their own for each channel better than common ones, so these are the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DropBlock {
    block: usize,
    coupled: bool,
    channels: Channels,
}

impl DropBlock {
    /// Blocks of that size along each spatial axis, drawn for each channel, channels last.
    ///
    /// # Errors
    /// [`Error::Number`] if the block is empty.
    pub fn new(block: usize) -> Result<Self> {
        check_number("block of DropBlock (at least 1)", block as f64, block > 0)?;
        Ok(Self {
            block,
            coupled: false,
            channels: Channels::Last,
        })
    }

    /// The same blocks in all channels of a sample.
    #[must_use]
    pub const fn coupled(self) -> Self {
        Self {
            coupled: true,
            ..self
        }
    }

    /// The same for tensors whose channels are there.
    #[must_use]
    pub const fn with_channels(self, channels: Channels) -> Self {
        Self { channels, ..self }
    }

    /// The size of a block along each spatial axis.
    #[must_use]
    pub const fn block(&self) -> usize {
        self.block
    }

    /// Whether all channels of a sample have the same blocks.
    #[must_use]
    pub const fn is_coupled(&self) -> bool {
        self.coupled
    }

    /// Where the channels are.
    #[must_use]
    pub const fn channels(&self) -> Channels {
        self.channels
    }

    /// The shape of the mask of a tensor: its own, with 1 for the channels if they are coupled.
    ///
    /// # Errors
    /// [`Error::Axis`] if the shape has no spatial axis, [`Error::RankLimit`] if it has too many axes,
    /// [`Error::Number`] if a block is larger than the map.
    pub fn noise_shape(&self, shape: &[usize]) -> Result<Dims> {
        self.spatial(shape)?;
        let mut noise = Dims::new(shape)?;
        if self.coupled {
            noise[match self.channels {
                Channels::Last => shape.len() - 1,
                Channels::First => 1,
            }] = 1;
        }
        Ok(noise)
    }

    /// The shape of the seeds: that of the mask, with the places where a whole block fits, `n - block + 1`, for each spatial
    /// size n.
    ///
    /// ```
    /// use elision::DropBlock;
    /// assert_eq!(DropBlock::new(7)?.seed_shape(&[32, 14, 14, 64])?[..], [32, 8, 8, 64]);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`noise_shape`](DropBlock::noise_shape).
    pub fn seed_shape(&self, shape: &[usize]) -> Result<Dims> {
        let mut seeds = self.noise_shape(shape)?;
        for axis in self.spatial(shape)? {
            seeds[axis] -= self.block - 1;
        }
        Ok(seeds)
    }

    /// The probability of a seed that drops about the share `p` of the maps of a tensor:
    /// `p · Π n / (block · (n - block + 1))` over the sizes n of the spatial axes. The share is p but for overlaps, which
    /// make it smaller.
    ///
    /// It is never above p, since a block covers at least one place for each that it loses at the edge.
    ///
    /// ```
    /// use elision::DropBlock;
    /// assert_eq!(DropBlock::new(7)?.gamma(0.1, &[32, 14, 14, 64])?, 0.00625);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none, and those of [`noise_shape`](DropBlock::noise_shape).
    pub fn gamma(&self, p: f64, shape: &[usize]) -> Result<f64> {
        let p = check_probability(p)?;
        let (mut places, mut covered) = (1.0, 1.0);
        for &n in &shape[self.spatial(shape)?] {
            places *= n as f64;
            covered *= self.block as f64 * (n - self.block + 1) as f64;
        }
        Ok(p * (places / covered))
    }

    /// The spatial axes of a shape, along each of which a block fits.
    pub(crate) fn spatial(&self, shape: &[usize]) -> Result<Range<usize>> {
        let rank = shape.len();
        if rank < 3 {
            return Err(Error::Axis { axis: 2, rank });
        }
        let axes = match self.channels {
            Channels::Last => 1..rank - 1,
            Channels::First => 2..rank,
        };
        let fits = shape[axes.clone()].iter().all(|&n| self.block <= n);
        let what = "block of DropBlock (at most the map's size)";
        check_number(what, self.block as f64, fits)?;
        Ok(axes)
    }
}
