//! Where the elements of a view lie: the arithmetic that [`View`](super::View) and
//! [`ViewMut`](super::ViewMut) share. No data is seen here.

use std::ops::Range;

use super::dims::Dims;
use crate::error::{Error, Result};

/// A shape, a stride in elements for each axis, and the number of elements. Every reachable offset and
/// every product of sizes fits a `usize`.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) shape: Dims,
    pub(super) strides: Dims,
    pub(super) len: usize,
}

impl Layout {
    /// The row-major layout of a shape.
    pub(super) fn contiguous(shape: &[usize]) -> Result<Self> {
        let shape = Dims::new(shape)?;
        let len = shape.count()?;
        let mut strides = Dims::zeros(shape.len());
        let mut stride = 1;
        for (slot, &dim) in strides.iter_mut().zip(shape.iter()).rev() {
            *slot = stride;
            stride *= dim.max(1);
        }
        Ok(Self {
            shape,
            strides,
            len,
        })
    }

    /// Any layout.
    pub(super) fn new(shape: &[usize], strides: &[usize]) -> Result<Self> {
        let (shape, strides) = (Dims::new(shape)?, Dims::new(strides)?);
        if shape.len() != strides.len() {
            return Err(Error::Rank {
                what: "strides",
                expected: shape.len(),
                found: strides.len(),
            });
        }
        let len = shape.count()?;
        if len > 0 {
            let mut last = 0_usize;
            for (&dim, &stride) in shape.iter().zip(strides.iter()) {
                let reach = (dim - 1).checked_mul(stride);
                last = reach
                    .and_then(|reach| last.checked_add(reach))
                    .ok_or(Error::Overflow("strides"))?;
            }
            last.checked_add(1).ok_or(Error::Overflow("strides"))?;
        }
        Ok(Self {
            shape,
            strides,
            len,
        })
    }

    /// One past the last offset.
    pub(super) fn span(&self) -> usize {
        if self.len == 0 {
            return 0;
        }
        1 + self
            .axes()
            .map(|(dim, stride)| (dim - 1) * stride)
            .sum::<usize>()
    }

    /// The size and stride of each axis.
    fn axes(&self) -> impl DoubleEndedIterator<Item = (usize, usize)> {
        self.shape.iter().copied().zip(self.strides.iter().copied())
    }

    /// Whether the elements lie in row-major order without gaps.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut stride = 1;
        self.len == 0
            || self
                .axes()
                .rev()
                .filter(|&(dim, _)| dim > 1)
                .all(|(dim, found)| {
                    let expected = stride;
                    stride *= dim;
                    found == expected
                })
    }

    /// Whether no two indices meet the same element. Sorted by stride, each axis must step over all that
    /// the shorter ones reach; the few odd layouts that are sound for another reason are refused too.
    pub(super) fn is_disjoint(&self) -> bool {
        let mut axes = [(0, 0); super::MAX_RANK];
        let mut n = 0;
        for (dim, stride) in self.axes().filter(|&(dim, _)| dim > 1) {
            axes[n] = (stride, dim);
            n += 1;
        }
        axes[..n].sort_unstable();
        let mut reach = 0;
        self.len == 0
            || axes[..n].iter().all(|&(stride, dim)| {
                let disjoint = stride > reach;
                reach += (dim - 1) * stride;
                disjoint
            })
    }

    /// The offset of an index, if it has the right rank and lies inside.
    pub(super) fn offset(&self, index: &[usize]) -> Option<usize> {
        let inside = index.len() == self.shape.len()
            && index.iter().zip(self.shape.iter()).all(|(i, dim)| i < dim);
        inside.then(|| {
            index
                .iter()
                .zip(self.strides.iter())
                .map(|(i, stride)| i * stride)
                .sum()
        })
    }

    fn check_axis(&self, axis: usize) -> Result<()> {
        let rank = self.shape.len();
        if axis < rank {
            Ok(())
        } else {
            Err(Error::Axis { axis, rank })
        }
    }

    /// A range of one axis: the offset of its first element, and its layout.
    pub(super) fn slice(mut self, axis: usize, range: Range<usize>) -> Result<(usize, Self)> {
        self.check_axis(axis)?;
        let Range { start, end } = range;
        let length = self.shape[axis];
        if start > end || end > length {
            return Err(Error::Range {
                what: "slice of a view",
                start,
                end,
                length,
            });
        }
        self.shape[axis] = end - start;
        self.len = self.shape.count()?;
        // An empty range may begin past the last element, where no offset is promised to fit.
        let offset = if self.len == 0 {
            0
        } else {
            start * self.strides[axis]
        };
        Ok((offset, self))
    }

    /// Two axes exchanged.
    pub(super) fn transpose(mut self, a: usize, b: usize) -> Result<Self> {
        self.check_axis(a)?;
        self.check_axis(b)?;
        self.shape.swap(a, b);
        self.strides.swap(a, b);
        Ok(self)
    }

    /// Axis i of the result is axis `order[i]` of this one.
    pub(super) fn permute(self, order: &[usize]) -> Result<Self> {
        let rank = self.shape.len();
        if order.len() != rank {
            return Err(Error::Rank {
                what: "permutation",
                expected: rank,
                found: order.len(),
            });
        }
        let mut permuted = self;
        for (i, &axis) in order.iter().enumerate() {
            self.check_axis(axis)?;
            if order[..i].contains(&axis) {
                return Err(Error::RepeatedAxis(axis));
            }
            permuted.shape[i] = self.shape[axis];
            permuted.strides[i] = self.strides[axis];
        }
        Ok(permuted)
    }

    /// Axes of size 1 and absent ones repeated, with stride 0.
    pub(super) fn broadcast_to(self, shape: &[usize]) -> Result<Self> {
        let misfit = || Error::Broadcast {
            left: self.shape.as_ref().into(),
            right: shape.into(),
        };
        let target = Dims::new(shape)?;
        let missing = shape
            .len()
            .checked_sub(self.shape.len())
            .ok_or_else(misfit)?;
        let mut strides = Dims::zeros(shape.len());
        for (i, (dim, stride)) in self.axes().enumerate() {
            strides[missing + i] = match (dim, shape[missing + i]) {
                (dim, wanted) if dim == wanted => stride,
                (1, _) => 0,
                _ => return Err(misfit()),
            };
        }
        Ok(Self {
            shape: target,
            strides,
            len: target.count()?,
        })
    }

    /// Another shape for the same elements in the same row-major order, if strides can express it.
    ///
    /// The axes fall into groups that are contiguous in themselves; a new axis must lie within one group.
    pub(super) fn reshape(self, shape: &[usize]) -> Result<Self> {
        let mut reshaped = Self::contiguous(shape)?;
        if reshaped.len != self.len {
            let what = "elements of the new shape";
            return Err(Error::Length {
                what,
                expected: self.len,
                found: reshaped.len,
            });
        }
        if self.len == 0 {
            return Ok(reshaped);
        }
        let mut groups = self.groups();
        // The stride of the next axis, and how many elements its group still has.
        let (mut stride, mut left) = (1, 1);
        for axis in (0..shape.len()).rev() {
            if left == 1 && shape[axis] > 1 {
                (left, stride) = groups.next().unwrap_or((1, 1));
            }
            if left % shape[axis] != 0 {
                return Err(Error::Reshape {
                    expected: shape.into(),
                    found: self.shape.as_ref().into(),
                });
            }
            reshaped.strides[axis] = stride;
            stride *= shape[axis];
            left /= shape[axis];
        }
        Ok(reshaped)
    }

    /// The size and stride of each maximal group of neighbouring axes that one stride describes, from
    /// the last group on. Axes of size 1 belong to none.
    fn groups(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut axes = self.axes().rev().filter(|&(dim, _)| dim > 1).peekable();
        std::iter::from_fn(move || {
            let (mut size, stride) = axes.next()?;
            while let Some((dim, _)) = axes.next_if(|&(_, outer)| outer == size * stride) {
                size *= dim;
            }
            Some((size, stride))
        })
    }
}
