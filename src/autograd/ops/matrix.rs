//! Matrix products.

use super::unbroadcast;
use crate::autograd::{Step, Tape, Var};
use crate::error::Result;
use crate::ops::batched_matmul_into;
use crate::tensor::{View, broadcast_shapes};

/// The last two axes swapped.
fn transposed(x: View<'_>) -> Result<View<'_>> {
    let rank = x.rank();
    x.transpose(rank.saturating_sub(2), rank.saturating_sub(1))
}

/// The shape of a product: broadcast batches, rows of `a`, columns of `b`.
fn product_shape(a: &Var, b: &Var) -> Result<Vec<usize>> {
    let (&[ref left @ .., m, _], &[ref right @ .., _, n]) = (a.shape(), b.shape()) else {
        // Not matrices: the product itself says what is wrong.
        return Ok(Vec::new());
    };
    let batch = broadcast_shapes(left, right)?;
    Ok([&batch[..], &[m, n]].concat())
}

impl Var {
    /// The matrix product of the last two axes, `[.., m, k] x [.., k, n]`; axes before them broadcast. Keeps a
    /// reference to each factor.
    ///
    /// # Errors
    /// Those of [`ops::batched_matmul`](crate::ops::batched_matmul) and of [`Tape::of`].
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        let tape = Tape::of(&[self, other])?;
        let mut y = tape.buffer(&product_shape(self, other)?)?;
        batched_matmul_into(self, other, &mut *y)?;
        let step = Step {
            op: "matmul",
            inputs: &[self, other],
            output: y.into(),
        };
        let factors = [self.value().clone(), other.value().clone()];
        Ok(tape.record(step, factors, |[a, b], dy, gradients| {
            let batch = &dy.shape()[..dy.shape().len() - 2];
            let matrix = |x: &[usize]| [batch, &x[x.len() - 2..]].concat();
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
