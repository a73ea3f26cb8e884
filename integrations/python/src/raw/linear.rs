//! The product of a linear layer, its activation and its dropout.

use elision::ops::Saved;
use elision::{View, ViewMut, ops};
use pyo3::prelude::*;

use super::memory::memory;
use super::parts::Rows;
use crate::dropout::{Rate, check_end};
use crate::fault::Result;
use crate::linear::{Layer, PySaved, products};
use crate::mask::count;
use crate::run::{run, run_in_parts};

/// Rows, units and inputs.
pub(super) type Sizes = (usize, usize, usize);

/// `dropout(activation(x @ w.T + bias))` to `y`, and, if it is asked for, what the backward pass needs.
///
/// The addresses are those of x, w, bias (0 for none) and y; `rate` is `(p, key, offset)`.
#[pyfunction]
#[pyo3(signature = (addresses, sizes, activation, rate, save, /))]
pub(crate) fn _linear_ptr(
    py: Python<'_>,
    addresses: (usize, usize, usize, usize),
    sizes: Sizes,
    activation: &str,
    rate: Option<Rate>,
    save: bool,
) -> Result<Option<PySaved>> {
    let layer = Layer::new(activation, rate)?;
    let ((x, w, bias, y), (m, n, k)) = (addresses, sizes);
    let offset = layer.dropout.map_or(0, |dropout| dropout.offset());
    check_end(offset, count(&[m, n])?)?;
    let bias = (bias != 0)
        .then(|| memory("bias", bias, &[n]))
        .transpose()?;
    let (x, w) = (memory("x", x, &[m, k])?, memory("w", w, &[n, k])?);
    let y = memory("y", y, &[m, n])?;
    for input in [Some(&x), Some(&w), bias.as_ref()].into_iter().flatten() {
        y.check_apart(input)?;
    }
    let (x, w, y) = (x.read(), View::contiguous(w.read(), &[n, k])?, y.write());
    let bias = bias
        .map(|bias| View::contiguous(bias.read(), &[n]))
        .transpose()?;
    let forward = |rows: Rows<'_>, keep: Option<&mut Saved>| {
        let x = View::contiguous(rows.of(x, k), &[rows.count, k])?;
        let layer = layer.after(rows.first * n);
        let y = ViewMut::contiguous(rows.elements, &[rows.count, n])?;
        ops::linear_into(x, w, &layer.epilogue(bias), y, keep)
    };
    let work = products(1, [m, n, k]);
    if save {
        // What is saved is of all rows.
        let mut saved = Layer::saves(true);
        run(py, work, || forward(Rows::all(y, m), Some(&mut saved)))?;
        return Ok(Some(PySaved::new(saved, layer, [m, n])));
    }
    run_in_parts(
        py,
        work,
        |parts| Rows::cut(y, [m, n], parts),
        |rows| forward(rows, None),
    )?;
    Ok(None)
}
