//! Rows of a table, by index.

use super::check::{Contiguous, ContiguousMut, check_rank, check_shape};
use crate::error::{Error, Result};
use crate::exec::for_each_piece_of_rows;
use crate::tensor::{Tensor, View, ViewMut};

/// Row `indices[i]` of `table`, for each i: from `[rows, features]` to `[indices.len(), features]`.
///
/// ```
/// use elision::{Tensor, ops};
/// let table = Tensor::from_slice(&[0.0, 0.5, 1.0, 1.5, 2.0, 2.5], &[3, 2])?;
/// let y = ops::embedding(&table, &[2, 0])?;
/// assert_eq!(y.as_slice(), [2.0, 2.5, 0.0, 0.5]);
/// let mut grad = Tensor::zeros(&[3, 2])?;
/// ops::embedding_backward_into(&y, &[2, 2], &mut grad)?;
/// assert_eq!(grad.as_slice(), [0.0, 0.0, 0.0, 0.0, 2.0, 3.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] if `table` is no matrix, [`Error::Index`] if it has no such row, [`Error::Overflow`] if memory
/// cannot be allocated.
pub fn embedding<'a>(table: impl Into<View<'a>>, indices: &[u32]) -> Result<Tensor> {
    let table = table.into();
    let features = check_table(table, indices)?;
    let mut out = Tensor::zeros(&[indices.len(), features])?;
    embedding_into(table, indices, &mut out)?;
    Ok(out)
}

/// [`embedding`], written to `out`.
///
/// # Errors
/// Those of [`embedding`], and [`Error::Shape`] if `out` is not `[indices.len(), features]`.
pub fn embedding_into<'a, 'b>(
    table: impl Into<View<'a>>,
    indices: &[u32],
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (table, out) = (table.into(), out.into());
    let n = check_table(table, indices)?;
    check_shape("output", &[indices.len(), n], out.shape())?;
    if out.is_empty() {
        return Ok(());
    }
    let (table, mut out) = (Contiguous::new(table)?, ContiguousMut::new(out)?);
    let table = table.as_slice();
    for_each_piece_of_rows(out.as_mut_slice(), n, 1, |first, out| {
        for (out, &index) in out.chunks_exact_mut(n).zip(&indices[first..]) {
            out.copy_from_slice(&table[index as usize * n..][..n]);
        }
    });
    out.finish()
}

/// Adds row i of `dy` (`[indices.len(), features]`), the gradient of [`embedding`]'s output, to row `indices[i]` of
/// `grad_table` (`[rows, features]`), for each i. What `grad_table` holds counts: begin with zeros.
///
/// The rows that meet in one are added in the order of their positions, whatever the number of threads.
///
/// # Errors
/// [`Error::Rank`], [`Error::Index`], [`Error::Shape`] if `dy` is not `[indices.len(), features]`, [`Error::Overflow`]
/// if a copy is needed and cannot be allocated.
pub fn embedding_backward_into<'a, 'b>(
    dy: impl Into<View<'a>>,
    indices: &[u32],
    grad_table: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (dy, table) = (dy.into(), grad_table.into());
    let n = check_table(table.as_view(), indices)?;
    check_shape(
        "gradient of embedding's output",
        &[indices.len(), n],
        dy.shape(),
    )?;
    if dy.is_empty() {
        return Ok(());
    }
    let (dy, mut table) = (Contiguous::new(dy)?, ContiguousMut::new(table)?);
    let (dy, grad) = (dy.as_slice(), table.as_mut_slice());
    let weight = dy.len().div_ceil(grad.len());
    // Each task owns some rows of the table and looks for them among all indices.
    for_each_piece_of_rows(grad, n, weight, |first, grad| {
        for (dy, &index) in dy.chunks_exact(n).zip(indices) {
            let row = (index as usize).checked_sub(first);
            if let Some(grad) = row.and_then(|row| grad.chunks_exact_mut(n).nth(row)) {
                add(grad, dy);
            }
        }
    });
    table.finish()
}

fn add(grad: &mut [f32], dy: &[f32]) {
    for (grad, dy) in grad.iter_mut().zip(dy) {
        *grad += dy;
    }
}

/// The number of features of a table that has every row that is asked for.
fn check_table(table: View<'_>, indices: &[u32]) -> Result<usize> {
    check_rank("table of an embedding", table, 2)?;
    let (length, features) = (table.shape()[0], table.shape()[1]);
    match indices.iter().position(|&index| index as usize >= length) {
        Some(position) => Err(Error::Index {
            what: "rows of an embedding",
            position,
            index: indices[position],
            length,
        }),
        None => Ok(features),
    }
}
