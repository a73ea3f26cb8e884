//! Masks.

use elision::{Dims, Dropout, Mask};
use numpy::{PyArray1, PyArrayDyn, PyArrayMethods};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::array::{Input, words};
use crate::fault::{Fault, Result};
use crate::key::PyKey;
use crate::run::{Work, run};

/// Which elements of an array are kept: one bit an element in row-major order, 1 = kept, and the shape of the array.
///
/// Masks compare and can be pickled; `&`, `|`, `^` and `~` combine masks of one shape; `len` is the number of elements;
/// `numpy.asarray(mask)` is `mask.to_bools()`.
///
/// >>> import numpy as np
/// >>> from elision import Key, Mask
/// >>> mask = Mask.draw(Key(1), 0.25, (100, 100))
/// >>> mask.shape, len(mask), mask.nbytes, 7300 < mask.count_kept() < 7700
/// ((100, 100), 10000, 1256, True)
/// >>> Mask.from_bools(mask.to_bools()) == mask
/// True
#[pyclass(frozen, eq, module = "elision", name = "Mask")]
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PyMask {
    pub(crate) mask: Mask,
    pub(crate) shape: Dims,
}

/// A shape argument: a number of elements, or a sequence of sizes.
#[derive(FromPyObject)]
pub(crate) enum Shape {
    #[pyo3(transparent)]
    Length(usize),
    #[pyo3(transparent)]
    Sizes(Vec<usize>),
}

impl Shape {
    pub(crate) fn dims(&self) -> Result<Dims> {
        Ok(match self {
            Self::Length(n) => Dims::new(&[*n])?,
            Self::Sizes(sizes) => Dims::new(sizes)?,
        })
    }
}

/// The bytes and the shape of a mask, of which it is made anew.
type Parts<'py> = (Bound<'py, PyBytes>, Bound<'py, PyTuple>);

/// The number of elements of a shape.
pub(crate) fn count(shape: &[usize]) -> Result<usize> {
    let mut count = 1_usize;
    for &size in shape.iter().filter(|&&size| size > 0) {
        count = count
            .checked_mul(size)
            .ok_or(elision::Error::Overflow("shape"))?;
    }
    Ok(if shape.contains(&0) { 0 } else { count })
}

/// Work of drawing the bits of so many elements.
pub(crate) fn drawing(len: usize) -> Work {
    Work::Elements(len / 2)
}

impl PyMask {
    pub(crate) fn of(mask: Mask, shape: &[usize]) -> Result<Self> {
        let shape = Dims::new(shape)?;
        Ok(Self { mask, shape })
    }

    fn like(&self, other: &Self, mask: elision::Result<Mask>) -> Result<Self> {
        if self.shape != other.shape {
            return Err(Fault::value(format!(
                "masks of shapes {} and {} do not go together",
                words(&self.shape),
                words(&other.shape)
            )));
        }
        Ok(Self {
            mask: mask?,
            shape: self.shape,
        })
    }
}

#[pymethods]
impl PyMask {
    /// The bits with which `dropout` keeps the elements of an array of that shape.
    ///
    /// shape: a number of elements, or a sequence of sizes. offset: the index of the first element.
    ///
    /// Raises ValueError (p), OverflowError (sizes, offset), MemoryError.
    #[staticmethod]
    #[pyo3(signature = (key, p, shape, offset = 0))]
    fn draw(
        py: Python<'_>,
        key: &Bound<'_, PyKey>,
        p: f64,
        shape: Shape,
        offset: u64,
    ) -> Result<Self> {
        let dropout = Dropout::new(key.get().0, p)?.with_offset(offset);
        let shape = shape.dims()?;
        let len = count(&shape)?;
        let mask = run(py, drawing(len), || Mask::draw(&dropout, len))?;
        Ok(Self { mask, shape })
    }

    /// A mask that keeps exactly `kept` elements, each choice of them equally likely.
    ///
    /// Raises ValueError if there are not as many.
    ///
    /// >>> from elision import Key, Mask
    /// >>> Mask.draw_exact(Key(1), 30, (10, 10)).count_kept()
    /// 30
    #[staticmethod]
    fn draw_exact(
        py: Python<'_>,
        key: &Bound<'_, PyKey>,
        kept: usize,
        shape: Shape,
    ) -> Result<Self> {
        let (key, shape) = (key.get().0, shape.dims()?);
        let len = count(&shape)?;
        // A random number takes as long as some tens of elements.
        let work = Work::Elements(kept.min(len.saturating_sub(kept)).saturating_mul(8));
        let mask = run(py, work, || Mask::draw_exact(key, kept, len))?;
        Ok(Self { mask, shape })
    }

    /// A mask of shape `[groups, group]` that keeps exactly `kept` of each group.
    #[staticmethod]
    fn draw_exact_in_groups(
        py: Python<'_>,
        key: &Bound<'_, PyKey>,
        kept: usize,
        group: usize,
        groups: usize,
    ) -> Result<Self> {
        let key = key.get().0;
        let work = Work::Elements(group.saturating_mul(groups).saturating_mul(8));
        let mask = run(py, work, || {
            Mask::draw_exact_in_groups(key, kept, group, groups)
        })?;
        Self::of(mask, &[groups, group])
    }

    /// Element i is dropped with probability `rates[i]`, float32, rounded to a multiple of 2**-32.
    #[staticmethod]
    fn draw_rates(
        py: Python<'_>,
        key: &Bound<'_, PyKey>,
        rates: &Bound<'_, PyAny>,
    ) -> Result<Self> {
        let (key, rates) = (key.get().0, Input::new("rates", rates)?);
        let view = rates.view()?;
        let work = Work::Elements(rates.len().saturating_mul(4));
        let mask = run(py, work, || Mask::draw_rates(key, view))?;
        Self::of(mask, rates.shape())
    }

    /// The mask of a bool array of any shape, True = kept.
    ///
    /// Raises TypeError for another dtype.
    #[staticmethod]
    fn from_bools(array: &Bound<'_, PyAny>) -> Result<Self> {
        let bools = Input::<bool>::new("array", array)?;
        let mask = Mask::from_bools(&bools.to_row_major()?);
        Self::of(mask, bools.shape())
    }

    /// The mask of packed bytes, the first element in the lowest bit of the first byte.
    ///
    /// Raises ValueError if there are not as many bytes as the shape takes.
    #[staticmethod]
    fn from_bytes(bytes: &[u8], shape: Shape) -> Result<Self> {
        let shape = shape.dims()?;
        let mask = Mask::from_bytes(bytes, count(&shape)?)?;
        Ok(Self { mask, shape })
    }

    /// The packed bytes, a bit an element, rounded up.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.mask.to_bytes())
    }

    /// A new bool array of the mask's shape, True = kept.
    fn to_bools<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyArrayDyn<bool>>> {
        let bools = PyArray1::from_vec(py, self.mask.to_bools());
        Ok(bools.reshape(self.shape.to_vec())?)
    }

    #[pyo3(signature = (dtype = None, copy = None))]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<&Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> Result<Bound<'py, PyAny>> {
        if copy == Some(false) {
            return Err(Fault::value(
                "a mask holds bits: an array of it is always a copy",
            ));
        }
        let bools = self.to_bools(py)?.into_any();
        match dtype {
            None => Ok(bools),
            Some(dtype) => Ok(bools.call_method1("astype", (dtype,))?),
        }
    }

    /// The packed words, a copy: bit i % 64 of word i // 64 is that of element i, uint64.
    #[getter]
    fn words<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u64>> {
        PyArray1::from_slice(py, self.mask.as_words())
    }

    /// The shape of the array that the mask is for.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.shape[..])
    }

    /// The bytes of memory of the bits.
    #[getter]
    fn nbytes(&self) -> usize {
        size_of_val(self.mask.as_words())
    }

    /// The number of kept elements.
    fn count_kept(&self) -> usize {
        self.mask.count_kept()
    }

    fn __len__(&self) -> usize {
        self.mask.len()
    }

    /// The mask, of one axis, of the elements `start` to `stop` in row-major order.
    ///
    /// Raises IndexError if they are not there.
    fn slice(&self, start: usize, stop: usize) -> Result<Self> {
        let mask = self
            .mask
            .slice(start..stop)
            .map_err(|error| Fault::Python(PyIndexError::new_err(error.to_string())))?;
        let len = mask.len();
        Self::of(mask, &[len])
    }

    /// The same bits for an array of another shape with as many elements.
    fn reshape(&self, shape: Shape) -> Result<Self> {
        let shape = shape.dims()?;
        if count(&shape)? != self.mask.len() {
            return Err(Fault::value(format!(
                "a mask of shape {} cannot have shape {}",
                words(&self.shape),
                words(&shape)
            )));
        }
        Ok(Self {
            mask: self.mask.clone(),
            shape,
        })
    }

    fn __and__(&self, other: &Self) -> Result<Self> {
        self.like(other, self.mask.and(&other.mask))
    }

    fn __or__(&self, other: &Self) -> Result<Self> {
        self.like(other, self.mask.or(&other.mask))
    }

    fn __xor__(&self, other: &Self) -> Result<Self> {
        self.like(other, self.mask.xor(&other.mask))
    }

    fn __invert__(&self) -> Self {
        Self {
            mask: self.mask.not(),
            shape: self.shape,
        }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Parts<'py>)> {
        let (py, mask) = (slf.py(), slf.get());
        let make = slf.get_type().getattr("from_bytes")?;
        Ok((make, (mask.to_bytes(py), mask.shape(py)?)))
    }

    fn __repr__(&self) -> String {
        let (kept, len) = (self.mask.count_kept(), self.mask.len());
        format!("Mask({kept} of {len} kept, shape {:?})", self.shape)
    }
}
