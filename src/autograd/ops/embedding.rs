//! Rows of a table.

use crate::autograd::{Step, Tape, Var};
use crate::dropout::Dropout;
use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::ops;

impl Var {
    /// Rows of this table, `[rows, features]`, one for each index: shape `[indices.len(), features]`. Keeps the indices.
    ///
    /// # Errors
    /// Those of [`ops::embedding`] and of [`Tape::of`].
    pub fn embedding(&self, indices: &[u32]) -> Result<Self> {
        let (tape, [_, features]) = (Tape::of(&[self])?, self.table()?);
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

    /// The same with dropout of words: all occurrences of a word share their fate. Keeps the indices and one bit a row
    /// of the table.
    ///
    /// # Errors
    /// Those of [`ops::word_dropout`] and of [`Tape::of`].
    pub fn word_dropout(&self, indices: &[u32], dropout: &Dropout) -> Result<Self> {
        let (tape, [rows, features]) = (Tape::of(&[self])?, self.table()?);
        let mut y = tape.buffer(&[indices.len(), features])?;
        let mut mask = Mask::none(rows);
        ops::word_dropout_into(self, indices, dropout, &mut *y, &mut mask)?;
        let step = Step {
            op: "word_dropout",
            inputs: &[self],
            output: y.into(),
        };
        let (table, dropout) = (self.value().dims(), *dropout);
        let saved = (indices.to_vec(), mask);
        Ok(
            tape.record(step, saved, move |(indices, mask), dy, gradients| {
                let mut dtable = gradients.buffer(&table)?;
                dtable.as_mut_slice().fill(0.0);
                ops::word_dropout_backward_into(&dy, &indices, &dropout, &mask, &mut *dtable)?;
                gradients.add(0, dtable)
            }),
        )
    }

    /// Rows and features of this table.
    fn table(&self) -> Result<[usize; 2]> {
        match *self.shape() {
            [rows, features] => Ok([rows, features]),
            _ => Err(Error::Rank {
                what: "table of an embedding",
                expected: 2,
                found: self.rank(),
            }),
        }
    }
}
