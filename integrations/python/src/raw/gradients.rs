//! The gradients of a linear layer.

use elision::ops::LinearGradsInto;
use elision::{View, ViewMut, ops};
use pyo3::prelude::*;

use super::linear::Sizes;
use super::memory::{Memory, memory};
use super::parts::Rows;
use crate::fault::Result;
use crate::linear::{PySaved, products};
use crate::run::{run, run_in_parts};

/// The gradients of x, w and bias to addresses, 0 for those that are not wanted, from the addresses of g, x and w.
#[pyfunction]
#[pyo3(signature = (inputs, sizes, saved, outputs, /))]
pub(crate) fn _linear_backward_ptr(
    py: Python<'_>,
    inputs: (usize, usize, usize),
    sizes: Sizes,
    saved: &Bound<'_, PySaved>,
    outputs: (usize, usize, usize),
) -> Result<()> {
    let ((m, n, k), saved) = (sizes, saved.get());
    let read = read("g", inputs, sizes)?;
    let written = [
        wanted("gradient of x", outputs.0, &[m, k])?,
        wanted("gradient of w", outputs.1, &[n, k])?,
        wanted("gradient of bias", outputs.2, &[n])?,
    ];
    check_all_apart(&read, &written)?;
    let [g, x, w] = read.map(Memory::read);
    let [dx, dw, db] = written.map(|output| output.map(Memory::write));
    let into = LinearGradsInto {
        x: view_mut(dx, &[m, k])?,
        w: view_mut(dw, &[n, k])?,
        bias: view_mut(db, &[n])?,
    };
    let (g, x) = (View::contiguous(g, &[m, n])?, View::contiguous(x, &[m, k])?);
    let w = View::contiguous(w, &[n, k])?;
    run(py, products(2, [m, n, k]), || {
        saved.backward((g, x, w), None, into)
    })
}

/// A part of one gradient.
enum Part<'a> {
    OfX(Rows<'a>),
    OfW(Rows<'a>),
}

/// The gradients of x and w to addresses, 0 for one that is not wanted, from the addresses of `dz`, the gradient of the
/// product `x @ w.T`, x and w.
#[pyfunction]
#[pyo3(signature = (inputs, sizes, outputs, /))]
pub(crate) fn _product_backward_ptr(
    py: Python<'_>,
    inputs: (usize, usize, usize),
    sizes: Sizes,
    outputs: (usize, usize),
) -> Result<()> {
    let (m, n, k) = sizes;
    let read = read("dz", inputs, sizes)?;
    let written = [
        wanted("gradient of x", outputs.0, &[m, k])?,
        wanted("gradient of w", outputs.1, &[n, k])?,
    ];
    check_all_apart(&read, &written)?;
    let [dz, x, w] = read.map(Memory::read);
    let [dx, dw] = written.map(|output| output.map_or(&mut [][..], Memory::write));
    let (x, w) = (View::contiguous(x, &[m, k])?, View::contiguous(w, &[n, k])?);
    let gradient = |part| match part {
        Part::OfX(rows) => {
            let dz = View::contiguous(rows.of(dz, n), &[rows.count, n])?;
            let dx = ViewMut::contiguous(rows.elements, &[rows.count, k])?;
            ops::matmul_into(dz, w, dx)
        }
        Part::OfW(rows) => {
            let units = rows.first..rows.first + rows.count;
            let dz = View::contiguous(dz, &[m, n])?.slice(1, units)?;
            let dw = ViewMut::contiguous(rows.elements, &[rows.count, k])?;
            ops::matmul_into(dz.transpose(0, 1)?, x, dw)
        }
    };
    run_in_parts(
        py,
        products(2, [m, n, k]),
        |parts| {
            let of_x = Rows::cut(dx, [m, k], parts).map(Part::OfX);
            of_x.chain(Rows::cut(dw, [n, k], parts).map(Part::OfW))
        },
        gradient,
    )
}

/// The gradient of a name, `[m, n]`, the input `[m, k]` and the weights `[n, k]`.
fn read(
    gradient: &'static str,
    (g, x, w): (usize, usize, usize),
    (m, n, k): Sizes,
) -> Result<[Memory<f32>; 3]> {
    Ok([
        memory(gradient, g, &[m, n])?,
        memory("x", x, &[m, k])?,
        memory("w", w, &[n, k])?,
    ])
}

/// An output, unless its address is 0.
fn wanted(name: &'static str, address: usize, shape: &[usize]) -> Result<Option<Memory<f32>>> {
    (address != 0)
        .then(|| memory(name, address, shape))
        .transpose()
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
