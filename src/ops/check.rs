//! Checks that several operations share.

use crate::error::{Error, Result};
use crate::tensor::View;

/// A view must have that rank.
pub(super) fn check_rank(what: &'static str, view: View<'_>, expected: usize) -> Result<()> {
    match view.rank() {
        found if found == expected => Ok(()),
        found => Err(Error::Rank {
            what,
            expected,
            found,
        }),
    }
}

/// A shape must be that one.
pub(super) fn check_shape(what: &'static str, expected: &[usize], found: &[usize]) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Shape {
        what,
        expected: expected.into(),
        found: found.into(),
    })
}
