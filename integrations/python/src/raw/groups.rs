//! Dropout that decides for groups of elements, and alpha dropout.

use std::ops::Range;

use elision::{AlphaDropout, Dropout, Mask, View, ViewMut, ops};
use pyo3::prelude::*;

use super::dropout_of;
use super::memory::Pair;
use crate::dropout::after;
use crate::fault::{Fault, Result};
use crate::mask::count;
use crate::run::run_in_pieces;

/// Dropout of groups: the decisions have the shape `noise_shape`, and are broadcast to `shape`.
#[pyfunction]
#[pyo3(signature = (src, dst, shape, noise_shape, key_low, key_high, p, offset, /))]
pub(crate) fn _dropout_shared_ptr(
    py: Python<'_>,
    src: usize,
    dst: usize,
    shape: Vec<usize>,
    noise_shape: Vec<usize>,
    key_low: u64,
    key_high: u64,
    p: f64,
    offset: u64,
) -> Result<()> {
    let (n, rows) = (count(&shape)?, Rows::new(&shape, &noise_shape)?);
    let dropout = dropout_of((key_low, key_high), p, offset, count(&noise_shape)?)?;
    let pair = Pair::new(src, dst, n)?;
    run_in_pieces(
        py,
        n,
        |len| pair.cut(rows.whole(len)),
        |(start, pair)| {
            let piece = rows.piece(start, pair.y.len());
            with_source(pair, &piece.shape, |x, y| {
                let dropout = piece.dropout(&dropout);
                ops::dropout_shared_into(x, &piece.noise_shape, &dropout, y, None)
            })
        },
    )
}

/// Alpha dropout, or its gradient, by a mask that is drawn on `noise_shape` and broadcast to `shape`.
#[pyfunction]
#[pyo3(signature = (src, dst, shape, noise_shape, key_low, key_high, p, backward, /))]
pub(crate) fn _alpha_dropout_ptr(
    py: Python<'_>,
    src: usize,
    dst: usize,
    shape: Vec<usize>,
    noise_shape: Vec<usize>,
    key_low: u64,
    key_high: u64,
    p: f64,
    backward: bool,
) -> Result<()> {
    let (n, rows) = (count(&shape)?, Rows::new(&shape, &noise_shape)?);
    let dropout = dropout_of((key_low, key_high), p, 0, count(&noise_shape)?)?;
    let alpha = AlphaDropout::new(dropout.key(), p)?;
    let pair = Pair::new(src, dst, n)?;
    run_in_pieces(
        py,
        n,
        |len| pair.cut(rows.whole(len)),
        |(start, pair)| {
            let piece = rows.piece(start, pair.y.len());
            let mask = piece.mask(&piece.dropout(alpha.dropout()))?;
            with_source(pair, &piece.shape, |x, y| match backward {
                true => ops::alpha_dropout_backward_into(x, &alpha, &mask, y),
                false => ops::alpha_dropout_into(x, &alpha, &mask, y),
            })
        },
    )
}

/// Calls `f` with the source and the destination of a pair; in place, the source is a copy.
fn with_source(
    pair: Pair,
    shape: &[usize],
    f: impl FnOnce(View<'_>, ViewMut<'_>) -> elision::Result<()>,
) -> elision::Result<()> {
    let y = ViewMut::contiguous(pair.y, shape)?;
    match pair.x {
        Some(x) => f(View::contiguous(x, shape)?, y),
        None => f(y.as_view().to_tensor()?.view(), y),
    }
}

/// A tensor as rows that decide apart from each other: the leading axes along which every index has its own group.
struct Rows {
    /// The axes of one row, and those of its groups.
    axes: Vec<usize>,
    noise_axes: Vec<usize>,
    /// Elements and groups of one row.
    len: usize,
    groups: usize,
}

impl Rows {
    fn new(shape: &[usize], noise_shape: &[usize]) -> Result<Self> {
        if shape.len() != noise_shape.len() {
            return Err(Fault::value(format!(
                "noise_shape {noise_shape:?} and shape {shape:?} differ in the number of axes"
            )));
        }
        let axes = shape.iter().zip(noise_shape);
        let own = axes.take_while(|(axis, noise)| axis == noise).count();
        Ok(Self {
            len: count(&shape[own..])?,
            groups: count(&noise_shape[own..])?,
            axes: shape[own..].to_vec(),
            noise_axes: noise_shape[own..].to_vec(),
        })
    }

    /// The elements of as many whole rows as `len` elements touch: at least one row.
    fn whole(&self, len: usize) -> usize {
        len.next_multiple_of(self.len.max(1))
    }

    /// The rows of `len` elements from number `start` on.
    fn piece(&self, start: usize, len: usize) -> Piece {
        let of = |elements: usize| elements / self.len.max(1);
        let with = |axes: &[usize]| [&[of(len)], axes].concat();
        Piece {
            shape: with(&self.axes),
            noise_shape: with(&self.noise_axes),
            groups: of(start) * self.groups..of(start + len) * self.groups,
        }
    }
}

/// Some rows: their shape, and which of all groups are theirs.
struct Piece {
    shape: Vec<usize>,
    noise_shape: Vec<usize>,
    groups: Range<usize>,
}

impl Piece {
    /// The dropout of these groups alone.
    fn dropout(&self, dropout: &Dropout) -> Dropout {
        after(dropout, self.groups.start)
    }

    fn mask(&self, dropout: &Dropout) -> elision::Result<Mask> {
        let mask = Mask::draw(dropout, self.groups.len())?;
        match self.shape == self.noise_shape {
            true => Ok(mask),
            false => mask.broadcast(&self.noise_shape, &self.shape),
        }
    }
}
