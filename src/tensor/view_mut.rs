//! Borrowed views that may be written.

use std::fmt;
use std::ops::Range;

use super::dims::Dims;
use super::view::{check_span, whole_layout};
use super::{Layout, Tensor, View};
use crate::error::{Error, Result};

/// Some elements of a mutable slice, seen as a tensor. Unlike a [`View`], no two indices meet the same
/// element: there are no strides of 0, and no repeated axes.
///
/// ```
/// use elision::{Error, Tensor, ViewMut};
/// let mut x = Tensor::zeros(&[2, 3])?;
/// let mut corner = x.view_mut().slice(0, 0..1)?;
/// corner.as_mut_slice().unwrap().fill(1.0);
/// assert_eq!(x.as_slice(), [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
/// assert_eq!(ViewMut::new(&mut [0.0; 4], &[3, 2], &[1, 1]).err(), Some(Error::Overlap("view")));
/// # Ok::<(), elision::Error>(())
/// ```
pub struct ViewMut<'a> {
    data: &'a mut [f32],
    layout: Layout,
}

impl<'a> ViewMut<'a> {
    /// A view of any strides under which no two indices meet; index 0 is `data[0]`. Sorted by stride,
    /// each axis must step over everything that the shorter ones reach, which slices and permutations of
    /// a tensor always do; a few exotic layouts that are free of overlap for another reason are refused.
    ///
    /// # Errors
    /// [`Error::Overlap`], [`Error::Length`] if an index lies past the end of `data`, [`Error::Rank`] if
    /// there are not as many strides as axes, [`Error::RankLimit`] and [`Error::Overflow`].
    pub fn new(data: &'a mut [f32], shape: &[usize], strides: &[usize]) -> Result<Self> {
        let layout = Layout::new(shape, strides)?;
        check_span(&layout, data.len())?;
        if !layout.is_disjoint() {
            return Err(Error::Overlap("view"));
        }
        Ok(Self::cut(data, 0, layout))
    }

    /// A view of a whole slice in row-major order.
    ///
    /// # Errors
    /// [`Error::Length`] if `data` has not exactly as many elements as the shape, [`Error::RankLimit`]
    /// and [`Error::Overflow`].
    pub fn contiguous(data: &'a mut [f32], shape: &[usize]) -> Result<Self> {
        let layout = whole_layout(data.len(), shape)?;
        Ok(Self { data, layout })
    }

    /// A view of a slice that is known to have the shape's length.
    pub(super) fn whole(data: &'a mut [f32], shape: Dims) -> Self {
        match Self::contiguous(data, &shape) {
            Ok(view) => view,
            Err(error) => unreachable!("a tensor's shape fits its storage: {error}"),
        }
    }

    /// What `layout` reaches from `data[offset]` on.
    fn cut(data: &'a mut [f32], offset: usize, layout: Layout) -> Self {
        Self {
            data: &mut data[offset..offset + layout.span()],
            layout,
        }
    }

    pub(super) fn into_parts(self) -> (&'a mut [f32], Layout) {
        (self.data, self.layout)
    }

    pub(super) fn parts(&self) -> (&[f32], Layout) {
        (self.data, self.layout)
    }

    /// The size of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The step of each axis, in elements.
    #[must_use]
    pub fn strides(&self) -> &[usize] {
        &self.layout.strides
    }

    /// The number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layout.len
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as a slice, if they lie in row-major order without gaps.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> Option<&mut [f32]> {
        self.reborrow().into_slice()
    }

    /// The same for the whole life of the borrow.
    #[must_use]
    pub fn into_slice(self) -> Option<&'a mut [f32]> {
        self.layout.is_contiguous().then_some(self.data)
    }

    /// The memory from the first element of the view to its last.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut [f32] {
        self.data
    }

    /// The same view for a shorter time, so that it can be passed on and used again.
    #[must_use]
    pub fn reborrow(&mut self) -> ViewMut<'_> {
        ViewMut {
            data: self.data,
            layout: self.layout,
        }
    }

    /// The same view, to be read.
    #[must_use]
    pub fn as_view(&self) -> View<'_> {
        self.into()
    }

    /// The element at `index`, to be changed; `None` if it lies outside or has another rank.
    #[must_use]
    pub fn get_mut(&mut self, index: &[usize]) -> Option<&mut f32> {
        self.layout
            .offset(index)
            .map(|offset| &mut self.data[offset])
    }

    /// A range of one axis.
    ///
    /// # Errors
    /// [`Error::Axis`], and [`Error::Range`] if the range is reversed or ends past the axis.
    pub fn slice(self, axis: usize, range: Range<usize>) -> Result<Self> {
        let (offset, layout) = self.layout.slice(axis, range)?;
        Ok(Self::cut(self.data, offset, layout))
    }

    /// Two axes exchanged.
    ///
    /// # Errors
    /// [`Error::Axis`].
    pub fn transpose(self, a: usize, b: usize) -> Result<Self> {
        Ok(Self {
            layout: self.layout.transpose(a, b)?,
            ..self
        })
    }

    /// The axes in another order: axis i of the result is axis `order[i]` of this view.
    ///
    /// # Errors
    /// [`Error::Rank`], [`Error::Axis`] or [`Error::RepeatedAxis`] if `order` is not a permutation.
    pub fn permute(self, order: &[usize]) -> Result<Self> {
        Ok(Self {
            layout: self.layout.permute(order)?,
            ..self
        })
    }

    /// Another shape for the same elements in the same row-major order.
    ///
    /// # Errors
    /// [`Error::Length`] if the number of elements differs, [`Error::Reshape`] if the strides do not
    /// allow it.
    pub fn reshape(self, shape: &[usize]) -> Result<Self> {
        Ok(Self {
            layout: self.layout.reshape(shape)?,
            ..self
        })
    }
}

impl<'a> From<&'a mut Tensor> for ViewMut<'a> {
    fn from(tensor: &'a mut Tensor) -> Self {
        tensor.view_mut()
    }
}

impl fmt::Debug for ViewMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_short(f, "ViewMut", self.as_view())
    }
}
