//! Rows of a table.

use crate::autograd::{Step, Tape, Var};
use crate::error::{Error, Result};
use crate::ops;

impl Var {
    /// Rows of this table, `[rows, features]`, one for each index: shape `[indices.len(), features]`. Keeps the indices.
    ///
    /// # Errors
    /// Those of [`ops::embedding`] and of [`Tape::of`].
    pub fn embedding(&self, indices: &[u32]) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let &[_, features] = self.shape() else {
            let (what, expected, found) = ("table of an embedding", 2, self.rank());
            return Err(Error::Rank {
                what,
                expected,
                found,
            });
        };
        let mut y = tape.buffer(&[indices.len(), features])?;
        ops::embedding_into(self, indices, &mut *y)?;
        let step = Step {
            op: "embedding",
            inputs: &[self],
            output: y.into(),
        };
        let table = self.value().dims();
        Ok(
            tape.record(step, indices.to_vec(), move |indices, dy, gradients| {
                let mut dtable = gradients.buffer(&table)?;
                dtable.as_mut_slice().fill(0.0);
                ops::embedding_backward_into(&dy, &indices, &mut *dtable)?;
                gradients.add(0, dtable)
            }),
        )
    }
}
