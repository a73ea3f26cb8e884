//! Other shapes for the same elements.

use std::ops::Range;

use crate::autograd::{Step, Tape, Var};
use crate::error::{Error, Result};
use crate::ops::copy_into;

impl Var {
    /// The same elements, not copied, with another shape.
    ///
    /// # Errors
    /// [`Error::Length`] if the new shape has not exactly as many elements, and those of [`Tape::of`].
    pub fn reshape(&self, shape: &[usize]) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let output = self.value().reshape(shape)?;
        let step = Step {
            op: "reshape",
            inputs: &[self],
            output,
        };
        Ok(tape.record(step, (), |(), dy, gradients| gradients.add(0, dy)))
    }

    /// All axes but the first joined: `[rows, ..]` becomes `[rows, features]`.
    ///
    /// # Errors
    /// [`Error::Rank`] if there is no axis, and those of [`Tape::of`].
    pub fn flatten(&self) -> Result<Self> {
        let [rows, rest @ ..] = self.shape() else {
            return Err(Error::Rank {
                what: "variable to flatten",
                expected: 1,
                found: 0,
            });
        };
        self.reshape(&[*rows, rest.iter().product()])
    }

    /// Two axes swapped; the elements are copied.
    ///
    /// # Errors
    /// [`Error::Axis`] if there is no such axis, and those of [`Tape::of`].
    pub fn transpose(&self, a: usize, b: usize) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let turned = self.view().transpose(a, b)?;
        let mut y = tape.buffer(turned.shape())?;
        copy_into(turned, &mut *y)?;
        let step = Step {
            op: "transpose",
            inputs: &[self],
            output: y.into(),
        };
        Ok(tape.record(step, (), move |(), dy, gradients| {
            let turned = dy.view().transpose(a, b)?;
            let mut dx = gradients.buffer(turned.shape())?;
            copy_into(turned, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }

    /// The elements of `range` along an axis, copied. Keeps nothing.
    ///
    /// # Errors
    /// [`Error::Axis`], [`Error::Range`] if there is no such axis or range, and those of [`Tape::of`].
    pub fn slice(&self, axis: usize, range: Range<usize>) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let part = self.view().slice(axis, range.clone())?;
        let mut y = tape.buffer(part.shape())?;
        copy_into(part, &mut *y)?;
        let step = Step {
            op: "slice",
            inputs: &[self],
            output: y.into(),
        };
        let shape = self.value().dims();
        Ok(tape.record(step, (), move |(), dy, gradients| {
            let mut dx = gradients.buffer(&shape)?;
            dx.as_mut_slice().fill(0.0);
            copy_into(&dy, dx.view_mut().slice(axis, range)?)?;
            gradients.add(0, dx)
        }))
    }
}
