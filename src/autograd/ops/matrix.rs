//! Matrix products.

use super::unbroadcast;
use crate::autograd::{Step, Tape, Value, Var};
use crate::error::{Error, Result};
use crate::ops::batched_matmul_into;
use crate::tensor::{View, broadcast_shapes};

/// The last two axes swapped.
fn transposed(x: View<'_>) -> Result<View<'_>> {
    let rank = x.rank();
    x.transpose(rank - 2, rank - 1)
}

/// The shape of a product: broadcast batches, rows of `a`, columns of `b`.
fn product_shape(a: &Var, b: &Var) -> Result<Vec<usize>> {
    let (&[ref left @ .., m, _], &[ref right @ .., _, n]) = (a.shape(), b.shape()) else {
        return Err(Error::Rank {
            what: "factor of a matrix product",
            expected: 2,
            found: a.rank().min(b.rank()),
        });
    };
    let batch = broadcast_shapes(left, right)?;
    Ok([&batch[..], &[m, n]].concat())
}

/// Ones in front of a shape, up to that rank.
fn lifted(shape: &[usize], rank: usize) -> Vec<usize> {
    [&vec![1; rank - shape.len()][..], shape].concat()
}

impl Var {
    /// The matrix product of the last two axes, `[.., m, k] x [.., k, n]`; axes before them broadcast. Keeps a
    /// reference to each factor.
    ///
    /// # Errors
    /// [`Error::Rank`] if a factor is no matrix, [`Error::Shape`] if the inner dimensions differ,
    /// [`Error::Broadcast`] if the axes before them do not fit, and those of [`Tape::of`].
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        let tape = Tape::of(&[self, other])?;
        let shape = product_shape(self, other)?;
        // The product of batches takes factors of one rank.
        let rank = shape.len().max(3);
        let lift = |x: &Value| x.reshape(&lifted(x.shape(), rank));
        let factors = [lift(self.value())?, lift(other.value())?];
        let mut y = tape.buffer(&lifted(&shape, rank))?;
        batched_matmul_into(&factors[0], &factors[1], &mut *y)?;
        let step = Step {
            op: "matmul",
            inputs: &[self, other],
            output: Value::from(y).reshape(&shape)?,
        };
        Ok(tape.record(step, factors, move |[a, b], dy, gradients| {
            let dy = dy.reshape(&lifted(&shape, rank))?;
            let batch = &dy.shape()[..rank - 2];
            let matrix = |x: &[usize]| [batch, &x[rank - 2..]].concat();
            if gradients.wants(0) {
                let mut da = gradients.buffer(&matrix(a.shape()))?;
                batched_matmul_into(&dy, transposed(b.view())?, &mut *da)?;
                gradients.add(0, unbroadcast(&da.into(), a.shape(), gradients)?)?;
            }
            if gradients.wants(1) {
                let mut db = gradients.buffer(&matrix(b.shape()))?;
                batched_matmul_into(transposed(a.view())?, &dy, &mut *db)?;
                gradients.add(1, unbroadcast(&db.into(), b.shape(), gradients)?)?;
            }
            Ok(())
        }))
    }
}
