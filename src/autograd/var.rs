//! Variables: values whose history is noted.

use std::rc::Rc;

use super::backward::{one, sweep};
use super::gradients::Gradients;
use super::parameter::LeafId;
use super::tape::Tape;
use super::value::Value;
use crate::error::{Error, Result};
use crate::mask::UnitMask;
use crate::tensor::{Tensor, View};

/// A value and its place in a graph. A handle: a clone is the same variable.
#[derive(Clone, Debug)]
pub struct Var {
    tape: Tape,
    value: Value,
    node: Option<u64>,
    leaf: Option<LeafId>,
    /// The units of the last axis that are not zero for the whole batch.
    units: Option<Rc<UnitMask>>,
}

impl Var {
    pub(super) fn new(tape: Tape, value: Value, node: Option<u64>) -> Self {
        Self {
            tape,
            value,
            node,
            leaf: None,
            units: None,
        }
    }

    pub(super) fn with_leaf(self, leaf: LeafId) -> Self {
        Self {
            leaf: Some(leaf),
            ..self
        }
    }

    pub(super) fn with_units(self, units: Option<Rc<UnitMask>>) -> Self {
        Self { units, ..self }
    }

    /// The decisions of the unit dropout that made this, if one did: the columns that it dropped are zero, and the
    /// next layer need not read them.
    #[must_use]
    pub fn units(&self) -> Option<&UnitMask> {
        self.units.as_deref()
    }

    pub(super) fn shared_units(&self) -> Option<Rc<UnitMask>> {
        self.units.clone()
    }

    pub(super) fn node(&self) -> Option<u64> {
        self.node
    }

    pub(super) fn leaf(&self) -> Option<LeafId> {
        self.leaf
    }

    /// The tape.
    #[must_use]
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// The elements, shared.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The elements, borrowed.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.value.view()
    }

    /// The size of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.value.shape()
    }

    /// The number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// A copy of the elements.
    ///
    /// # Errors
    /// [`Error::Overflow`] if it cannot be allocated.
    pub fn to_tensor(&self) -> Result<Tensor> {
        self.view().to_tensor()
    }

    /// The number in a variable of one element.
    ///
    /// # Errors
    /// [`Error::Length`] if there are more or fewer.
    pub fn item(&self) -> Result<f32> {
        match self.value.as_slice() {
            &[x] => Ok(x),
            elements => Err(Error::Length {
                what: "variable read as a number",
                expected: 1,
                found: elements.len(),
            }),
        }
    }

    /// Whether a backward pass from here would reach a leaf.
    #[must_use]
    pub fn requires_grad(&self) -> bool {
        self.node.is_some()
    }

    /// The same value without history: a constant, whose memory is shared.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self::new(self.tape.clone(), self.value.clone(), None)
    }

    /// The gradients of this number with respect to all leaves that it came of. The tape's notes are freed, so
    /// that a second call is an error.
    ///
    /// # Errors
    /// [`Error::Shape`] if this is not one number, [`Error::Freed`] if a backward pass has been here,
    /// [`Error::Unsupported`] if no leaf needs a gradient, [`Error::Overflow`] if memory is short.
    pub fn backward(&self) -> Result<Gradients> {
        sweep(self, one(self)?)
    }

    /// The gradients of `sum(self * gradient)`: of a vector-Jacobian product.
    ///
    /// # Errors
    /// Those of [`backward`](Var::backward); [`Error::Shape`] if `gradient` has another shape.
    pub fn backward_from(&self, gradient: impl Into<Value>) -> Result<Gradients> {
        let gradient = gradient.into();
        if gradient.shape() != self.shape() {
            return Err(Error::Shape {
                what: "gradient of a variable",
                expected: self.shape().into(),
                found: gradient.shape().into(),
            });
        }
        sweep(self, gradient)
    }

    /// [`backward`](Var::backward), added to the gradients that are there: of several losses, or of the parts of
    /// a batch.
    ///
    /// # Errors
    /// Those of [`backward`](Var::backward); `gradients` is then unchanged, unless memory ran short.
    pub fn backward_into(&self, gradients: &mut Gradients) -> Result<()> {
        for (leaf, gradient) in self.backward()?.into_leaves() {
            gradients.add(leaf, gradient)?;
        }
        Ok(())
    }
}

impl<'a> From<&'a Var> for View<'a> {
    fn from(var: &'a Var) -> Self {
        var.view()
    }
}
