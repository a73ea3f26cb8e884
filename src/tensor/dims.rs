//! A few numbers, one for each axis.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};

/// The most dimensions that a tensor may have.
pub const MAX_RANK: usize = 8;

/// A shape or the strides of one: at most [`MAX_RANK`] numbers, held inline. It is a slice by [`Deref`].
///
/// ```
/// use elision::broadcast_shapes;
/// let shape = broadcast_shapes(&[4, 1], &[3])?;
/// assert_eq!(&shape[..], [4, 3]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dims {
    /// Those past `rank` are zero, so that the derived equality holds.
    dims: [usize; MAX_RANK],
    rank: usize,
}

impl Dims {
    /// The same numbers, inline.
    ///
    /// # Errors
    /// [`Error::RankLimit`] if there are more than [`MAX_RANK`].
    pub fn new(dims: &[usize]) -> Result<Self> {
        let rank = dims.len();
        if rank > MAX_RANK {
            return Err(Error::RankLimit(rank));
        }
        let mut all = Self::zeros(rank);
        all.copy_from_slice(dims);
        Ok(all)
    }

    /// `rank` zeros; the caller vouches for `rank <= MAX_RANK`.
    pub(crate) fn zeros(rank: usize) -> Self {
        Self {
            dims: [0; MAX_RANK],
            rank,
        }
    }

    /// The product, with the guarantee that no product of some of the numbers overflows: a shape with a
    /// zero somewhere must be sound too.
    pub(crate) fn count(&self) -> Result<usize> {
        let mut count = 1_usize;
        for &dim in self.iter().filter(|&&dim| dim > 0) {
            count = count.checked_mul(dim).ok_or(Error::Overflow("shape"))?;
        }
        Ok(if self.contains(&0) { 0 } else { count })
    }
}

impl Deref for Dims {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.dims[..self.rank]
    }
}

impl DerefMut for Dims {
    fn deref_mut(&mut self) -> &mut [usize] {
        &mut self.dims[..self.rank]
    }
}

impl fmt::Debug for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The shape to which two shapes broadcast: aligned at the last axis, two sizes must be equal or one of
/// them 1, and an absent axis counts as 1.
///
/// # Errors
/// [`Error::Broadcast`] if the shapes do not fit, [`Error::RankLimit`] if one has too many axes.
pub fn broadcast_shapes(a: &[usize], b: &[usize]) -> Result<Dims> {
    let (mut long, short) = if a.len() >= b.len() {
        (Dims::new(a)?, b)
    } else {
        (Dims::new(b)?, a)
    };
    let missing = long.len() - short.len();
    for (dim, &other) in long[missing..].iter_mut().zip(short) {
        match (*dim, other) {
            (1, other) => *dim = other,
            (dim, other) if dim == other || other == 1 => {}
            _ => {
                return Err(Error::Broadcast {
                    left: a.into(),
                    right: b.into(),
                });
            }
        }
    }
    Ok(long)
}
