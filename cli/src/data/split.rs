//! The split into training and test rows.

use elision::Key;
use elision::train::shuffled;

use super::{Fault, Part};

/// Which rows are for testing: the last `fraction` of them after a shuffle by `key`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// The key of the shuffle.
    pub key: Key,
    /// The part that is for testing, in (0, 1).
    pub fraction: f64,
}

/// Splits rows of `features` columns into a training and a test part.
///
/// # Errors
/// [`Fault::Split`] if one of them would be empty.
pub fn split(rows: &Part, features: usize, pick: Pick) -> Result<(Part, Part), Fault> {
    let count = rows.rows();
    let test = (count as f64 * pick.fraction).round() as usize;
    if test == 0 || test >= count {
        return Err(Fault::Split {
            rows: count,
            fraction: pick.fraction,
        });
    }
    let order = shuffled(pick.key, count);
    let (train, test) = order.split_at(count - test);
    Ok((select(rows, features, train), select(rows, features, test)))
}

fn select(rows: &Part, features: usize, order: &[usize]) -> Part {
    let mut x = Vec::with_capacity(order.len() * features);
    for &row in order {
        x.extend_from_slice(&rows.x[row * features..][..features]);
    }
    Part {
        x,
        labels: order.iter().map(|&row| rows.labels[row]).collect(),
    }
}
