//! Calls on raw addresses, for packages that hold tensors of their own: the only `unsafe` of the bindings.
#![allow(
    unsafe_code,
    reason = "an address of a caller becomes a slice here, and nowhere else"
)]
#![allow(
    clippy::too_many_arguments,
    reason = "positional numbers are what a call from Python costs least with"
)]

use std::ops::Range;

use elision::ops::LinearGradsInto;
use elision::{AlphaDropout, Dropout, Key, Mask, View, ViewMut, ops};
use pyo3::prelude::*;

use crate::dropout::Rate;
use crate::fault::{Fault, Result};
use crate::linear::{Layer, PySaved, product};
use crate::mask::{count, drawing};
use crate::run::{Work, run};

/// Memory of a caller: `len` elements from an address on.
///
/// Whoever calls a function of this file vouches that the memory is there for the whole call, holds initialised
/// elements, and is neither written by others nor, where it is an output, read by them.
#[derive(Clone, Copy)]
struct Memory<T> {
    name: &'static str,
    address: *mut T,
    len: usize,
}

impl<T> Memory<T> {
    fn new(name: &'static str, address: usize, len: usize) -> Result<Self> {
        let bytes = len.checked_mul(size_of::<T>());
        let end = bytes.and_then(|bytes| address.checked_add(bytes));
        let fits = bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok()) && end.is_some();
        let address = address as *mut T;
        if len > 0 && (address.is_null() || !address.is_aligned() || !fits) {
            return Err(Fault::value(format!(
                "{name}: {len} elements cannot lie at address {address:?}"
            )));
        }
        Ok(Self { name, address, len })
    }

    fn extent(&self) -> Range<usize> {
        let start = self.address as usize;
        start..start + self.len * size_of::<T>()
    }

    /// An error unless this memory lies apart from the other.
    fn check_apart<U>(&self, other: &Memory<U>) -> Result<()> {
        let (a, b) = (self.extent(), other.extent());
        if a.start < b.end && b.start < a.end {
            return Err(Fault::value(format!(
                "{} overlaps {}",
                self.name, other.name
            )));
        }
        Ok(())
    }

    /// The elements, to be read.
    fn read<'a>(self) -> &'a [T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the address is aligned and not null, and the size fits; the caller of the function of Python vouches
        // for the elements and that nobody writes them during the call. No output of the same call overlaps them:
        // each function checks.
        unsafe { std::slice::from_raw_parts(self.address, self.len) }
    }

    /// The elements, to be written.
    fn write<'a>(self) -> &'a mut [T] {
        if self.len == 0 {
            return &mut [];
        }
        // SAFETY: as for `read`; the caller vouches that nobody else uses the elements during the call. Each function
        // calls this once for one memory, and checks that it lies apart from what else it uses.
        unsafe { std::slice::from_raw_parts_mut(self.address, self.len) }
    }
}

/// Source and destination of an elementwise call: apart, or one and the same.
struct Pair {
    x: Option<&'static [f32]>,
    y: &'static mut [f32],
}

impl Pair {
    fn new(src: usize, dst: usize, n: usize) -> Result<Self> {
        let (x, y) = (Memory::new("src", src, n)?, Memory::new("dst", dst, n)?);
        if src == dst {
            return Ok(Self {
                x: None,
                y: y.write(),
            });
        }
        y.check_apart(&x)?;
        Ok(Self {
            x: Some(x.read()),
            y: y.write(),
        })
    }
}

/// The dropout of a key's two halves.
fn dropout_of((low, high): (u64, u64), p: f64, offset: u64) -> Result<Dropout> {
    let key = Key::from_u128(u128::from(low) | u128::from(high) << 64);
    Ok(Dropout::new(key, p)?.with_offset(offset))
}

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
    let dropout = dropout_of((key_low, key_high), p, offset)?;
    forward(py, Pair::new(src, dst, n)?, &dropout, None)
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
    let dropout = dropout_of((key_low, key_high), p, offset)?;
    let words = Memory::<u64>::new("bits", bits, n.div_ceil(64))?;
    words.check_apart(&Memory::<f32>::new("src", src, n)?)?;
    words.check_apart(&Memory::<f32>::new("dst", dst, n)?)?;
    let pair = Pair::new(src, dst, n)?;
    let mut mask = Mask::none(n);
    forward(py, pair, &dropout, Some(&mut mask))?;
    words.write().copy_from_slice(mask.as_words());
    Ok(())
}

fn forward(py: Python<'_>, pair: Pair, dropout: &Dropout, keep: Option<&mut Mask>) -> Result<()> {
    let n = pair.y.len();
    let y = ViewMut::contiguous(pair.y, &[n])?;
    match pair.x {
        None => run(py, Work::Elements(n), || {
            ops::dropout_in_place(y, dropout, keep)
        }),
        Some(x) => {
            let x = View::contiguous(x, &[n])?;
            run(py, Work::Elements(n), || {
                ops::dropout_into(x, dropout, y, keep)
            })
        }
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
    let mask = Mask::from_words(words.read().to_vec(), n)?;
    let y = ViewMut::contiguous(pair.y, &[n])?;
    let copy;
    let x = match pair.x {
        Some(x) => View::contiguous(x, &[n])?,
        None => {
            copy = y.as_view().to_tensor()?;
            copy.view()
        }
    };
    run(py, Work::Elements(n), || {
        ops::select_into(x, &mask, scale, y)
    })
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
    let dropout = dropout_of((key_low, key_high), p, offset)?;
    let words = Memory::<u64>::new("bits", bits, n.div_ceil(64))?;
    let mask = run(py, drawing(n), || Mask::draw(&dropout, n))?;
    words.write().copy_from_slice(mask.as_words());
    Ok(())
}

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
    let dropout = dropout_of((key_low, key_high), p, offset)?;
    let n = count(&shape)?;
    let pair = Pair::new(src, dst, n)?;
    let y = ViewMut::contiguous(pair.y, &shape)?;
    let copy;
    let x = match pair.x {
        Some(x) => View::contiguous(x, &shape)?,
        None => {
            copy = y.as_view().to_tensor()?;
            copy.view()
        }
    };
    run(py, Work::Elements(n), || {
        ops::dropout_shared_into(x, &noise_shape, &dropout, y, None)
    })
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
    let key = dropout_of((key_low, key_high), p, 0)?.key();
    let alpha = AlphaDropout::new(key, p)?;
    let (n, groups) = (count(&shape)?, count(&noise_shape)?);
    let pair = Pair::new(src, dst, n)?;
    let y = ViewMut::contiguous(pair.y, &shape)?;
    let copy;
    let x = match pair.x {
        Some(x) => View::contiguous(x, &shape)?,
        None => {
            copy = y.as_view().to_tensor()?;
            copy.view()
        }
    };
    run(py, Work::Elements(n), || {
        let mut mask = Mask::draw(alpha.dropout(), groups)?;
        if shape != noise_shape {
            mask = mask.broadcast(&noise_shape, &shape)?;
        }
        match backward {
            true => ops::alpha_dropout_backward_into(x, &alpha, &mask, y),
            false => ops::alpha_dropout_into(x, &alpha, &mask, y),
        }
    })
}

/// Rows, units and inputs.
type Sizes = (usize, usize, usize);

/// A matrix, or a vector, of a caller.
fn memory(name: &'static str, address: usize, shape: &[usize]) -> Result<Memory<f32>> {
    Memory::new(name, address, count(shape)?)
}

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
    run(py, product([m, n, k]), || {
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
    run(py, Work::Shared, || saved.backward((g, x, w), y, into))
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
