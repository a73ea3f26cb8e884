//! Values: tensors that several owners read.

use std::rc::Rc;
use std::sync::Arc;

use super::pool::Buffer;
use crate::error::{Error, Result};
use crate::ops::add_assign;
use crate::tensor::{Dims, Tensor, View, ViewMut};

/// The elements of a variable or of a gradient: shared, never changed while shared, and freed with the last owner.
#[derive(Clone, Debug)]
pub struct Value {
    data: Rc<Data>,
    shape: Dims,
}

#[derive(Debug)]
enum Data {
    /// Of a tape's memory.
    Buffer(Buffer),
    /// A parameter's, or the caller's.
    Shared(Arc<Tensor>),
}

impl Data {
    fn as_slice(&self) -> &[f32] {
        match self {
            Self::Buffer(buffer) => buffer.as_slice(),
            Self::Shared(tensor) => tensor.as_slice(),
        }
    }
}

impl Value {
    /// The elements with their shape.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::whole(self.as_slice(), self.shape)
    }

    /// The elements in row-major order.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        self.data.as_slice()
    }

    /// The size of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The shape as a value.
    #[must_use]
    pub fn dims(&self) -> Dims {
        self.shape
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

    /// The same elements, not copied, with another shape.
    ///
    /// # Errors
    /// [`Error::Length`] if the new shape has not exactly as many elements.
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        let (shape, found) = (Dims::new(shape)?, self.len());
        let expected = shape.count()?;
        if expected != found {
            let what = "elements of a value";
            return Err(Error::Length {
                what,
                expected,
                found,
            });
        }
        let data = Rc::clone(&self.data);
        Ok(Self { data, shape })
    }

    /// Adds other elements to these.
    pub(super) fn add(&mut self, other: &Self) -> Result<()> {
        let shape = self.shape;
        let sum = ViewMut::contiguous(self.make_mut()?, &shape)?;
        add_assign(sum, other)
    }

    /// The elements to be changed: these, or a copy if others own them too.
    pub(super) fn make_mut(&mut self) -> Result<&mut [f32]> {
        if Rc::get_mut(&mut self.data).is_none_or(|data| matches!(data, Data::Shared(_))) {
            let copy = match &*self.data {
                Data::Buffer(buffer) => Data::Buffer(buffer.copy_of(buffer.as_slice())?),
                Data::Shared(tensor) => Data::Shared(Arc::new(Tensor::clone(tensor))),
            };
            self.data = Rc::new(copy);
        }
        match Rc::get_mut(&mut self.data) {
            Some(Data::Buffer(buffer)) => Ok(buffer.as_mut_slice()),
            Some(Data::Shared(tensor)) => Ok(Arc::make_mut(tensor).as_mut_slice()),
            None => Err(Error::Unsupported(
                "a value that others own cannot be changed",
            )),
        }
    }

    /// What tells this memory from others', and its bytes.
    pub(super) fn memory(&self) -> (usize, usize) {
        let bytes = match &*self.data {
            Data::Buffer(buffer) => size_of_val(buffer.as_slice()),
            Data::Shared(_) => 0,
        };
        (Rc::as_ptr(&self.data) as usize, bytes)
    }

    /// Whether this is that tensor.
    pub(super) fn is(&self, tensor: &Arc<Tensor>) -> bool {
        matches!(&*self.data, Data::Shared(own) if Arc::ptr_eq(own, tensor))
    }
}

impl From<Buffer> for Value {
    fn from(buffer: Buffer) -> Self {
        let shape = buffer.dims();
        let data = Rc::new(Data::Buffer(buffer));
        Self { data, shape }
    }
}

impl From<Arc<Tensor>> for Value {
    fn from(tensor: Arc<Tensor>) -> Self {
        let shape = tensor.dims();
        let data = Rc::new(Data::Shared(tensor));
        Self { data, shape }
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Arc::new(tensor).into()
    }
}

impl<'a> From<&'a Value> for View<'a> {
    fn from(value: &'a Value) -> Self {
        value.view()
    }
}
