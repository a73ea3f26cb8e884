//! Which elements of a tensor share a fate.

use std::fmt;

use crate::error::{Error, Result};
use crate::tensor::Dims;

/// Where the channels of a tensor are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Channels {
    /// On the last axis: `[samples, …, channels]`, the layout of this library's convolutions.
    #[default]
    Last,
    /// On axis 1: `[samples, channels, …]`.
    First,
}

/// Which elements of a tensor share a fate: one decision is drawn for each group of them.
///
/// A dropout is this geometry beside a rate and a key. The geometry gives the *noise shape* of a tensor's shape: the
/// sizes of the axes along which decisions differ, and 1 for the others.
///
/// ```
/// use elision::{Channels, Where};
/// let shape = [32, 14, 14, 64];
/// assert_eq!(&Where::Channel(Channels::Last).noise_shape(&shape)?[..], [32, 1, 1, 64]);
/// assert_eq!(&Where::Unit.noise_shape(&shape)?[..], [1, 1, 1, 64]);
/// assert_eq!(&Where::axes(&[1, 2])?.noise_shape(&shape)?[..], [32, 1, 1, 64]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Where {
    /// None: each element for itself (Srivastava et al. 2014).
    #[default]
    Element,
    /// Those of a column of the last axis: one decision a unit for the whole batch, `[1, …, 1, units]`.
    Unit,
    /// Those of a channel of a sample: spatial dropout, for any number of spatial axes (Tompson et al. 2015,
    /// <https://arxiv.org/abs/1411.4280>). `[samples, 1, …, 1, channels]` or `[samples, channels, 1, …, 1]`.
    Channel(Channels),
    /// Those of a row along the last axis: whole tokens, `[…, 1]`.
    Row,
    /// Those of a sample, `[samples, 1, …, 1]`: what drop path does to a branch.
    Sample,
    /// Those that differ along the axis of time alone: the same decisions in each step of a sequence, others in each
    /// sequence (Gal and Ghahramani 2016, <https://arxiv.org/abs/1512.05287>).
    Locked {
        /// The axis of time.
        time: usize,
    },
    /// Those that differ along these axes alone, the ones to which a Keras noise shape gives a 1; made by
    /// [`Where::axes`].
    Axes(Dims),
}

impl Where {
    /// Elements that differ along these axes alone share a fate; no axes are [`Where::Element`].
    ///
    /// # Errors
    /// [`Error::RankLimit`] if there are more axes than a tensor has, [`Error::RepeatedAxis`] if one is named twice.
    pub fn axes(shared: &[usize]) -> Result<Self> {
        let axes = Dims::new(shared)?;
        check_distinct(&axes)?;
        Ok(Self::Axes(axes))
    }

    /// The shape of the decisions for a tensor of that shape: its sizes, with 1 in place of those along which all share
    /// a fate.
    ///
    /// # Errors
    /// [`Error::Axis`] if the shape lacks an axis that this speaks of, [`Error::RepeatedAxis`] if one is named twice,
    /// [`Error::RankLimit`] if the shape has too many axes.
    pub fn noise_shape(&self, shape: &[usize]) -> Result<Dims> {
        let mut noise = Dims::new(shape)?;
        let rank = shape.len();
        if let Some(axis) = self.last_needed()?.filter(|&axis| axis >= rank) {
            return Err(Error::Axis { axis, rank });
        }
        for (axis, size) in noise.iter_mut().enumerate() {
            if self.shares(axis, rank) {
                *size = 1;
            }
        }
        Ok(noise)
    }

    /// The highest axis that a shape must have.
    fn last_needed(&self) -> Result<Option<usize>> {
        Ok(match self {
            Self::Element => None,
            Self::Unit | Self::Row | Self::Sample => Some(0),
            Self::Channel(_) => Some(1),
            Self::Locked { time } => Some(*time),
            Self::Axes(axes) => {
                check_distinct(axes)?;
                axes.iter().copied().max()
            }
        })
    }

    /// Whether elements that differ along `axis` alone share a fate.
    fn shares(&self, axis: usize, rank: usize) -> bool {
        let is_last = axis + 1 == rank;
        match self {
            Self::Element => false,
            Self::Unit => !is_last,
            Self::Channel(Channels::Last) => axis > 0 && !is_last,
            Self::Channel(Channels::First) => axis > 1,
            Self::Row => is_last,
            Self::Sample => axis > 0,
            Self::Locked { time } => axis == *time,
            Self::Axes(axes) => axes.contains(&axis),
        }
    }
}

fn check_distinct(axes: &Dims) -> Result<()> {
    let repeated = (1..axes.len()).find(|&i| axes[..i].contains(&axes[i]));
    repeated.map_or(Ok(()), |i| Err(Error::RepeatedAxis(axes[i])))
}

impl fmt::Display for Where {
    /// As it follows the word dropout: nothing for elements, ` of channels`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element => Ok(()),
            Self::Unit => f.write_str(" of units"),
            Self::Channel(Channels::Last) => f.write_str(" of channels"),
            Self::Channel(Channels::First) => f.write_str(" of channels on axis 1"),
            Self::Row => f.write_str(" of rows"),
            Self::Sample => f.write_str(" of samples"),
            Self::Locked { time } => write!(f, " locked along axis {time}"),
            Self::Axes(axes) => write!(f, " shared along axes {axes:?}"),
        }
    }
}
