//! Rows of a table, by index.

use super::check::{Contiguous, ContiguousMut, check_rank, check_shape};
use super::dropout::check_end;
use crate::dropout::Dropout;
use crate::error::{Error, Result};
use crate::exec::for_each_piece_of_rows;
use crate::mask::Mask;
use crate::ops::check::check_length;
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
    gather(table.into(), indices, |_| 1.0, out.into())
}

/// Rows times the factor of each; 0 clears a row, whatever it holds.
fn gather(
    table: View<'_>,
    indices: &[u32],
    factor: impl Fn(u32) -> f32 + Sync,
    out: ViewMut<'_>,
) -> Result<()> {
    let n = check_table(table, indices)?;
    check_shape("output", &[indices.len(), n], out.shape())?;
    if out.is_empty() {
        return Ok(());
    }
    let (table, mut out) = (Contiguous::new(table)?, ContiguousMut::new(out)?);
    let table = table.as_slice();
    for_each_piece_of_rows(out.as_mut_slice(), n, 1, |first, out| {
        for (out, &index) in out.chunks_exact_mut(n).zip(&indices[first..]) {
            let row = &table[index as usize * n..][..n];
            match factor(index) {
                0.0 => out.fill(0.0),
                1.0 => out.copy_from_slice(row),
                factor => out.iter_mut().zip(row).for_each(|(y, x)| *y = x * factor),
            }
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
    scatter(dy.into(), indices, |_| 1.0, grad_table.into())
}

/// Adds rows times the factor of each; 0 adds nothing.
fn scatter(
    dy: View<'_>,
    indices: &[u32],
    factor: impl Fn(u32) -> f32 + Sync,
    table: ViewMut<'_>,
) -> Result<()> {
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
                add(grad, dy, factor(index));
            }
        }
    });
    table.finish()
}

fn add(grad: &mut [f32], dy: &[f32], factor: f32) {
    if factor != 0.0 {
        for (grad, dy) in grad.iter_mut().zip(dy) {
            *grad += dy * factor;
        }
    }
}

/// [`embedding`] with dropout of words (as in the AWD-LSTM's code; Merity et al. 2018,
/// <https://arxiv.org/abs/1708.02182>, after Gal and Ghahramani 2016): one decision for each row of the table, so that
/// all occurrences of a word share their fate. A kept row is multiplied by [`Dropout::scale`], a dropped one is `+0.0`.
///
/// Returns the output and the mask of the rows, which is [`Mask::draw`]'s; [`word_dropout_backward_into`] takes it.
///
/// ```
/// use elision::{Dropout, Key, Tensor, ops};
/// let table = Tensor::full(&[50, 4], 1.0)?;
/// let (y, mask) = ops::word_dropout(&table, &[7, 3, 7], &Dropout::new(Key::new(1), 0.5)?)?;
/// assert_eq!(y.as_slice()[..4], y.as_slice()[8..]);
/// assert_eq!(mask.len(), 50);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`embedding`]; [`Error::Overflow`] if the dropout's offset plus the number of rows does not fit 64 bits.
pub fn word_dropout<'a>(
    table: impl Into<View<'a>>,
    indices: &[u32],
    dropout: &Dropout,
) -> Result<(Tensor, Mask)> {
    let table = table.into();
    let features = check_table(table, indices)?;
    let mut mask = Mask::draw(dropout, table.shape()[0])?;
    let mut out = Tensor::zeros(&[indices.len(), features])?;
    word_dropout_into(table, indices, dropout, &mut out, &mut mask)?;
    Ok((out, mask))
}

/// [`word_dropout`], written to `out`; `keep` is filled with the mask of the rows.
///
/// # Errors
/// Those of [`word_dropout`]; [`Error::Shape`] if `out` is not `[indices.len(), features]`, [`Error::Length`] if `keep`
/// has not one bit a row of the table.
pub fn word_dropout_into<'a, 'b>(
    table: impl Into<View<'a>>,
    indices: &[u32],
    dropout: &Dropout,
    out: impl Into<ViewMut<'b>>,
    keep: &mut Mask,
) -> Result<()> {
    let (table, out) = (table.into(), out.into());
    let features = check_table(table, indices)?;
    check_shape("output", &[indices.len(), features], out.shape())?;
    check_length("mask to fill", table.shape()[0], keep.len())?;
    check_end(dropout, keep.len())?;
    keep.redraw(dropout)?;
    gather(table, indices, fate(keep, dropout), out)
}

/// Adds the gradient of [`word_dropout`] to `grad_table`: row i of `dy` times the factor of word `indices[i]`, for each
/// i whose word was kept. What `grad_table` holds counts: begin with zeros.
///
/// # Errors
/// Those of [`embedding_backward_into`]; [`Error::Length`] if the mask has not one bit a row of the table.
pub fn word_dropout_backward_into<'a, 'b>(
    dy: impl Into<View<'a>>,
    indices: &[u32],
    dropout: &Dropout,
    mask: &Mask,
    grad_table: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let table = grad_table.into();
    check_table(table.as_view(), indices)?;
    check_length("mask of words", table.shape()[0], mask.len())?;
    scatter(dy.into(), indices, fate(mask, dropout), table)
}

/// The factor of each word.
fn fate(mask: &Mask, dropout: &Dropout) -> impl Fn(u32) -> f32 + Sync {
    let scale = dropout.scale();
    move |index| match mask.get(index as usize) {
        Some(true) => scale,
        _ => 0.0,
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
