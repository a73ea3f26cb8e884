//! The product of a linear layer, its activation and its dropout.

use elision::ops::LinearGradsInto;
use elision::{View, ViewMut, ops};
use pyo3::prelude::*;

use super::memory::{Memory, memory};
use crate::dropout::Rate;
use crate::fault::{Fault, Result};
use crate::linear::{Layer, PySaved, products};
use crate::run::run;

/// Rows, units and inputs.
type Sizes = (usize, usize, usize);

/// `dropout(activation(x @ w.T + bias))` to `y`, and what the backward pass needs if it is wanted.
///
/// The addresses are those of x, w, bias (0 for none) and y; `rate` is `(p, key, offset)`; `save` is "nothing", "bits" or
/// "state", which is what is needed beside the output.
#[pyfunction]
#[pyo3(signature = (addresses, sizes, activation, rate, save, /))]
pub(crate) fn _linear_ptr(
    py: Python<'_>,
    addresses: (usize, usize, usize, usize),
    sizes: Sizes,
    activation: &str,
    rate: Option<Rate>,
    save: &str,
) -> Result<Option<PySaved>> {
    let layer = Layer::new(activation, rate)?;
    let mut saved = match save {
        "nothing" => None,
        "bits" => Some(Layer::saves(false)),
        "state" => Some(Layer::saves(true)),
        _ => {
            return Err(Fault::value(format!(
                "save = {save:?} is none of nothing, bits, state"
            )));
        }
    };
    let ((x, w, bias, y), (m, n, k)) = (addresses, sizes);
    let bias = (bias != 0)
        .then(|| memory("bias", bias, &[n]))
        .transpose()?;
    let (x, w) = (memory("x", x, &[m, k])?, memory("w", w, &[n, k])?);
    let y = memory("y", y, &[m, n])?;
    for input in [Some(&x), Some(&w), bias.as_ref()].into_iter().flatten() {
        y.check_apart(input)?;
    }
    let (x, w) = (
        View::contiguous(x.read(), &[m, k])?,
        View::contiguous(w.read(), &[n, k])?,
    );
    let bias = bias
        .map(|bias| View::contiguous(bias.read(), &[n]))
        .transpose()?;
    let y = ViewMut::contiguous(y.write(), &[m, n])?;
    let keep = saved.as_mut();
    run(py, products(1, [m, n, k]), || {
        ops::linear_into(x, w, &layer.epilogue(bias), y, keep)
    })?;
    Ok(saved.map(|saved| PySaved::new(saved, layer, [m, n])))
}

/// The gradients of that layer to addresses, 0 for those that are not wanted.
///
/// The inputs are the addresses of g, x, w and y (0 if the bits were saved), the outputs those of the gradients of x, w
/// and bias.
#[pyfunction]
#[pyo3(signature = (inputs, sizes, saved, outputs, /))]
pub(crate) fn _linear_backward_ptr(
    py: Python<'_>,
    inputs: (usize, usize, usize, usize),
    sizes: Sizes,
    saved: &Bound<'_, PySaved>,
    outputs: (usize, usize, usize),
) -> Result<()> {
    let ((g, x, w, y), (m, n, k)) = (inputs, sizes);
    let saved = saved.get();
    let read = [
        memory("g", g, &[m, n])?,
        memory("x", x, &[m, k])?,
        memory("w", w, &[n, k])?,
        memory("y", y, &[if y == 0 { 0 } else { m }, n])?,
    ];
    let wanted = |name, address, shape: &[usize]| {
        (address != 0)
            .then(|| memory(name, address, shape))
            .transpose()
    };
    let written = [
        wanted("gradient of x", outputs.0, &[m, k])?,
        wanted("gradient of w", outputs.1, &[n, k])?,
        wanted("gradient of bias", outputs.2, &[n])?,
    ];
    check_all_apart(&read, &written)?;
    let [g, x, w, y] = read.map(Memory::read);
    let [dx, dw, db] = written.map(|output| output.map(Memory::write));
    let into = LinearGradsInto {
        x: view_mut(dx, &[m, k])?,
        w: view_mut(dw, &[n, k])?,
        bias: view_mut(db, &[n])?,
    };
    let y = (inputs.3 != 0)
        .then(|| View::contiguous(y, &[m, n]))
        .transpose()?;
    let (g, x) = (View::contiguous(g, &[m, n])?, View::contiguous(x, &[m, k])?);
    let w = View::contiguous(w, &[n, k])?;
    run(py, products(2, [m, n, k]), || {
        saved.backward((g, x, w), y, into)
    })
}

/// An error if an output meets an input or another output.
fn check_all_apart(read: &[Memory<f32>], written: &[Option<Memory<f32>>]) -> Result<()> {
    for (i, output) in written.iter().enumerate() {
        let Some(output) = output else { continue };
        let others = written[..i].iter().flatten();
        for other in read.iter().chain(others) {
            output.check_apart(other)?;
        }
    }
    Ok(())
}

fn view_mut<'a>(slice: Option<&'a mut [f32]>, shape: &[usize]) -> Result<Option<ViewMut<'a>>> {
    let view = slice.map(|slice| ViewMut::contiguous(slice, shape));
    Ok(view.transpose()?)
}

/// What a layer leaves that saves neither bits nor sums, so that it need not be kept: its backward pass reads the output.
/// For no activation or ReLU.
#[pyfunction]
#[pyo3(signature = (activation, rate, shape, /))]
pub(crate) fn _linear_state(
    activation: &str,
    rate: Option<Rate>,
    shape: [usize; 2],
) -> Result<PySaved> {
    Ok(PySaved::new(
        Layer::saves(true),
        Layer::new(activation, rate)?,
        shape,
    ))
}
