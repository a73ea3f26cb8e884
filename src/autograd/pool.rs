//! Buffers that values leave behind, for the next value of their size.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::error::Result;
use crate::ops::Saved;
use crate::tensor::{Dims, Tensor};

/// The memory of a tape: what is in use, the most that ever was, and buffers to be used again. In use and kept
/// for later never exceed the peak together.
#[derive(Debug, Default)]
pub(super) struct Pool {
    free: RefCell<HashMap<usize, Vec<Tensor>>>,
    free_bytes: Cell<usize>,
    saved: RefCell<Vec<Saved>>,
    live: Cell<usize>,
    peak: Cell<usize>,
}

impl Pool {
    /// A buffer of that shape; what it holds is unspecified, and NaN in builds with debug assertions.
    pub(super) fn take(self: &Rc<Self>, shape: &[usize]) -> Result<Buffer> {
        let len = Dims::new(shape)?.count()?;
        let found = self.free.borrow_mut().get_mut(&len).and_then(Vec::pop);
        let tensor = match found {
            Some(mut tensor) => {
                self.free_bytes.set(self.free_bytes.get() - bytes(&tensor));
                tensor.reset(shape)?;
                if cfg!(debug_assertions) {
                    tensor.as_mut_slice().fill(f32::NAN);
                }
                tensor
            }
            None => {
                self.make_room(len.saturating_mul(size_of::<f32>()));
                Tensor::zeros(shape)?
            }
        };
        self.charge(bytes(&tensor));
        let pool = Rc::clone(self);
        Ok(Buffer { tensor, pool })
    }

    /// Lets buffers of other sizes go if there would be more than there ever were in use.
    fn make_room(&self, wanted: usize) {
        let held = self.live.get() + self.free_bytes.get();
        if held.saturating_add(wanted) > self.peak.get() {
            self.free.borrow_mut().clear();
            self.free_bytes.set(0);
        }
    }

    /// State for a fused layer's backward pass, with the memory of a former one.
    pub(super) fn take_saved(self: &Rc<Self>, recomputing: bool) -> KeptState {
        let saved = match recomputing {
            true => Saved::recomputing(),
            // The last that was left is the first layer's, whose turn it is next.
            false => self.saved.borrow_mut().pop().unwrap_or_default(),
        };
        let pool = Rc::clone(self);
        KeptState { saved, pool }
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.live.set(self.live.get() + bytes);
        self.peak.set(self.peak.get().max(self.live.get()));
    }

    pub(super) fn release(&self, bytes: usize) {
        self.live.set(self.live.get() - bytes);
    }

    pub(super) fn live(&self) -> usize {
        self.live.get()
    }

    pub(super) fn peak(&self) -> usize {
        self.peak.get()
    }

    /// Begins to look for the peak anew.
    pub(super) fn reset_peak(&self) {
        self.peak.set(self.live.get());
    }
}

fn bytes(tensor: &Tensor) -> usize {
    size_of_val(tensor.as_slice())
}

/// A tensor of a tape's memory, to which it returns when it is dropped.
///
/// What a fresh one holds is unspecified: write every element.
#[derive(Debug)]
pub struct Buffer {
    tensor: Tensor,
    pool: Rc<Pool>,
}

impl Buffer {
    /// A copy of some elements, in the same memory as this.
    pub(super) fn copy_of(&self, elements: &[f32]) -> Result<Self> {
        let mut copy = self.pool.take(&[elements.len()])?;
        copy.as_mut_slice().copy_from_slice(elements);
        Ok(copy)
    }
}

impl Deref for Buffer {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.tensor
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Tensor {
        &mut self.tensor
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let tensor = std::mem::take(&mut self.tensor);
        let (len, bytes) = (tensor.len(), bytes(&tensor));
        self.pool.release(bytes);
        self.pool.free_bytes.set(self.pool.free_bytes.get() + bytes);
        let mut free = self.pool.free.borrow_mut();
        free.entry(len).or_default().push(tensor);
    }
}

/// What a fused layer keeps for its backward pass; the memory returns to the tape.
#[derive(Debug)]
pub(super) struct KeptState {
    saved: Saved,
    pool: Rc<Pool>,
}

impl Deref for KeptState {
    type Target = Saved;

    fn deref(&self) -> &Saved {
        &self.saved
    }
}

impl DerefMut for KeptState {
    fn deref_mut(&mut self) -> &mut Saved {
        &mut self.saved
    }
}

impl Drop for KeptState {
    fn drop(&mut self) {
        let saved = std::mem::take(&mut self.saved);
        if !saved.is_recomputing() {
            self.pool.saved.borrow_mut().push(saved);
        }
    }
}
