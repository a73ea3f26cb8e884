//! Dropout of elements and of groups of them, and its backward pass.

use elision::{Channels, Dims, Dropout, Error, Form, Key, Mask, Where, ops};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::array::Elementwise;
use crate::fault::{Fault, Result};
use crate::key::PyKey;
use crate::mask::{PyMask, count};
use crate::run::{Work, run};

/// A drop probability, a key and an offset, from the tuple of the three, and whether kept elements are scaled.
pub(crate) struct Rate(pub(crate) Dropout);

impl<'py> FromPyObject<'_, 'py> for Rate {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let rate = object.cast::<PyTuple>()?;
        let p = named("p", rate.get_borrowed_item(0)?, |p| p.extract::<f64>())?;
        let key = key(&rate.get_item(1)?)?;
        let offset = named("offset", rate.get_borrowed_item(2)?, |n| n.extract::<u64>())?;
        let dropout = Dropout::new(key, p).map_err(Fault::from)?;
        Ok(Self(dropout.with_offset(offset)))
    }
}

/// An error unless a stream has so many decisions from an offset on.
pub(crate) fn check_end(offset: u64, decisions: usize) -> Result<()> {
    let end = offset.checked_add(decisions as u64);
    end.ok_or(Error::Overflow("offset and length of a dropout"))?;
    Ok(())
}

/// The dropout of the decisions from number `start` on.
pub(crate) fn after(dropout: &Dropout, start: usize) -> Dropout {
    dropout.with_offset(dropout.offset() + start as u64)
}

/// The key that the argument of that name is.
pub(crate) fn key(object: &Bound<'_, PyAny>) -> PyResult<Key> {
    match object.cast::<PyKey>() {
        Ok(key) => Ok(key.get().0),
        Err(_) => {
            let found = object.get_type().name()?;
            Err(Fault::of_type(format!("key must be an elision.Key, not {found}")).into())
        }
    }
}

/// An argument, with its name in the exception if it is not of its type.
fn named<'a, 'py, T>(
    name: &str,
    object: Borrowed<'a, 'py, PyAny>,
    extract: impl Fn(Borrowed<'a, 'py, PyAny>) -> PyResult<T>,
) -> PyResult<T> {
    let py = object.py();
    extract(object).map_err(|error| {
        let message = format!("{name}: {}", error.value(py));
        PyErr::from_type(error.get_type(py), message)
    })
}

/// Which elements share a fate: a word, or the axes along which they do.
#[derive(FromPyObject)]
pub(crate) enum Place {
    #[pyo3(transparent)]
    Word(String),
    #[pyo3(transparent)]
    Axis(isize),
    #[pyo3(transparent)]
    Axes(Vec<isize>),
}

impl Place {
    /// The sizes of the decisions for an array of that shape.
    pub(crate) fn noise_shape(&self, shape: &[usize]) -> Result<Dims> {
        Ok(self.place(shape.len())?.noise_shape(shape)?)
    }

    fn place(&self, rank: usize) -> Result<Where> {
        Ok(match self {
            Self::Word(word) => match word.as_str() {
                "element" => Where::Element,
                "unit" => Where::Unit,
                "row" => Where::Row,
                "sample" => Where::Sample,
                "channel" => Where::Channel(Channels::Last),
                "channel-first" => Where::Channel(Channels::First),
                _ => {
                    return Err(Fault::value(format!(
                        "where = {word:?} is none of element, unit, row, sample, channel, channel-first"
                    )));
                }
            },
            Self::Axis(axis) => Where::axes(&[from_end(*axis, rank)?])?,
            Self::Axes(axes) => {
                let axes: Result<Vec<usize>> =
                    axes.iter().map(|&axis| from_end(axis, rank)).collect();
                Where::axes(&axes?)?
            }
        })
    }
}

/// An axis that may be counted from the end.
fn from_end(axis: isize, rank: usize) -> Result<usize> {
    let counted = if axis < 0 { axis + rank as isize } else { axis };
    match usize::try_from(counted) {
        Ok(counted) if counted < rank => Ok(counted),
        _ => Err(Fault::value(format!(
            "where: axis {axis} is out of range for rank {rank}"
        ))),
    }
}

/// The original form, whose kept elements are not scaled, or the inverted one.
pub(crate) fn in_form(dropout: Dropout, scaled: bool) -> Dropout {
    dropout.with_form(if scaled {
        Form::Inverted
    } else {
        Form::Original
    })
}

/// How a dropout is made: which elements share a fate, whether kept ones are scaled, whether the mask is returned.
type How = (Option<Place>, bool, bool);

/// Dropout in training.
#[pyfunction]
#[pyo3(signature = (x, rate, out, how, /))]
pub(crate) fn dropout<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    rate: Rate,
    out: Option<&Bound<'py, PyAny>>,
    how: How,
) -> Result<(Bound<'py, PyAny>, Option<PyMask>)> {
    let (place, scaled, return_mask) = how;
    let dropout = in_form(rate.0, scaled);
    match place {
        None => of_elements(py, x, &dropout, out, return_mask),
        Some(place) => of_groups(py, (x, out), &dropout, &place, return_mask),
    }
}

fn of_elements<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    dropout: &Dropout,
    out: Option<&Bound<'py, PyAny>>,
    return_mask: bool,
) -> Result<(Bound<'py, PyAny>, Option<PyMask>)> {
    let mut arrays = Elementwise::new("x", x, out)?;
    let shape = Dims::new(arrays.shape())?;
    let len = arrays.len();
    let mut mask = return_mask.then(|| Mask::none(len));
    let keep = mask.as_mut();
    let work = Work::Elements(len);
    match &mut arrays {
        Elementwise::Apart(x, y) => {
            let (x, y) = (x.view()?, y.view()?);
            run(py, work, || ops::dropout_into(x, dropout, y, keep))?;
        }
        Elementwise::InPlace(x) => {
            let x = x.view()?;
            run(py, work, || ops::dropout_in_place(x, dropout, keep))?;
        }
    }
    let mask = mask.map(|mask| PyMask { mask, shape });
    Ok((arrays.into_object(), mask))
}

fn of_groups<'py>(
    py: Python<'py>,
    (x, out): (&Bound<'py, PyAny>, Option<&Bound<'py, PyAny>>),
    dropout: &Dropout,
    place: &Place,
    return_mask: bool,
) -> Result<(Bound<'py, PyAny>, Option<PyMask>)> {
    let (x, mut y) = Elementwise::apart("x", x, out)?;
    let shape = place.noise_shape(x.shape())?;
    let groups = count(&shape)?;
    let mut mask = return_mask.then(|| Mask::none(groups));
    let (from, to, keep) = (x.view()?, y.view()?, mask.as_mut());
    run(py, Work::Elements(x.len()), || {
        ops::dropout_shared_into(from, &shape, dropout, to, keep)
    })?;
    let mask = mask.map(|mask| PyMask { mask, shape });
    Ok((y.into_object(), mask))
}

/// `x * scale` where a mask keeps and `+0.0` elsewhere; the mask's shape is broadcast.
#[pyfunction]
#[pyo3(signature = (x, mask, scale, out, /))]
pub(crate) fn select<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    mask: &Bound<'py, PyMask>,
    scale: f32,
    out: Option<&Bound<'py, PyAny>>,
) -> Result<Bound<'py, PyAny>> {
    let mask = mask.get();
    let (x, mut y) = Elementwise::apart("x", x, out)?;
    let (from, to) = (x.view()?, y.view()?);
    run(py, Work::Elements(x.len()), || {
        ops::select_shared_into(from, &mask.shape, &mask.mask, scale, to)
    })?;
    Ok(y.into_object())
}

/// The factor of kept elements at the drop probability p.
#[pyfunction]
pub(crate) fn scale_of(p: f64) -> Result<f32> {
    Ok(Dropout::new(Key::new(0), p)?.scale())
}
