//! The fused linear layer and its backward pass.

use elision::ops::{LinearGradsInto, Saved};
use elision::{Activation, Dropout, Epilogue, View, ops};
use pyo3::prelude::*;

use crate::array::{Input, Output, words};
use crate::dropout::{Rate, after};
use crate::fault::{Fault, Result};
use crate::mask::PyMask;
use crate::run::{Work, run};

/// What `linear` leaves for `linear_backward`: at most a bit an element of the output, four bytes more for an
/// activation that is smooth.
#[pyclass(frozen, module = "elision", name = "Saved")]
pub(crate) struct PySaved {
    pub(crate) saved: Saved,
    pub(crate) layer: Layer,
    /// The shape of the output.
    shape: [usize; 2],
}

/// What follows the product.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    pub(crate) activation: Activation,
    pub(crate) dropout: Option<Dropout>,
}

impl Layer {
    pub(crate) fn new(activation: &str, dropout: Option<Rate>) -> Result<Self> {
        Ok(Self {
            activation: activation.parse()?,
            dropout: dropout.map(|rate| rate.0),
        })
    }

    /// The same layer for the rows that come after so many elements of the output.
    pub(crate) fn after(&self, elements: usize) -> Self {
        Self {
            dropout: self.dropout.map(|dropout| after(&dropout, elements)),
            ..*self
        }
    }

    pub(crate) fn epilogue<'a>(&self, bias: Option<View<'a>>) -> Epilogue<'a> {
        Epilogue {
            bias,
            activation: self.activation,
            dropout: self.dropout,
        }
    }

    /// What a forward pass saves: bits, or the state from which they are found again.
    pub(crate) fn saves(recompute: bool) -> Saved {
        if recompute {
            Saved::recomputing()
        } else {
            Saved::default()
        }
    }
}

impl PySaved {
    pub(crate) fn new(saved: Saved, layer: Layer, shape: [usize; 2]) -> Self {
        Self {
            saved,
            layer,
            shape,
        }
    }
}

#[pymethods]
impl PySaved {
    /// The bytes of memory of what is saved.
    #[getter]
    fn nbytes(&self) -> usize {
        self.saved.bytes()
    }

    /// The shape of the output.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        self.shape.into()
    }

    /// The word for the activation.
    #[getter]
    fn activation(&self) -> &'static str {
        self.layer.activation.name()
    }

    /// The elements with a gradient, kept by dropout and not cut by ReLU; None if all have one or no bits were saved.
    #[getter]
    fn mask(&self) -> Result<Option<PyMask>> {
        let mask = self.saved.kept().cloned();
        mask.map(|mask| PyMask::of(mask, &self.shape)).transpose()
    }

    fn __repr__(&self) -> String {
        format!(
            "Saved({} bytes, shape {:?})",
            self.saved.bytes(),
            self.shape
        )
    }
}

/// The multiply-adds of so many products of these rows, units and inputs.
pub(crate) fn products(count: usize, sizes: [usize; 3]) -> Work {
    Work::Product(
        sizes
            .iter()
            .fold(count, |work, &size| work.saturating_mul(size)),
    )
}

/// Input, weights and bias: matrices that fit each other.
struct Operands<'py> {
    x: Input<'py>,
    w: Input<'py>,
    bias: Option<Input<'py>>,
    /// Rows, units and inputs.
    sizes: [usize; 3],
}

type Three<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Option<Bound<'py, PyAny>>,
);

impl<'py> Operands<'py> {
    fn new((x, w, bias): &Three<'py>) -> Result<Self> {
        let (x, w) = (Input::new("x", x)?, Input::new("w", w)?);
        let bias = bias.as_ref().map(|bias| Input::new("bias", bias));
        let bias = bias.transpose()?;
        let sizes = match (x.shape(), w.shape()) {
            (&[m, k], &[n, inputs]) if k == inputs => [m, n, k],
            (x, w) => {
                return Err(Fault::value(format!(
                    "x of shape {} and w of shape {} are no [m, k] and [n, k]",
                    words(x),
                    words(w)
                )));
            }
        };
        Ok(Self { x, w, bias, sizes })
    }

    fn inputs(&self) -> Vec<&Input<'py>> {
        [&self.x, &self.w].into_iter().chain(&self.bias).collect()
    }
}

/// What a forward pass is given beside its arrays: an activation, a dropout, whether to save, and whether to save no bits.
type How = (String, Option<Rate>, bool, bool);

/// `dropout(activation(x @ w.T + bias))`.
#[pyfunction]
#[pyo3(signature = (operands, how, out, /))]
pub(crate) fn linear<'py>(
    py: Python<'py>,
    operands: Three<'py>,
    how: How,
    out: Option<&Bound<'py, PyAny>>,
) -> Result<(Bound<'py, PyAny>, Option<PySaved>)> {
    let (activation, rate, save, recompute) = how;
    let layer = Layer::new(&activation, rate)?;
    let operands = Operands::new(&operands)?;
    let [m, n, _] = operands.sizes;
    let mut y = Output::for_call(py, out, &[m, n], &operands.inputs())?;
    let (x, w, to) = (operands.x.view()?, operands.w.view()?, y.view()?);
    let bias = operands.bias.as_ref().map(Input::view).transpose()?;
    let mut saved = save.then(|| Layer::saves(recompute));
    let keep = saved.as_mut();
    run(py, products(1, operands.sizes), || {
        ops::linear_into(x, w, &layer.epilogue(bias), to, keep)
    })?;
    let saved = saved.map(|saved| PySaved::new(saved, layer, [m, n]));
    Ok((y.into_object(), saved))
}

/// The gradients of input, weights and bias.
type Grads<'py> = (
    Option<Bound<'py, PyAny>>,
    Option<Bound<'py, PyAny>>,
    Option<Bound<'py, PyAny>>,
);

/// The gradients of a layer that are wanted, from the gradient of its output.
#[pyfunction]
#[pyo3(signature = (g, operands, saved, y, wanted, /))]
pub(crate) fn linear_backward<'py>(
    g: &Bound<'py, PyAny>,
    operands: Three<'py>,
    saved: &Bound<'py, PySaved>,
    y: Option<&Bound<'py, PyAny>>,
    wanted: (bool, bool, bool),
) -> Result<Grads<'py>> {
    let (py, saved) = (g.py(), saved.get());
    let (g, operands) = (Input::new("g", g)?, Operands::new(&operands)?);
    let y = y.map(|y| Input::new("y", y)).transpose()?;
    let [m, n, k] = operands.sizes;
    let new = |wanted: bool, shape: &[usize]| wanted.then(|| Output::new(py, shape)).transpose();
    let mut dx = new(wanted.0, &[m, k])?;
    let mut dw = new(wanted.1, &[n, k])?;
    let mut db = new(wanted.2, &[n])?;
    let into = LinearGradsInto {
        x: dx.as_mut().map(Output::view).transpose()?,
        w: dw.as_mut().map(Output::view).transpose()?,
        bias: db.as_mut().map(Output::view).transpose()?,
    };
    let (g, x, w) = (g.view()?, operands.x.view()?, operands.w.view()?);
    let y = y.as_ref().map(Input::view).transpose()?;
    run(py, products(2, [m, n, k]), || {
        saved.backward((g, x, w), y, into)
    })?;
    let object = |grad: Option<Output<'py>>| grad.map(Output::into_object);
    Ok((object(dx), object(dw), object(db)))
}

impl PySaved {
    /// The backward pass of the layer that left this, from the output if it left no bits.
    pub(crate) fn backward(
        &self,
        (g, x, w): (View<'_>, View<'_>, View<'_>),
        y: Option<View<'_>>,
        into: LinearGradsInto<'_>,
    ) -> elision::Result<()> {
        let layer = self.layer.epilogue(None);
        match y {
            Some(y) => ops::linear_backward_into(g, x, w, &layer, self.saved.with_output(y), into),
            None => ops::linear_backward_into(g, x, w, &layer, &self.saved, into),
        }
    }
}
