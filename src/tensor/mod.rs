//! Tensors: owned, contiguous, row-major `f32`; and borrowed views of any strides.
//!
//! Shapes and strides live inline, up to [`MAX_RANK`] axes, so that a view never allocates. Rank 0 (a
//! scalar, one element) and empty tensors (a size of zero somewhere) are legal everywhere.

mod dims;
mod iter;
mod layout;
pub(crate) mod matrix;
mod storage;
mod view;
mod view_mut;

use std::fmt;

use crate::error::{Error, Result};
pub use dims::{Dims, MAX_RANK, broadcast_shapes};
pub use iter::Iter;
use layout::Layout;
use storage::Storage;
pub use view::View;
pub use view_mut::ViewMut;

/// An owned tensor of `f32`, contiguous in row-major order.
///
/// ```
/// use elision::Tensor;
/// let x = Tensor::from_vec((0..6).map(|i| i as f32).collect(), &[2, 3])?;
/// let column = x.view().slice(1, 1..2)?;
/// assert_eq!(column.iter().collect::<Vec<_>>(), [1.0, 4.0]);
/// assert_eq!(x.view().transpose(0, 1)?.get(&[2, 1]), Some(5.0));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor {
    storage: Storage,
    shape: Dims,
}

impl Tensor {
    /// A tensor of zeros.
    ///
    /// # Errors
    /// [`Error::RankLimit`], and [`Error::Overflow`] if the shape cannot be allocated; likewise for the
    /// other constructors.
    pub fn zeros(shape: &[usize]) -> Result<Self> {
        Self::full(shape, 0.0)
    }

    /// A tensor whose every element is `x`.
    ///
    /// # Errors
    /// [`Error::RankLimit`], and [`Error::Overflow`] if the shape cannot be allocated.
    pub fn full(shape: &[usize], x: f32) -> Result<Self> {
        let shape = Dims::new(shape)?;
        Ok(Self {
            storage: Storage::full(shape.count()?, x)?,
            shape,
        })
    }

    /// A tensor that takes the vector over, without a copy.
    ///
    /// # Errors
    /// [`Error::Length`] if the vector does not have exactly as many elements as the shape.
    pub fn from_vec(data: Vec<f32>, shape: &[usize]) -> Result<Self> {
        let shape = check_length(data.len(), shape)?;
        Ok(Self {
            storage: Storage::Vec(data),
            shape,
        })
    }

    /// A tensor that copies the slice to memory aligned to 64 bytes.
    ///
    /// # Errors
    /// [`Error::Length`] if the slice does not have exactly as many elements as the shape.
    pub fn from_slice(data: &[f32], shape: &[usize]) -> Result<Self> {
        let shape = check_length(data.len(), shape)?;
        Ok(Self {
            storage: Storage::copy(data)?,
            shape,
        })
    }

    /// The elements; not a copy if the tensor was made by [`from_vec`](Tensor::from_vec).
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.storage.into_vec()
    }

    /// The elements in row-major order.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        self.storage.as_slice()
    }

    /// The elements in row-major order, to be changed.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        self.storage.as_mut_slice()
    }

    /// The size of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The shape as a value.
    pub(crate) fn dims(&self) -> Dims {
        self.shape
    }

    /// The number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole, borrowed.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::whole(self.as_slice(), self.shape)
    }

    /// The whole, borrowed to be changed.
    #[must_use]
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        let shape = self.shape;
        ViewMut::whole(self.as_mut_slice(), shape)
    }

    /// Another shape, in the same memory where that is enough; what the elements hold is unspecified.
    pub(crate) fn reset(&mut self, shape: &[usize]) -> Result<()> {
        let shape = Dims::new(shape)?;
        self.storage.resize(shape.count()?)?;
        self.shape = shape;
        Ok(())
    }

    /// The same elements with another shape.
    ///
    /// # Errors
    /// [`Error::Length`] if the new shape has not exactly as many elements.
    pub fn reshape(self, shape: &[usize]) -> Result<Self> {
        let shape = check_length(self.len(), shape)?;
        Ok(Self { shape, ..self })
    }
}

/// The shape, if it has `found` elements.
fn check_length(found: usize, shape: &[usize]) -> Result<Dims> {
    let shape = Dims::new(shape)?;
    let expected = shape.count()?;
    if found == expected {
        Ok(shape)
    } else {
        Err(Error::Length {
            what: "elements of a tensor",
            expected,
            found,
        })
    }
}

impl Default for Tensor {
    /// A tensor of one axis and no elements; nothing is allocated.
    fn default() -> Self {
        Self {
            storage: Storage::Vec(Vec::new()),
            shape: Dims::zeros(1),
        }
    }
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.as_slice() == other.as_slice()
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short(f, "Tensor", self.view())
    }
}

/// The shape and the first few elements: never more than a line.
fn write_short(f: &mut fmt::Formatter<'_>, name: &str, view: View<'_>) -> fmt::Result {
    const SHOWN: usize = 8;
    write!(f, "{name}({:?}: [", view.shape())?;
    for (i, x) in view.iter().take(SHOWN).enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        write!(f, "{separator}{x:?}")?;
    }
    f.write_str(if view.len() > SHOWN { ", …])" } else { "])" })
}
