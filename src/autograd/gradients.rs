//! The gradients of leaves.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::parameter::{LeafId, Parameter};
use super::value::Value;
use super::var::Var;
use crate::error::Result;
use crate::ops::scale_in_place;
use crate::tensor::{View, ViewMut};

/// The gradients of parameters and variables. Several backward passes into one add up.
///
/// ```
/// use elision::{Tensor, autograd::{Gradients, Parameter, Tape}};
/// let w = Parameter::new(Tensor::from_slice(&[3.0, 4.0], &[2])?);
/// let (tape, mut gradients) = (Tape::new(), Gradients::default());
/// for _ in 0..2 {
///     let w = tape.parameter(&w)?;
///     w.mul(&w)?.sum()?.backward_into(&mut gradients)?;
/// }
/// assert_eq!(gradients.get(&w).unwrap().as_slice(), Some(&[12.0, 16.0][..]));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Gradients {
    by_leaf: HashMap<LeafId, Value>,
}

impl Gradients {
    /// A parameter's gradient; `None` if none reached it.
    #[must_use]
    pub fn get(&self, parameter: &Parameter) -> Option<View<'_>> {
        self.by_leaf.get(&parameter.id()).map(Value::view)
    }

    /// The gradient of a leaf, which [`Tape::variable`](super::Tape::variable) or
    /// [`Tape::parameter`](super::Tape::parameter) made; `None` if none reached it.
    #[must_use]
    pub fn of(&self, variable: &Var) -> Option<View<'_>> {
        self.by_leaf.get(&variable.leaf()?).map(Value::view)
    }

    /// A parameter's gradient to be changed: clipped or scaled. `None` if none reached it.
    ///
    /// # Errors
    /// [`Error::Overflow`](crate::Error::Overflow) if it must be copied and memory is short.
    pub fn get_mut(&mut self, parameter: &Parameter) -> Result<Option<ViewMut<'_>>> {
        let Some(value) = self.by_leaf.get_mut(&parameter.id()) else {
            return Ok(None);
        };
        let shape = parameter.value().shape();
        ViewMut::contiguous(value.make_mut()?, shape).map(Some)
    }

    /// Multiplies every gradient by `factor`.
    ///
    /// # Errors
    /// [`Error::Overflow`](crate::Error::Overflow) if one must be copied and memory is short.
    pub fn scale(&mut self, factor: f32) -> Result<()> {
        for value in self.by_leaf.values_mut() {
            let len = value.len();
            let view = ViewMut::contiguous(value.make_mut()?, &[len])?;
            scale_in_place(view, factor)?;
        }
        Ok(())
    }

    /// Forgets them; the memory goes back to the tape.
    pub fn clear(&mut self) {
        self.by_leaf.clear();
    }

    /// Whether no gradient has arrived.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_leaf.is_empty()
    }

    pub(super) fn take(&mut self, leaf: LeafId) -> Option<Value> {
        self.by_leaf.remove(&leaf)
    }

    pub(super) fn into_leaves(self) -> impl Iterator<Item = (LeafId, Value)> {
        self.by_leaf.into_iter()
    }

    pub(super) fn add(&mut self, leaf: LeafId, gradient: Value) -> Result<()> {
        match self.by_leaf.entry(leaf) {
            Entry::Vacant(entry) => {
                entry.insert(gradient);
                Ok(())
            }
            Entry::Occupied(mut entry) => entry.get_mut().add(&gradient),
        }
    }
}
