//! What the embedded tables share.

use std::io::Read;

use elision::Key;

use super::table::Table;
use super::{Fault, Part, Pick, split, table};

/// A table without a line of names whose label is column `label`, counted from 1, and its training and test rows.
/// The shuffle's key is fixed, so that runs with different seeds are judged by the same rows.
pub(super) fn split_table(
    content: impl Read,
    label: &str,
    test: f64,
) -> Result<(Table, Part, Part), Fault> {
    let layout = table::Layout {
        label: label.to_owned(),
        header: false,
    };
    let table = table::read(content, &layout)?;
    let pick = Pick {
        key: Key::new(0),
        fraction: test,
    };
    let (train, test) = split(&table.rows, table.features(), pick)?;
    Ok((table, train, test))
}
