//! Arrays of Python as views of the library, checked before anything is read.

use std::ops::Range;

use elision::{Dims, View, ViewMut};
use numpy::{
    BorrowError, Element, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArrayDyn,
    PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::fault::{Fault, Result};

/// The word for an element type in messages.
pub(crate) trait Named: Element {
    const NAME: &'static str;
}

impl Named for f32 {
    const NAME: &'static str = "float32";
}

impl Named for bool {
    const NAME: &'static str = "bool";
}

impl Named for u32 {
    const NAME: &'static str = "uint32";
}

/// An array of Python: one of NumPy's, or one that is handed over by DLPack without a copy.
fn array<'py, T: Named>(
    name: &str,
    object: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyArrayDyn<T>>> {
    if let Ok(array) = object.cast::<PyArrayDyn<T>>() {
        return Ok(array.clone());
    }
    if object.cast::<PyUntypedArray>().is_ok() {
        return Err(wrong_dtype::<T>(name, object));
    }
    if !object.hasattr("__dlpack__")? {
        return Err(Fault::of_type(format!(
            "{name} must be a {} array of NumPy or have __dlpack__, not {}",
            T::NAME,
            object.get_type().name()?
        )));
    }
    let shared = from_dlpack(name, object)?;
    match shared.cast_into::<PyArrayDyn<T>>() {
        Ok(array) => Ok(array),
        Err(other) => Err(wrong_dtype::<T>(name, &other.into_inner())),
    }
}

fn wrong_dtype<T: Named>(name: &str, array: &Bound<'_, PyAny>) -> Fault {
    let dtype = array.getattr("dtype").and_then(|dtype| dtype.str());
    let dtype = dtype.map_or_else(|_| "another type".to_owned(), |dtype| dtype.to_string());
    Fault::of_type(format!(
        "{name} has dtype {dtype}, but only {} in native byte order is supported",
        T::NAME
    ))
}

/// The device type of main memory in DLPack.
const CPU: i64 = 1;

fn from_dlpack<'py>(name: &str, object: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>> {
    let py = object.py();
    if object.hasattr("__dlpack_device__")? {
        let (device, _): (i64, i64) = object.call_method0("__dlpack_device__")?.extract()?;
        if device != CPU {
            return Err(Fault::value(format!(
                "{name} lies on another device (DLPack device type {device}), but only memory of the CPU is supported"
            )));
        }
    }
    let shared = numpy(py)?.call_method1("from_dlpack", (object,));
    shared.map_err(|error| {
        // NumPy has no word for the element types of other libraries, such as bfloat16.
        if error.is_instance_of::<PyBufferError>(py) || !error.to_string().contains("dtype") {
            return error.into();
        }
        let dtype = object.getattr("dtype").and_then(|dtype| dtype.str());
        let dtype = dtype.map_or_else(|_| "unknown to NumPy".to_owned(), |dtype| dtype.to_string());
        Fault::of_type(format!(
            "{name} has dtype {dtype}, but only float32 is supported"
        ))
    })
}

fn numpy(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static NUMPY: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = NUMPY.get_or_try_init(py, || Ok::<_, PyErr>(py.import("numpy")?.unbind()))?;
    Ok(module.bind(py))
}

/// An array of NumPy's own of that shape, whose numbers are whatever they are.
fn empty<'py>(py: Python<'py>, shape: &[usize]) -> Result<Bound<'py, PyArrayDyn<f32>>> {
    static EMPTY: PyOnceLock<(Py<PyAny>, Py<PyAny>)> = PyOnceLock::new();
    let (empty, float32) = EMPTY.get_or_try_init(py, || {
        let numpy = numpy(py)?;
        let float32 = numpy::dtype::<f32>(py).into_any().unbind();
        Ok::<_, PyErr>((numpy.getattr("empty")?.unbind(), float32))
    })?;
    let shape = pyo3::types::PyTuple::new(py, shape)?;
    let array = empty.bind(py).call1((shape, float32))?;
    array
        .cast_into()
        .map_err(|error| Fault::Python(error.into()))
}

/// An array that is read: in row-major or column-major order where it lies, and as a row-major copy otherwise.
pub(crate) struct Input<'py, T: Element = f32> {
    array: PyReadonlyArrayDyn<'py, T>,
}

impl<'py, T: Named> Input<'py, T> {
    /// The array that the argument of that name is.
    pub(crate) fn new(name: &str, object: &Bound<'py, PyAny>) -> Result<Self> {
        Self::over(name, array(name, object)?)
    }

    fn over(name: &str, array: Bound<'py, PyArrayDyn<T>>) -> Result<Self> {
        let array = if array.is_contiguous() && array.is_aligned() {
            array
        } else {
            row_major(&array)?
        };
        let array = array.try_readonly().map_err(|_| busy(name))?;
        Ok(Self { array })
    }

    pub(crate) fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    pub(crate) fn len(&self) -> usize {
        self.array.len()
    }

    /// The elements in row-major order.
    pub(crate) fn to_row_major(&self) -> Result<Vec<T>>
    where
        T: Copy,
    {
        let array = if self.array.is_c_contiguous() {
            return Ok(slice(&self.array)?.to_vec());
        } else {
            row_major(&self.array)?
        };
        Ok(slice(&array.readonly())?.to_vec())
    }
}

fn row_major<'py, T: Element>(
    array: &Bound<'py, PyArrayDyn<T>>,
) -> Result<Bound<'py, PyArrayDyn<T>>> {
    let copy = array.call_method0("copy")?.cast_into();
    copy.map_err(|error| Fault::Python(error.into()))
}

fn slice<'a, T: Element>(array: &'a PyReadonlyArrayDyn<'_, T>) -> Result<&'a [T]> {
    array
        .as_slice()
        .map_err(|error| Fault::value(error.to_string()))
}

fn busy(name: &str) -> Fault {
    Fault::value(format!(
        "{name} shares memory with an array that is being written, by this call or by another thread's"
    ))
}

impl Input<'_> {
    /// The numbers, to be read by the library.
    pub(crate) fn view(&self) -> Result<View<'_>> {
        let (slice, shape) = (slice(&self.array)?, self.shape());
        if self.array.is_c_contiguous() || self.len() == 0 {
            return Ok(View::contiguous(slice, shape)?);
        }
        let (reversed, order) = reversed(shape)?;
        Ok(View::contiguous(slice, &reversed)?.permute(&order)?)
    }
}

/// A shape backwards, and the axes of it in the first order.
fn reversed(shape: &[usize]) -> Result<(Dims, Dims)> {
    let (mut shape, mut order) = (Dims::new(shape)?, Dims::new(shape)?);
    shape.reverse();
    let rank = order.len();
    for (i, axis) in order.iter_mut().enumerate() {
        *axis = rank - 1 - i;
    }
    Ok((shape, order))
}

/// An array that is written: the caller's `out`, or a new one.
pub(crate) struct Output<'py> {
    /// What the call returns.
    object: Bound<'py, PyAny>,
    array: PyReadwriteArrayDyn<'py, f32>,
}

impl<'py> Output<'py> {
    /// A new array.
    pub(crate) fn new(py: Python<'py>, shape: &[usize]) -> Result<Self> {
        let array = empty(py, shape)?;
        Self::over(array.clone().into_any(), array)
    }

    /// The array that the caller gave for an output of that shape, apart from what is read.
    pub(crate) fn given(
        out: &Bound<'py, PyAny>,
        shape: &[usize],
        inputs: &[&Input<'py>],
    ) -> Result<Self> {
        let array = array("out", out)?;
        if array.shape() != shape {
            return Err(Fault::value(format!(
                "out has shape {}, but the result has shape {}",
                words(array.shape()),
                words(shape)
            )));
        }
        check_layout(&array)?;
        let range = extent(&array);
        if inputs
            .iter()
            .any(|input| meet(&range, &extent(&input.array)))
        {
            return Err(Fault::value(
                "out overlaps an input: give the whole input itself for work in place, or memory apart from it",
            ));
        }
        Self::over(out.clone(), array)
    }

    /// The same for an output that may be given or not.
    pub(crate) fn for_call(
        py: Python<'py>,
        out: Option<&Bound<'py, PyAny>>,
        shape: &[usize],
        inputs: &[&Input<'py>],
    ) -> Result<Self> {
        match out {
            None => Self::new(py, shape),
            Some(out) => Self::given(out, shape, inputs),
        }
    }

    fn over(object: Bound<'py, PyAny>, array: Bound<'py, PyArrayDyn<f32>>) -> Result<Self> {
        let array = array.try_readwrite().map_err(|error| match error {
            BorrowError::NotWriteable => Fault::value("out is read-only"),
            _ => busy("out"),
        })?;
        Ok(Self { object, array })
    }

    pub(crate) fn len(&self) -> usize {
        self.array.len()
    }

    /// The numbers, to be written by the library.
    pub(crate) fn view(&mut self) -> Result<ViewMut<'_>> {
        let shape = Dims::new(self.array.shape())?;
        let is_row_major = self.array.is_c_contiguous() || self.len() == 0;
        let slice = self.array.as_slice_mut();
        let slice = slice.map_err(|error| Fault::value(format!("out: {error}")))?;
        if is_row_major {
            return Ok(ViewMut::contiguous(slice, &shape)?);
        }
        let (reversed, order) = reversed(&shape)?;
        Ok(ViewMut::contiguous(slice, &reversed)?.permute(&order)?)
    }

    /// What the call returns.
    pub(crate) fn into_object(self) -> Bound<'py, PyAny> {
        self.object
    }
}

fn check_layout(array: &Bound<'_, PyArrayDyn<f32>>) -> Result<()> {
    if array.is_contiguous() && array.is_aligned() || array.len() == 0 {
        return Ok(());
    }
    Err(Fault::value(
        "out is not contiguous: it must be in row-major or column-major order without gaps, and aligned",
    ))
}

/// The memory of a contiguous array.
fn extent<T: Element>(array: &Bound<'_, PyArrayDyn<T>>) -> Range<usize> {
    let start = array.data() as usize;
    start..start + array.len() * size_of::<T>()
}

fn meet(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// What an elementwise call reads and writes.
pub(crate) enum Elementwise<'py> {
    /// One array in place of the other.
    Apart(Input<'py>, Output<'py>),
    /// `out` is the input itself.
    InPlace(Output<'py>),
}

impl<'py> Elementwise<'py> {
    /// The arrays of a call whose output has the shape of its input.
    pub(crate) fn new(
        name: &str,
        x: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> Result<Self> {
        let Some(out) = out else {
            let x = Input::new(name, x)?;
            let y = Output::new(x.array.py(), x.shape())?;
            return Ok(Self::Apart(x, y));
        };
        let (x, to) = (array::<f32>(name, x)?, array::<f32>("out", out)?);
        if x.data() == to.data() && x.shape() == to.shape() && x.strides() == to.strides() {
            check_layout(&to)?;
            return Ok(Self::InPlace(Output::over(out.clone(), to)?));
        }
        let x = Input::over(name, x)?;
        let y = Output::given(out, x.shape(), &[&x])?;
        Ok(Self::Apart(x, y))
    }

    /// The same for a call that cannot work in place: it reads a copy there.
    pub(crate) fn apart(
        name: &str,
        x: &Bound<'py, PyAny>,
        out: Option<&Bound<'py, PyAny>>,
    ) -> Result<(Input<'py>, Output<'py>)> {
        match Self::new(name, x, out)? {
            Self::Apart(x, y) => Ok((x, y)),
            Self::InPlace(y) => {
                let copy = row_major(&y.array)?;
                Ok((Input::over(name, copy)?, y))
            }
        }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Self::Apart(x, _) => x.shape(),
            Self::InPlace(y) => y.array.shape(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// What the call returns.
    pub(crate) fn into_object(self) -> Bound<'py, PyAny> {
        match self {
            Self::Apart(_, y) | Self::InPlace(y) => y.into_object(),
        }
    }
}

/// A shape in a message, as the library prints one.
pub(crate) fn words(shape: &[usize]) -> String {
    elision::error::Extent::from(shape).to_string()
}
