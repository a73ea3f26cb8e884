//! Sums and means.

use crate::autograd::{InputGradients, Step, Tape, Value, Var};
use crate::error::Result;
use crate::ops::{self, copy_into};
use crate::tensor::{Dims, View, ViewMut};

/// A reduction over some axes.
type Reduce = fn(View<'_>, &[usize], ViewMut<'_>) -> Result<()>;

/// `dy` with the summed axes back, at length 1: a shape that broadcasts to the input's.
fn with_axes(shape: &Dims, axes: &[usize]) -> Dims {
    let mut stretched = *shape;
    for &axis in axes {
        stretched[axis] = 1;
    }
    stretched
}

/// The gradient of a sum: that of the sum for each of its elements, times `factor`.
fn spread(
    dy: &Value,
    shape: &Dims,
    axes: &[usize],
    factor: f32,
    gradients: &mut InputGradients<'_>,
) -> Result<()> {
    let dy = dy.reshape(&with_axes(shape, axes))?;
    let mut dx = gradients.buffer(shape)?;
    copy_into(dy.view().broadcast_to(shape)?, &mut *dx)?;
    if factor != 1.0 {
        ops::scale_in_place(&mut *dx, factor)?;
    }
    gradients.add(0, dx)
}

impl Var {
    /// The sum of all elements. Keeps nothing.
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn sum(&self) -> Result<Self> {
        self.sum_axes(&(0..self.rank()).collect::<Vec<_>>())
    }

    /// The mean of all elements. Keeps nothing.
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn mean(&self) -> Result<Self> {
        self.mean_axes(&(0..self.rank()).collect::<Vec<_>>())
    }

    /// The sum over `axes`, which the result no longer has. Keeps nothing.
    ///
    /// # Errors
    /// Those of [`ops::sum`](crate::ops::sum) and of [`Tape::of`].
    pub fn sum_axes(&self, axes: &[usize]) -> Result<Self> {
        self.reduce("sum", axes, 1.0, |x, axes, y| ops::sum_into(x, axes, y))
    }

    /// The mean over `axes`, which the result no longer has. Keeps nothing.
    ///
    /// # Errors
    /// Those of [`ops::mean`](crate::ops::mean) and of [`Tape::of`].
    pub fn mean_axes(&self, axes: &[usize]) -> Result<Self> {
        let sizes = axes.iter().filter_map(|&axis| self.shape().get(axis));
        // Not of integers, whose product may overflow before the axes are checked.
        let count: f64 = sizes.map(|&size| size as f64).product();
        let factor = (1.0 / count) as f32;
        self.reduce("mean", axes, factor, |x, axes, y| {
            ops::mean_into(x, axes, y)
        })
    }

    fn reduce(
        &self,
        op: &'static str,
        axes: &[usize],
        factor: f32,
        reduce: Reduce,
    ) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let sizes = self.shape().iter().enumerate();
        let kept: Vec<usize> = sizes
            .filter(|(axis, _)| !axes.contains(axis))
            .map(|(_, &size)| size)
            .collect();
        let mut y = tape.buffer(&kept)?;
        reduce(self.view(), axes, y.view_mut())?;
        let step = Step {
            op,
            inputs: &[self],
            output: y.into(),
        };
        let (shape, axes) = (self.value().dims(), axes.to_vec());
        Ok(tape.record(step, (), move |(), dy, gradients| {
            spread(&dy, &shape, &axes, factor, gradients)
        }))
    }
}
