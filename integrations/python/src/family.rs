//! The rest of the family: noise, alpha dropout, blocks, heads, rates of each element's own, and words.

use elision::{AlphaDropout, Channels, Dims, DropBlock, Mask, Noise, SharedMask, ops};
use pyo3::prelude::*;

use crate::array::{Elementwise, Input, Output};
use crate::dropout::{Rate, key};
use crate::fault::{Fault, Result};
use crate::mask::{PyMask, Shape, count};
use crate::run::{Work, run};

type Array<'py> = Bound<'py, PyAny>;

/// Work of so many random numbers.
fn numbers(len: usize) -> Work {
    Work::Elements(len.saturating_mul(3))
}

/// Normal or uniform numbers of a key.
#[pyfunction]
#[pyo3(signature = (key_, shape, uniform, /))]
pub(crate) fn draw_numbers<'py>(
    py: Python<'py>,
    key_: &Array<'py>,
    shape: Shape,
    uniform: bool,
) -> Result<Array<'py>> {
    let (key, shape) = (key(key_)?, shape.dims()?);
    count(&shape)?;
    let mut out = Output::new(py, &shape)?;
    let (work, to) = (numbers(out.len()), out.view()?);
    run(py, work, || match uniform {
        true => ops::uniform_into(key, to),
        false => ops::normal_into(key, to),
    })?;
    Ok(out.into_object())
}

/// A noise: the word for its numbers, how wide it is, and whether it is added.
pub(crate) struct Width(String, f64, bool);

impl<'py> FromPyObject<'_, 'py> for Width {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let (kind, spread, added) = object.extract()?;
        Ok(Self(kind, spread, added))
    }
}

/// Noise that multiplies or is added, or its backward pass.
#[pyfunction]
#[pyo3(signature = (x, key_, width, backward, out, /))]
pub(crate) fn noise<'py>(
    x: &Array<'py>,
    key_: &Array<'py>,
    width: Width,
    backward: bool,
    out: Option<&Array<'py>>,
) -> Result<Array<'py>> {
    let (py, key, Width(kind, spread, added)) = (x.py(), key(key_)?, width);
    let noise = match kind.as_str() {
        "dropout" => Noise::gaussian_dropout(key, spread)?,
        "gaussian" => Noise::gaussian(key, spread)?,
        "uniform" => Noise::uniform(key, spread)?,
        _ => {
            return Err(Fault::value(format!(
                "kind = {kind:?} is none of gaussian, uniform"
            )));
        }
    };
    let noise = if added { noise.added() } else { noise };
    let (x, mut y) = Elementwise::apart("x", x, out)?;
    let (from, to) = (x.view()?, y.view()?);
    run(py, numbers(x.len()), || match backward {
        true => ops::noise_backward_into(from, &noise, to),
        false => ops::noise_into(from, &noise, to),
    })?;
    Ok(y.into_object())
}

/// Alpha dropout, with its mask and the factor of its gradient.
#[pyfunction]
#[pyo3(signature = (x, rate, out, /))]
pub(crate) fn alpha_dropout<'py>(
    x: &Array<'py>,
    rate: Rate,
    out: Option<&Array<'py>>,
) -> Result<(Array<'py>, PyMask)> {
    let py = x.py();
    let alpha = AlphaDropout::new(rate.0.key(), rate.0.p())?;
    let (x, mut y) = Elementwise::apart("x", x, out)?;
    let shape = Dims::new(x.shape())?;
    let (from, to, len) = (x.view()?, y.view()?, x.len());
    let mask = run(py, Work::Elements(len), || {
        let mask = Mask::draw(&rate.0, len)?;
        ops::alpha_dropout_into(from, &alpha, &mask, to)?;
        Ok(mask)
    })?;
    Ok((y.into_object(), PyMask { mask, shape }))
}

/// The factor of the gradient of alpha dropout where an element is kept.
#[pyfunction]
#[pyo3(signature = (p, /))]
pub(crate) fn alpha_scale_of(p: f64) -> Result<f32> {
    Ok(AlphaDropout::new(elision::Key::new(0), p)?.scale() as f32)
}

/// `DropBlock`, with its mask and the factor of what is kept.
#[pyfunction]
#[pyo3(signature = (x, rate, blocks, out, /))]
pub(crate) fn drop_block<'py>(
    x: &Array<'py>,
    rate: Rate,
    blocks: (usize, bool, bool),
    out: Option<&Array<'py>>,
) -> Result<(Array<'py>, PyMask, f32)> {
    let (size, coupled, channels_first) = blocks;
    let mut block = DropBlock::new(size)?;
    if coupled {
        block = block.coupled();
    }
    if channels_first {
        block = block.with_channels(Channels::First);
    }
    let py = x.py();
    let (x, mut y) = Elementwise::apart("x", x, out)?;
    let (from, to) = (x.view()?, y.view()?);
    let shared: SharedMask = run(py, Work::Elements(x.len()), || {
        ops::drop_block_into(from, &block, &rate.0, to)
    })?;
    let mask = PyMask::of(shared.mask().clone(), shared.noise_shape())?;
    Ok((y.into_object(), mask, shared.scale()))
}

/// Dropout of heads, with its mask.
#[pyfunction]
#[pyo3(signature = (x, rate, out, /))]
pub(crate) fn drop_heads<'py>(
    x: &Array<'py>,
    rate: Rate,
    out: Option<&Array<'py>>,
) -> Result<(Array<'py>, PyMask)> {
    let py = x.py();
    let (x, mut y) = Elementwise::apart("x", x, out)?;
    let (from, to) = (x.view()?, y.view()?);
    let mask = run(py, Work::Elements(x.len()), || {
        ops::drop_heads_into(from, &rate.0, to)
    })?;
    let mask = PyMask::of(mask, &x.shape()[..2])?;
    Ok((y.into_object(), mask))
}

/// The gradient of dropout of heads.
#[pyfunction]
#[pyo3(signature = (g, mask, out, /))]
pub(crate) fn drop_heads_backward<'py>(
    g: &Array<'py>,
    mask: &Bound<'py, PyMask>,
    out: Option<&Array<'py>>,
) -> Result<Array<'py>> {
    let (py, mask) = (g.py(), &mask.get().mask);
    let (g, mut y) = Elementwise::apart("g", g, out)?;
    let (from, to) = (g.view()?, y.view()?);
    run(py, Work::Elements(g.len()), || {
        ops::drop_heads_backward_into(from, mask, to)
    })?;
    Ok(y.into_object())
}

/// Dropout by a mask that was drawn at the rates, or its gradient: the two are one function.
#[pyfunction]
#[pyo3(signature = (x, rates, mask, out, /))]
pub(crate) fn dropout_rates<'py>(
    x: &Array<'py>,
    rates: &Array<'py>,
    mask: &Bound<'py, PyMask>,
    out: Option<&Array<'py>>,
) -> Result<Array<'py>> {
    let (py, mask) = (x.py(), &mask.get().mask);
    let rates = Input::new("rates", rates)?;
    let (x, mut y) = Elementwise::apart("x", x, out)?;
    let (from, by, to) = (x.view()?, rates.view()?, y.view()?);
    run(py, Work::Elements(x.len()), || {
        ops::dropout_rates_backward_into(from, by, mask, to)
    })?;
    Ok(y.into_object())
}

/// Rows of a table with dropout of words, and the mask of the words.
#[pyfunction]
#[pyo3(signature = (table, indices, rate, /))]
pub(crate) fn word_dropout<'py>(
    table: &Array<'py>,
    indices: &Array<'py>,
    rate: Rate,
) -> Result<(Array<'py>, PyMask)> {
    let py = table.py();
    let (table, indices) = (
        Input::new("table", table)?,
        Input::<u32>::new("indices", indices)?,
    );
    let indices = indices.to_row_major()?;
    let &[words, features] = table.shape() else {
        return Err(Fault::value("table is no matrix [words, features]"));
    };
    let mut y = Output::new(py, &[indices.len(), features])?;
    let (from, work, to) = (table.view()?, Work::Elements(y.len()), y.view()?);
    let mut mask = Mask::none(words);
    run(py, work, || {
        ops::word_dropout_into(from, &indices, &rate.0, to, &mut mask)
    })?;
    Ok((y.into_object(), PyMask::of(mask, &[words])?))
}

/// The gradient of the table of `word_dropout`.
#[pyfunction]
#[pyo3(signature = (g, indices, rate, mask, /))]
pub(crate) fn word_dropout_backward<'py>(
    g: &Array<'py>,
    indices: &Array<'py>,
    rate: Rate,
    mask: &Bound<'py, PyMask>,
) -> Result<Array<'py>> {
    let (py, mask) = (g.py(), &mask.get().mask);
    let (g, indices) = (Input::new("g", g)?, Input::<u32>::new("indices", indices)?);
    let indices = indices.to_row_major()?;
    let &[_, features] = g.shape() else {
        return Err(Fault::value("g is no matrix [indices, features]"));
    };
    let mut table = Output::new(py, &[mask.len(), features])?;
    let (work, from, mut to) = (Work::Elements(g.len()), g.view()?, table.view()?);
    run(py, work, || {
        to.data_mut().fill(0.0);
        ops::word_dropout_backward_into(from, &indices, &rate.0, mask, to)
    })?;
    Ok(table.into_object())
}
