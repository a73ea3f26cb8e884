//! Borrowed views.

use std::fmt;
use std::ops::Range;

use super::dims::Dims;
use super::{Iter, Layout, Tensor, ViewMut};
use crate::error::{Error, Result};

/// Some elements of a slice, seen as a tensor: a shape, and for each axis a stride in elements, 0 where
/// the axis repeats. The data begin at the first element of the view and end at its last.
///
/// ```
/// use elision::View;
/// let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let even = View::new(&data, &[3], &[2])?;
/// assert_eq!(even.iter().collect::<Vec<_>>(), [1.0, 3.0, 5.0]);
/// let rows = even.broadcast_to(&[2, 3])?;
/// assert_eq!((rows.len(), rows.strides()), (6, &[0, 2][..]));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    layout: Layout,
}

impl<'a> View<'a> {
    /// A view of any strides; index 0 is `data[0]`.
    ///
    /// # Errors
    /// [`Error::Length`] if an index lies past the end of `data`, [`Error::Rank`] if there are not as
    /// many strides as axes, [`Error::RankLimit`] and [`Error::Overflow`].
    pub fn new(data: &'a [f32], shape: &[usize], strides: &[usize]) -> Result<Self> {
        let layout = Layout::new(shape, strides)?;
        check_span(&layout, data.len())?;
        Ok(Self::cut(data, 0, layout))
    }

    /// A view of a whole slice in row-major order.
    ///
    /// # Errors
    /// [`Error::Length`] if `data` has not exactly as many elements as the shape, [`Error::RankLimit`]
    /// and [`Error::Overflow`].
    pub fn contiguous(data: &'a [f32], shape: &[usize]) -> Result<Self> {
        Ok(Self {
            data,
            layout: whole_layout(data.len(), shape)?,
        })
    }

    /// A view of a slice that is known to have the shape's length.
    pub(crate) fn whole(data: &'a [f32], shape: Dims) -> Self {
        match Self::contiguous(data, &shape) {
            Ok(view) => view,
            Err(error) => unreachable!("a tensor's shape fits its storage: {error}"),
        }
    }

    /// What `layout` reaches from `data[offset]` on.
    fn cut(data: &'a [f32], offset: usize, layout: Layout) -> Self {
        Self {
            data: &data[offset..offset + layout.span()],
            layout,
        }
    }

    /// The size of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.layout.shape
    }

    /// The step of each axis, in elements; 0 where the axis repeats.
    #[must_use]
    pub fn strides(&self) -> &[usize] {
        &self.layout.strides
    }

    /// The number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// The number of elements, repeated ones included.
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
    pub fn as_slice(&self) -> Option<&'a [f32]> {
        self.layout.is_contiguous().then_some(self.data)
    }

    /// The memory from the first element of the view to its last.
    #[must_use]
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// The element at `index`; `None` if it lies outside or has another rank.
    #[must_use]
    pub fn get(&self, index: &[usize]) -> Option<f32> {
        self.layout.offset(index).map(|offset| self.data[offset])
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

    /// Another shape for the same elements in the same row-major order, without a copy.
    ///
    /// # Errors
    /// [`Error::Length`] if the number of elements differs, [`Error::Reshape`] if the strides do not
    /// allow it; [`to_tensor`](View::to_tensor) then helps.
    pub fn reshape(self, shape: &[usize]) -> Result<Self> {
        Ok(Self {
            layout: self.layout.reshape(shape)?,
            ..self
        })
    }

    /// The view repeated along axes of size 1 and along new leading axes.
    ///
    /// # Errors
    /// [`Error::Broadcast`] if the shapes do not fit, [`Error::RankLimit`] and [`Error::Overflow`].
    pub fn broadcast_to(self, shape: &[usize]) -> Result<Self> {
        Ok(Self::cut(self.data, 0, self.layout.broadcast_to(shape)?))
    }

    /// A contiguous copy.
    ///
    /// # Errors
    /// [`Error::Overflow`] if it cannot be allocated.
    pub fn to_tensor(&self) -> Result<Tensor> {
        if let Some(data) = self.as_slice() {
            return Tensor::from_slice(data, self.shape());
        }
        let mut copy = Tensor::zeros(self.shape())?;
        for (to, from) in copy.as_mut_slice().iter_mut().zip(self.iter()) {
            *to = from;
        }
        Ok(copy)
    }

    /// The elements in row-major order.
    #[must_use]
    pub fn iter(&self) -> Iter<'a> {
        Iter::new(*self)
    }
}

/// The row-major layout, if it has exactly `found` elements.
pub(super) fn whole_layout(found: usize, shape: &[usize]) -> Result<Layout> {
    let layout = Layout::contiguous(shape)?;
    let expected = layout.len;
    if found == expected {
        Ok(layout)
    } else {
        Err(Error::Length {
            what: "data of a view",
            expected,
            found,
        })
    }
}

/// Whether every index of the layout lies within `found` elements.
pub(super) fn check_span(layout: &Layout, found: usize) -> Result<()> {
    let expected = layout.span();
    if found >= expected {
        Ok(())
    } else {
        Err(Error::Length {
            what: "data of a view",
            expected,
            found,
        })
    }
}

impl<'a> From<&'a Tensor> for View<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        tensor.view()
    }
}

impl<'a> From<ViewMut<'a>> for View<'a> {
    fn from(view: ViewMut<'a>) -> Self {
        let (data, layout) = view.into_parts();
        Self { data, layout }
    }
}

impl<'a> From<&'a ViewMut<'_>> for View<'a> {
    fn from(view: &'a ViewMut<'_>) -> Self {
        let (data, layout) = view.parts();
        Self { data, layout }
    }
}

impl<'a> IntoIterator for View<'a> {
    type Item = f32;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &View<'a> {
    type Item = f32;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_short(f, "View", *self)
    }
}
