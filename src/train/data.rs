//! Shuffling and gathering.

use super::loss::rows;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::tensor::{Dims, Tensor, View};

/// A permutation of `0..n` that is a function of the key: Fisher and Yates's shuffle.
///
/// ```
/// use elision::{Key, train::shuffled};
/// let mut order = shuffled(Key::new(1), 100);
/// assert_eq!(order, shuffled(Key::new(1), 100));
/// order.sort();
/// assert_eq!(order, (0..100).collect::<Vec<_>>());
/// ```
#[must_use]
pub fn shuffled(key: Key, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, key.fold_in(i as u64).below(i as u64 + 1) as usize);
    }
    order
}

/// The rows of `x` in the given order: all that lies below an index of the first axis.
///
/// # Errors
/// [`Error::Rank`] if `x` has no axis, [`Error::Range`] if a row does not exist, [`Error::Overflow`] if the result
/// cannot be allocated.
pub fn gather_rows<'a>(x: impl Into<View<'a>>, rows: &[usize]) -> Result<Tensor> {
    let x = x.into();
    check_rows(x, rows)?;
    let mut shape = Dims::new(x.shape())?;
    shape[0] = rows.len();
    let mut out = Tensor::zeros(&shape)?;
    gather_into(x, rows, out.as_mut_slice())?;
    Ok(out)
}

/// The same, written to `out`, which has as many elements as the rows.
pub(super) fn gather_into(x: View<'_>, rows: &[usize], out: &mut [f32]) -> Result<()> {
    check_rows(x, rows)?;
    let len: usize = x.shape()[1..].iter().product();
    for (out, &row) in out.chunks_exact_mut(len.max(1)).zip(rows) {
        let row = x.slice(0, row..row + 1)?;
        match row.as_slice() {
            Some(row) => out.copy_from_slice(row),
            None => out.iter_mut().zip(row.iter()).for_each(|(out, x)| *out = x),
        }
    }
    Ok(())
}

fn check_rows(x: View<'_>, gathered: &[usize]) -> Result<()> {
    let length = rows("rows to gather", x)?;
    match gathered.iter().find(|&&row| row >= length) {
        None => Ok(()),
        Some(&start) => Err(Error::Range {
            what: "row to gather",
            start,
            end: start.saturating_add(1),
            length,
        }),
    }
}
