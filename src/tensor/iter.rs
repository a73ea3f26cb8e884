//! Iteration over the elements of a view.

use super::View;
use super::dims::Dims;

/// The elements of a view in row-major order; made by [`View::iter`].
#[derive(Clone)]
pub struct Iter<'a> {
    view: View<'a>,
    /// The index of the next element.
    index: Dims,
    /// Its offset in the view's data.
    offset: usize,
    left: usize,
}

impl<'a> Iter<'a> {
    pub(super) fn new(view: View<'a>) -> Self {
        Self {
            view,
            index: Dims::zeros(view.rank()),
            offset: 0,
            left: view.len(),
        }
    }

    /// Steps the last axis, and where it ends the one before it.
    fn advance(&mut self) {
        for axis in (0..self.index.len()).rev() {
            let (dim, stride) = (self.view.shape()[axis], self.view.strides()[axis]);
            self.index[axis] += 1;
            if self.index[axis] < dim {
                self.offset += stride;
                return;
            }
            self.index[axis] = 0;
            self.offset -= (dim - 1) * stride;
        }
    }
}

impl Iterator for Iter<'_> {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        self.left = self.left.checked_sub(1)?;
        let x = self.view.data()[self.offset];
        self.advance();
        Some(x)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
