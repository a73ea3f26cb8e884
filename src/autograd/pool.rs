//! Buffers that values leave behind, for the next value of their size.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::error::Result;
use crate::ops::{Saved, UnitSaved};
use crate::tensor::{Dims, Tensor};

/// The memory of a tape: what is in use, the most that ever was, and buffers to be used again. In use and kept
/// for later never exceed twice the peak together.
#[derive(Debug, Default)]
pub(super) struct Pool {
    free: RefCell<HashMap<usize, Vec<Tensor>>>,
    free_bytes: Cell<usize>,
    saved: RefCell<Vec<Saved>>,
    unit_saved: RefCell<Vec<UnitSaved>>,
    live: Cell<usize>,
    peak: Cell<usize>,
    /// The peak since the beginning.
    most: Cell<usize>,
}

impl Pool {
    /// A buffer of that shape; what it holds is unspecified, and NaN in builds with debug assertions.
    pub(super) fn take(self: &Rc<Self>, shape: &[usize]) -> Result<Buffer> {
        let len = Dims::new(shape)?.count()?;
        let found = self.free.borrow_mut().get_mut(&len).and_then(Vec::pop);
        let tensor = match found {
            Some(mut tensor) => {
                self.use_again(bytes(&tensor));
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
        let charge = Charge::new(self, bytes(&tensor));
        Ok(Buffer { tensor, charge })
    }

    /// Lets what is kept for later go if there would be more than twice what there ever was in use: a step's
    /// activations and its gradients are seldom of the same sizes, and the next step wants both again.
    fn make_room(&self, wanted: usize) {
        let held = self.live.get() + self.free_bytes.get();
        if held.saturating_add(wanted) > self.most.get().saturating_mul(2) {
            self.free.borrow_mut().clear();
            self.saved.borrow_mut().clear();
            self.unit_saved.borrow_mut().clear();
            self.free_bytes.set(0);
        }
    }

    fn keep(&self, bytes: usize) {
        self.free_bytes.set(self.free_bytes.get() + bytes);
    }

    fn use_again(&self, bytes: usize) {
        self.free_bytes.set(self.free_bytes.get() - bytes);
    }

    /// State for a fused layer's backward pass, with the memory of a former one.
    pub(super) fn take_state<T: State>(self: &Rc<Self>) -> KeptState<T> {
        // The last that was left is the first layer's, whose turn it is next.
        let state = T::shelf(self).borrow_mut().pop().unwrap_or_default();
        self.use_again(state.bytes());
        let pool = Some(Rc::clone(self));
        KeptState { state, pool }
    }

    pub(super) fn charge(&self, bytes: usize) {
        self.live.set(self.live.get() + bytes);
        self.peak.set(self.peak.get().max(self.live.get()));
        self.most.set(self.most.get().max(self.live.get()));
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

/// Bytes that count as in use for as long as this lives.
#[derive(Debug)]
pub(super) struct Charge {
    pool: Rc<Pool>,
    bytes: usize,
}

impl Charge {
    pub(super) fn new(pool: &Rc<Pool>, bytes: usize) -> Self {
        pool.charge(bytes);
        let pool = Rc::clone(pool);
        Self { pool, bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.pool.release(self.bytes);
    }
}

/// A tensor of a tape's memory, to which it returns when it is dropped.
///
/// What a fresh one holds is unspecified: write every element.
#[derive(Debug)]
pub struct Buffer {
    tensor: Tensor,
    /// Of the memory that was taken: the owner may have put another tensor in its place.
    charge: Charge,
}

impl Buffer {
    /// A copy of some elements, in the same memory as this.
    pub(super) fn copy_of(&self, elements: &[f32]) -> Result<Self> {
        let mut copy = self.charge.pool.take(&[elements.len()])?;
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
        let pool = &self.charge.pool;
        pool.keep(bytes(&tensor));
        let mut free = pool.free.borrow_mut();
        free.entry(tensor.len()).or_default().push(tensor);
    }
}

/// State of a fused layer that is used again.
pub(super) trait State: Default {
    /// Where it waits.
    fn shelf(pool: &Pool) -> &RefCell<Vec<Self>>;
    fn bytes(&self) -> usize;
}

impl State for Saved {
    fn shelf(pool: &Pool) -> &RefCell<Vec<Self>> {
        &pool.saved
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }
}

impl State for UnitSaved {
    fn shelf(pool: &Pool) -> &RefCell<Vec<Self>> {
        &pool.unit_saved
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }
}

/// What a fused layer keeps for its backward pass; the memory returns to the tape.
#[derive(Debug)]
pub(super) struct KeptState<T: State> {
    state: T,
    /// `None` if there is no memory that is worth keeping.
    pool: Option<Rc<Pool>>,
}

impl KeptState<Saved> {
    /// State that never keeps bits.
    pub(super) fn recomputing() -> Self {
        let state = Saved::recomputing();
        Self { state, pool: None }
    }
}

impl<T: State> Deref for KeptState<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<T: State> DerefMut for KeptState<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.state
    }
}

impl<T: State> Drop for KeptState<T> {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            let state = std::mem::take(&mut self.state);
            pool.keep(state.bytes());
            T::shelf(pool).borrow_mut().push(state);
        }
    }
}
