//! What several operations do with their arguments first.

use super::elementwise::copy_into;
use crate::error::{Error, Result};
use crate::tensor::{Tensor, View, ViewMut};

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

/// A length must be that one.
pub(super) fn check_length(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Length {
        what,
        expected,
        found,
    })
}

/// A view's elements in row-major order: borrowed where they lie so, else a copy.
pub(super) enum Contiguous<'a> {
    Borrowed(&'a [f32]),
    Owned(Tensor),
}

impl<'a> Contiguous<'a> {
    pub(super) fn new(view: View<'a>) -> Result<Self> {
        match view.as_slice() {
            Some(slice) => Ok(Self::Borrowed(slice)),
            None => view.to_tensor().map(Self::Owned),
        }
    }

    pub(super) fn as_slice(&self) -> &[f32] {
        match self {
            Self::Borrowed(slice) => slice,
            Self::Owned(tensor) => tensor.as_slice(),
        }
    }
}

/// A view's elements in row-major order, to be changed: in place where they lie so, else in a copy that
/// [`finish`](Self::finish) writes back.
pub(super) struct ContiguousMut<'a> {
    view: ViewMut<'a>,
    copy: Option<Tensor>,
}

impl<'a> ContiguousMut<'a> {
    pub(super) fn new(mut view: ViewMut<'a>) -> Result<Self> {
        let copy = match view.as_mut_slice() {
            Some(_) => None,
            None => Some(view.as_view().to_tensor()?),
        };
        Ok(Self { view, copy })
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [f32] {
        match &mut self.copy {
            Some(copy) => copy.as_mut_slice(),
            None => self.view.as_mut_slice().unwrap_or_default(),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        let Self { view, copy } = self;
        copy.map_or(Ok(()), |copy| copy_into(&copy, view))
    }
}
