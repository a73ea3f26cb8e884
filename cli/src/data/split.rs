//! The split into training and test rows, and of validation rows from the training rows.

use elision::Key;
use elision::train::shuffled;

use super::{Fault, Part};

/// Which rows are picked out: the last `fraction` of them after a shuffle by `key`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// The key of the shuffle.
    pub key: Key,
    /// The part that is picked, in (0, 1).
    pub fraction: f64,
}

/// Which training rows are held out for validation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HoldOut {
    /// A part of them by chance.
    Fraction(Pick),
    /// As many of the last ones, as those who compare with published numbers for MNIST do with 10,000.
    Last(usize),
}

/// The training rows that remain, and the validation rows.
///
/// # Errors
/// [`Fault::Split`] and [`Fault::HoldOut`] if one of the two would be empty.
pub fn hold_out(train: Part, features: usize, which: HoldOut) -> Result<(Part, Part), Fault> {
    let count = match which {
        HoldOut::Fraction(pick) => return split(&train, features, pick),
        HoldOut::Last(count) => count,
    };
    let rows = train.rows();
    if count == 0 || count >= rows {
        return Err(Fault::HoldOut { rows, count });
    }
    let mut train = train;
    let validation = Part {
        x: train.x.split_off((rows - count) * features),
        labels: train.labels.split_off(rows - count),
    };
    Ok((train, validation))
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
