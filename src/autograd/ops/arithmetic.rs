//! Sums, products and quotients, with broadcasting.

use super::unbroadcast;
use crate::autograd::{InputGradients, Step, Tape, Value, Var};
use crate::error::Result;
use crate::ops;
use crate::tensor::{View, ViewMut, broadcast_shapes};

/// An operation on two tensors that broadcast.
type Zip = fn(View<'_>, View<'_>, ViewMut<'_>) -> Result<()>;

fn zip(a: &Var, b: &Var, zip: Zip) -> Result<(Tape, Value)> {
    let tape = Tape::of(&[a, b])?;
    let mut y = tape.buffer(&broadcast_shapes(a.shape(), b.shape())?)?;
    zip(a.view(), b.view(), y.view_mut())?;
    Ok((tape, y.into()))
}

/// `zip` of a gradient and something else.
fn times(dy: &Value, b: View<'_>, gradients: &InputGradients<'_>, zip: Zip) -> Result<Value> {
    let mut out = gradients.buffer(dy.shape())?;
    zip(dy.view(), b, out.view_mut())?;
    Ok(out.into())
}

impl Var {
    /// `self + other`, with broadcasting. Keeps nothing.
    ///
    /// # Errors
    /// [`Error::Broadcast`](crate::Error::Broadcast) if the shapes do not broadcast, and those of [`Tape::of`].
    pub fn add(&self, other: &Self) -> Result<Self> {
        let (tape, y) = zip(self, other, |a, b, y| ops::add_into(a, b, y))?;
        let shapes = [self, other].map(|var| var.value().dims());
        let step = Step {
            op: "add",
            inputs: &[self, other],
            output: y,
        };
        Ok(tape.record(step, (), move |(), dy, gradients| {
            for (i, shape) in shapes.iter().enumerate() {
                if gradients.wants(i) {
                    gradients.add(i, unbroadcast(&dy, shape, gradients)?)?;
                }
            }
            Ok(())
        }))
    }

    /// `self - other`, with broadcasting. Keeps nothing.
    ///
    /// # Errors
    /// Those of [`add`](Var::add).
    pub fn sub(&self, other: &Self) -> Result<Self> {
        let (tape, y) = zip(self, other, |a, b, y| ops::sub_into(a, b, y))?;
        let [a, b] = [self, other].map(|var| var.value().dims());
        let step = Step {
            op: "sub",
            inputs: &[self, other],
            output: y,
        };
        Ok(tape.record(step, (), move |(), dy, gradients| {
            if gradients.wants(1) {
                let mut negative = gradients.buffer(dy.shape())?;
                ops::scale_into(&dy, -1.0, &mut *negative)?;
                gradients.add(1, unbroadcast(&negative.into(), &b, gradients)?)?;
            }
            if gradients.wants(0) {
                gradients.add(0, unbroadcast(&dy, &a, gradients)?)?;
            }
            Ok(())
        }))
    }

    /// `self * other`, with broadcasting. Keeps a reference to each factor.
    ///
    /// # Errors
    /// Those of [`add`](Var::add).
    pub fn mul(&self, other: &Self) -> Result<Self> {
        let (tape, y) = zip(self, other, |a, b, y| ops::mul_into(a, b, y))?;
        let step = Step {
            op: "mul",
            inputs: &[self, other],
            output: y,
        };
        let factors = [self.value().clone(), other.value().clone()];
        Ok(tape.record(step, factors, |factors, dy, gradients| {
            for (i, own) in factors.iter().enumerate() {
                if gradients.wants(i) {
                    let d = times(&dy, factors[1 - i].view(), gradients, |a, b, y| {
                        ops::mul_into(a, b, y)
                    })?;
                    gradients.add(i, unbroadcast(&d, own.shape(), gradients)?)?;
                }
            }
            Ok(())
        }))
    }

    /// `self / other`, with broadcasting. Keeps a reference to the divisor and to the quotient.
    ///
    /// # Errors
    /// Those of [`add`](Var::add).
    pub fn div(&self, other: &Self) -> Result<Self> {
        let (tape, y) = zip(self, other, |a, b, y| ops::div_into(a, b, y))?;
        let dims = self.value().dims();
        let step = Step {
            op: "div",
            inputs: &[self, other],
            output: y.clone(),
        };
        Ok(tape.record(
            step,
            [other.value().clone(), y],
            move |[b, y], dy, gradients| {
                // d(a/b) = da/b - (a/b)/b db
                let da = times(&dy, b.view(), gradients, |a, b, y| ops::div_into(a, b, y))?;
                if gradients.wants(1) {
                    let mut db = gradients.buffer(dy.shape())?;
                    ops::mul_into(&da, &y, &mut *db)?;
                    ops::scale_in_place(&mut *db, -1.0)?;
                    gradients.add(1, unbroadcast(&db.into(), b.shape(), gradients)?)?;
                }
                if gradients.wants(0) {
                    gradients.add(0, unbroadcast(&da, &dims, gradients)?)?;
                }
                Ok(())
            },
        ))
    }

    /// `factor * self`. Keeps nothing.
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn scale(&self, factor: f32) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::scale_into(self, factor, &mut *y)?;
        let step = Step {
            op: "scale",
            inputs: &[self],
            output: y.into(),
        };
        Ok(tape.record(step, (), move |(), dy, gradients| {
            let mut dx = gradients.buffer(dy.shape())?;
            ops::scale_into(&dy, factor, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }

    /// e^x of each element. Keeps a reference to the output.
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn exp(&self) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::exp_into(self, &mut *y)?;
        let y = Value::from(y);
        let step = Step {
            op: "exp",
            inputs: &[self],
            output: y.clone(),
        };
        Ok(tape.record(step, y, |y, dy, gradients| {
            let dx = times(&dy, y.view(), gradients, |a, b, y| ops::mul_into(a, b, y))?;
            gradients.add(0, dx)
        }))
    }

    /// The natural logarithm of each element. Keeps a reference to the input.
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn ln(&self) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        ops::ln_into(self, &mut *y)?;
        let step = Step {
            op: "ln",
            inputs: &[self],
            output: y.into(),
        };
        Ok(tape.record(step, self.value().clone(), |x, dy, gradients| {
            let dx = times(&dy, x.view(), gradients, |a, b, y| ops::div_into(a, b, y))?;
            gradients.add(0, dx)
        }))
    }
}
