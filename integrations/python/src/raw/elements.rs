//! Dropout that decides for each element.

use elision::{Dropout, Mask, View, ViewMut, ops};
use pyo3::prelude::*;

use super::dropout_of;
use super::memory::{Memory, Pair};
use crate::dropout::after;
use crate::fault::Result;
use crate::mask::drawing;
use crate::run::{run, run_in_pieces, share};

/// Dropout of `n` numbers from `src` to `dst`.
#[pyfunction]
#[pyo3(signature = (src, dst, n, key_low, key_high, p, offset, /))]
pub(crate) fn _dropout_ptr(
    py: Python<'_>,
    src: usize,
    dst: usize,
    n: usize,
    key_low: u64,
    key_high: u64,
    p: f64,
    offset: u64,
) -> Result<()> {
    let dropout = dropout_of((key_low, key_high), p, offset, n)?;
    let pair = Pair::new(src, dst, n)?;
    run_in_pieces(
        py,
        n,
        |len| pair.cut(len),
        |(start, pair)| forward(pair, &after(&dropout, start), None),
    )
}

/// The same for a caller that has released the interpreter, or never had it.
pub(super) fn dropout_shared_out(
    src: usize,
    dst: usize,
    n: usize,
    key: (u64, u64),
    p: f64,
) -> Result<()> {
    let dropout = dropout_of(key, p, 0, n)?;
    let pair = Pair::new(src, dst, n)?;
    share(
        n,
        |len| pair.cut(len),
        |(start, pair)| forward(pair, &after(&dropout, start), None),
    )
}

/// The same, with the mask written to the words at `bits`.
#[pyfunction]
#[pyo3(signature = (src, dst, bits, n, key_low, key_high, p, offset, /))]
pub(crate) fn _dropout_mask_ptr(
    py: Python<'_>,
    src: usize,
    dst: usize,
    bits: usize,
    n: usize,
    key_low: u64,
    key_high: u64,
    p: f64,
    offset: u64,
) -> Result<()> {
    let dropout = dropout_of((key_low, key_high), p, offset, n)?;
    let words = Memory::<u64>::new("bits", bits, n.div_ceil(64))?;
    words.check_apart(&Memory::<f32>::new("src", src, n)?)?;
    words.check_apart(&Memory::<f32>::new("dst", dst, n)?)?;
    let pair = Pair::new(src, dst, n)?;
    let words = words.write();
    run_in_pieces(
        py,
        n,
        |len| pair.cut(len).zip(words.chunks_mut(len.div_ceil(64))),
        |((start, pair), words)| {
            let mut mask = Mask::none(pair.y.len());
            forward(pair, &after(&dropout, start), Some(&mut mask))?;
            words.copy_from_slice(mask.as_words());
            Ok(())
        },
    )
}

fn forward(pair: Pair, dropout: &Dropout, keep: Option<&mut Mask>) -> elision::Result<()> {
    let n = pair.y.len();
    let y = ViewMut::contiguous(pair.y, &[n])?;
    match pair.x {
        None => ops::dropout_in_place(y, dropout, keep),
        Some(x) => ops::dropout_into(View::contiguous(x, &[n])?, dropout, y, keep),
    }
}

/// `src * scale` where the words at `bits` keep, and `+0.0` elsewhere, to `dst`.
#[pyfunction]
#[pyo3(signature = (src, dst, bits, n, scale, /))]
pub(crate) fn _select_ptr(
    py: Python<'_>,
    src: usize,
    dst: usize,
    bits: usize,
    n: usize,
    scale: f32,
) -> Result<()> {
    let words = Memory::<u64>::new("bits", bits, n.div_ceil(64))?;
    Memory::<f32>::new("dst", dst, n)?.check_apart(&words)?;
    let pair = Pair::new(src, dst, n)?;
    let words = words.read();
    run_in_pieces(
        py,
        n,
        |len| pair.cut(len).zip(words.chunks(len.div_ceil(64))),
        |((_, pair), words)| {
            let n = pair.y.len();
            let mask = Mask::from_words(words.to_vec(), n)?;
            let y = ViewMut::contiguous(pair.y, &[n])?;
            match pair.x {
                None => ops::select_into(&y.as_view().to_tensor()?, &mask, scale, y),
                Some(x) => ops::select_into(View::contiguous(x, &[n])?, &mask, scale, y),
            }
        },
    )
}

/// The words of a key's mask, to `bits`.
#[pyfunction]
#[pyo3(signature = (bits, n, key_low, key_high, p, offset, /))]
pub(crate) fn _mask_ptr(
    py: Python<'_>,
    bits: usize,
    n: usize,
    key_low: u64,
    key_high: u64,
    p: f64,
    offset: u64,
) -> Result<()> {
    let dropout = dropout_of((key_low, key_high), p, offset, n)?;
    let words = Memory::<u64>::new("bits", bits, n.div_ceil(64))?;
    let mask = run(py, drawing(n), || Mask::draw(&dropout, n))?;
    words.write().copy_from_slice(mask.as_words());
    Ok(())
}
