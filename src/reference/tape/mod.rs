//! Reverse-mode differentiation in f64, one index at a time.
//!
//! A [`Tape`] computes each operation when it is called and notes how a gradient goes back through it.
//! [`Tape::backward`] walks the notes from the last to the first and adds up what each value receives.
//!
//! ```
//! use elision::reference::tape::{Array, Tape};
//! let mut tape = Tape::default();
//! let x = tape.leaf(Array::new(vec![1.0, 2.0, 3.0], &[3]));
//! let square = tape.mul(x, x);
//! let loss = tape.sum(square, None);
//! let grads = tape.backward(loss);
//! assert_eq!(grads[x.index()].as_ref().unwrap().data, [2.0, 4.0, 6.0]);
//! ```
//!
//! # Panics
//! This is a tool of tests: whatever does not fit (shapes, axes, labels) panics, and values belong to the tape
//! that made them.

mod array;
mod conv;
mod elementwise;
mod loss;
mod matrix;
mod norm;

pub use array::Array;
pub use conv::{Conv2d, Pool2d};
pub use norm::column_statistics;

/// A value of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(usize);

impl Value {
    /// Its place in the gradients of [`Tape::backward`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// From the gradient of a node, those of its inputs.
type Backward = Box<dyn Fn(&Tape, &Array) -> Vec<(Value, Array)>>;

struct Node {
    value: Array,
    backward: Backward,
}

/// What has been computed, in order.
#[derive(Default)]
pub struct Tape {
    nodes: Vec<Node>,
}

impl Tape {
    /// A value that comes from outside.
    pub fn leaf(&mut self, value: Array) -> Value {
        self.push(value, |_, _| Vec::new())
    }

    /// What a value is.
    #[must_use]
    pub fn value(&self, value: Value) -> &Array {
        &self.nodes[value.0].value
    }

    /// The gradient of `loss`, a single number, with respect to each value of the tape; `None` where the loss
    /// does not depend on it.
    ///
    /// # Panics
    /// If `loss` is not a single number.
    #[must_use]
    pub fn backward(&self, loss: Value) -> Vec<Option<Array>> {
        assert_eq!(self.value(loss).data.len(), 1, "a loss is a single number");
        let mut grads: Vec<Option<Array>> = vec![None; self.nodes.len()];
        grads[loss.0] = Some(self.value(loss).map(|_| 1.0));
        for node in (0..=loss.0).rev() {
            let Some(dy) = grads[node].clone() else {
                continue;
            };
            for (input, dx) in (self.nodes[node].backward)(self, &dy) {
                grads[input.0] = Some(match &grads[input.0] {
                    Some(sum) => sum.zip(&dx, |sum, dx| sum + dx),
                    None => dx,
                });
            }
        }
        grads
    }

    fn push(
        &mut self,
        value: Array,
        backward: impl Fn(&Self, &Array) -> Vec<(Value, Array)> + 'static,
    ) -> Value {
        let backward = Box::new(backward);
        self.nodes.push(Node { value, backward });
        Value(self.nodes.len() - 1)
    }
}
