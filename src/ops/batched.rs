//! Products of batches of matrices.

use super::strided::{Axis, Place, Plan};
use crate::error::Result;
use crate::exec::{Batch, current_isa, products};
use crate::kernels::gemm::Operand;
use crate::ops::check::{check_rank, check_shape};
use crate::ops::elementwise::copy_into;
use crate::ops::matmul::operand;
use crate::tensor::matrix::Matrix;
use crate::tensor::{Dims, Tensor, View, ViewMut, broadcast_shapes};

/// The products of the matrices in `a` of shape `[.., m, k]` and `b` of shape `[.., k, n]`: shape
/// `[.., m, n]`. Both have the same rank, 3 or more; a leading axis of size 1 is repeated to the other
/// operand's size, without a copy.
///
/// Each product has the accuracy of [`matmul`](crate::ops::matmul) and its bits: they depend neither on the
/// rest of the batch nor on the number of threads. Where there are at least as many products as threads, each
/// is one thread's; otherwise the threads share each.
///
/// ```
/// use elision::{Tensor, ops};
/// let rows = Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0], &[2, 1, 2])?;
/// let matrix = Tensor::from_slice(&[1.0, 0.0, 10.0, 1.0], &[1, 2, 2])?;
/// let turned = ops::batched_matmul(&rows, &matrix)?;
/// assert_eq!(turned.shape(), [2, 1, 2]);
/// assert_eq!(turned.as_slice(), [21.0, 2.0, 43.0, 4.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`](crate::Error::Rank) if `a` has fewer than three axes or `b` has not as many as `a`, [`Error::Shape`](crate::Error::Shape) if the
/// inner dimensions differ, [`Error::Broadcast`](crate::Error::Broadcast) if the leading axes do not fit, [`Error::Overflow`](crate::Error::Overflow) if the
/// result does not fit in memory.
pub fn batched_matmul<'a, 'b>(a: impl Into<View<'a>>, b: impl Into<View<'b>>) -> Result<Tensor> {
    let (a, b) = (a.into(), b.into());
    let mut out = Tensor::zeros(&result_shape(a, b)?)?;
    batched_matmul_into(a, b, &mut out)?;
    Ok(out)
}

/// [`batched_matmul`] into given memory. An output that is not contiguous is written through a copy.
///
/// # Errors
/// As [`batched_matmul`], and [`Error::Shape`](crate::Error::Shape) if `out` has not the shape of the result.
pub fn batched_matmul_into<'a, 'b, 'c>(
    a: impl Into<View<'a>>,
    b: impl Into<View<'b>>,
    out: impl Into<ViewMut<'c>>,
) -> Result<()> {
    let (a, b, mut out) = (a.into(), b.into(), out.into());
    let shape = result_shape(a, b)?;
    check_shape("output of batched_matmul", &shape, out.shape())?;
    if let Some(out) = out.as_mut_slice() {
        return multiply(a, b, &shape, out);
    }
    let mut copy = Tensor::zeros(&shape)?;
    multiply(a, b, &shape, copy.as_mut_slice())?;
    copy_into(&copy, out)
}

/// The checks, and the shape of the result.
fn result_shape(a: View<'_>, b: View<'_>) -> Result<Dims> {
    let rank = a.rank().max(3);
    check_rank("left operand of batched_matmul", a, rank)?;
    check_rank("right operand of batched_matmul", b, rank)?;
    let (batch_a, matrix_a) = a.shape().split_at(rank - 2);
    let (batch_b, matrix_b) = b.shape().split_at(rank - 2);
    if matrix_a[1] != matrix_b[0] {
        let mut expected = Dims::new(b.shape())?;
        expected[rank - 2] = matrix_a[1];
        check_shape("right operand of batched_matmul", &expected, b.shape())?;
    }
    let batch = broadcast_shapes(batch_a, batch_b)?;
    let mut shape = Dims::new(a.shape())?;
    shape[..rank - 2].copy_from_slice(&batch);
    shape[rank - 1] = matrix_b[1];
    shape.count()?;
    Ok(shape)
}

/// The products into row-major memory of `shape`.
fn multiply(a: View<'_>, b: View<'_>, shape: &[usize], out: &mut [f32]) -> Result<()> {
    let isa = current_isa()?;
    if out.is_empty() {
        return Ok(());
    }
    let leading = shape.len() - 2;
    let plan = Plan::new((0..leading).map(|axis| Axis {
        size: shape[axis],
        strides: [a, b].map(|x| match x.shape()[axis] {
            1 => 0,
            _ => x.strides()[axis],
        }),
    }));
    let (first_a, first_b) = (first_matrix(a)?, first_matrix(b)?);
    let batch = Batch {
        m: shape[leading],
        n: shape[leading + 1],
        depth: a.shape()[leading + 1],
        operands: |i| {
            let [a, b] = Place::new(&plan, i).offsets;
            (moved(first_a, a), moved(first_b, b))
        },
    };
    products(isa, &batch, out);
    Ok(())
}

/// The first matrix of a batch, in the memory of all.
fn first_matrix(batch: View<'_>) -> Result<Matrix<'_>> {
    let leading = batch.rank() - 2;
    let (shape, strides) = (&batch.shape()[leading..], &batch.strides()[leading..]);
    let data = batch.data();
    let first = operand(View::new(data, shape, strides)?).matrix;
    Ok(Matrix { data, ..first })
}

/// The matrix that begins `offset` elements later.
fn moved(first: Matrix<'_>, offset: usize) -> Operand<'_> {
    // Matrices without elements need no memory, and may have none.
    let data = first.data.get(offset..).unwrap_or_default();
    Operand::whole(Matrix { data, ..first })
}
