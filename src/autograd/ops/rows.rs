//! Some samples of a batch, and what was made of them back among the others.

use crate::autograd::{Step, Tape, Var};
use crate::error::{Error, Result};
use crate::ops;
use crate::tensor::Dims;

impl Var {
    /// The samples of these numbers, copied: from `[samples, ..]` to `[rows.len(), ..]`. Keeps the numbers. The
    /// gradients of a sample that is named more than once add up.
    ///
    /// ```
    /// use elision::{Tensor, autograd::Tape};
    /// let x = Tape::new().variable(Tensor::from_slice(&[1.0, 2.0, 3.0], &[3, 1])?);
    /// let y = x.rows(&[2, 0])?;
    /// assert_eq!((y.shape(), y.value().as_slice()), (&[2, 1][..], &[3.0, 1.0][..]));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Rank`] if there is no axis, [`Error::Index`] if there is no such sample, and those of [`Tape::of`].
    pub fn rows(&self, rows: &[u32]) -> Result<Self> {
        let shape = narrow(self, rows)?;
        self.flatten()?.embedding(rows)?.reshape(&shape)
    }

    /// This, with `scale * other` added to the samples of these numbers: `other` is `[rows.len(), ..]`. All others
    /// stay as they are, bit for bit. Keeps the numbers.
    ///
    /// ```
    /// use elision::{Tensor, autograd::Tape};
    /// let tape = Tape::new();
    /// let x = tape.variable(Tensor::from_slice(&[1.0, 2.0, 3.0], &[3, 1])?);
    /// let y = x.add_rows(&[2], &tape.constant(Tensor::full(&[1, 1], 0.5)?), 2.0)?;
    /// assert_eq!(y.value().as_slice(), [1.0, 2.0, 4.0]);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`rows`](Var::rows), and [`Error::Shape`] if `other` has another shape than the samples.
    pub fn add_rows(&self, rows: &[u32], other: &Self, scale: f32) -> Result<Self> {
        let tape = Tape::of(&[self, other])?;
        let shape = narrow(self, rows)?;
        if other.shape() != &*shape {
            return Err(Error::Shape {
                what: "rows to add",
                expected: (*shape).into(),
                found: other.shape().into(),
            });
        }
        let features = shape[1..].iter().product();
        let mut y = tape.buffer(self.shape())?;
        ops::copy_into(self, &mut *y)?;
        let mut part = tape.buffer(&[rows.len(), features])?;
        ops::scale_into(other.view().reshape(part.shape())?, scale, &mut *part)?;
        let all = y.view_mut().reshape(&[self.shape()[0], features])?;
        ops::embedding_backward_into(&*part, rows, all)?;
        let step = Step {
            op: "add_rows",
            inputs: &[self, other],
            output: y.into(),
        };
        Ok(
            tape.record(step, rows.to_vec(), move |rows, dy, gradients| {
                if gradients.wants(1) {
                    let all = dy.reshape(&[dy.shape()[0], features])?;
                    let mut part = gradients.buffer(&[rows.len(), features])?;
                    ops::embedding_into(&all, &rows, &mut *part)?;
                    ops::scale_in_place(&mut *part, scale)?;
                    gradients.add(1, part)?;
                }
                gradients.add(0, dy)
            }),
        )
    }
}

/// The shape of some samples of a variable, which has them.
fn narrow(x: &Var, rows: &[u32]) -> Result<Dims> {
    let what = "rows of a variable";
    let mut shape = x.value().dims();
    let Some(samples) = shape.first_mut() else {
        return Err(Error::Rank {
            what,
            expected: 1,
            found: 0,
        });
    };
    let length = std::mem::replace(samples, rows.len());
    match rows.iter().position(|&row| row as usize >= length) {
        Some(position) => Err(Error::Index {
            what,
            position,
            index: rows[position],
            length,
        }),
        None => Ok(shape),
    }
}
