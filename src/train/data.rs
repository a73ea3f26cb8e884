//! Shuffling and gathering.

use crate::error::{Error, Result};
use crate::key::Key;
use crate::tensor::{Tensor, View};

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
        order.swap(i, below(key.fold_in(i as u64), i as u64 + 1) as usize);
    }
    order
}

/// A number below `bound`: the high half of a 128-bit product, whose bias is at most `bound / 2^64`.
fn below(key: Key, bound: u64) -> u64 {
    let random = (key.to_u128() >> 64) as u64;
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

/// The rows of a matrix in the given order.
///
/// # Errors
/// [`Error::Rank`] if `x` is not a matrix, [`Error::Range`] if a row does not exist.
pub fn gather_rows<'a>(x: impl Into<View<'a>>, rows: &[usize]) -> Result<Tensor> {
    let x = x.into();
    let &[available, cols] = x.shape() else {
        return Err(Error::Rank {
            what: "rows to gather",
            expected: 2,
            found: x.rank(),
        });
    };
    if let Some(&row) = rows.iter().find(|&&row| row >= available) {
        let what = "row to gather";
        return Err(Error::Range {
            what,
            start: row,
            end: row.saturating_add(1),
            length: available,
        });
    }
    let mut out = Tensor::zeros(&[rows.len(), cols])?;
    for (out, &row) in out.as_mut_slice().chunks_exact_mut(cols.max(1)).zip(rows) {
        let row = x.slice(0, row..row + 1)?;
        match row.as_slice() {
            Some(row) => out.copy_from_slice(row),
            None => out.iter_mut().zip(row.iter()).for_each(|(out, x)| *out = x),
        }
    }
    Ok(out)
}
