//! What can go wrong, and the Python exception that says so.

use elision::Error;
use pyo3::PyErr;
use pyo3::exceptions::{PyMemoryError, PyOverflowError, PyRuntimeError, PyTypeError, PyValueError};

/// A call that has changed nothing, and why.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An argument that the library refused.
    Library(Error),
    /// An exception that is one already.
    Python(PyErr),
    /// A panic of the library: a fault of its own, not of the caller.
    Panic(String),
}

pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    /// A value that does not fit the call.
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::Python(PyValueError::new_err(message.into()))
    }

    /// An argument of another type than the call takes.
    pub(crate) fn of_type(message: impl Into<String>) -> Self {
        Self::Python(PyTypeError::new_err(message.into()))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl From<PyErr> for Fault {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Fault> for PyErr {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Python(error) => error,
            Fault::Panic(message) => PyRuntimeError::new_err(format!(
                "elision failed within, which is a fault of its own: {message}"
            )),
            Fault::Library(error) => {
                let message = error.to_string();
                match error {
                    Error::Overflow("mask" | "tensor" | "scratch") => {
                        PyMemoryError::new_err(message)
                    }
                    Error::Overflow(_) => PyOverflowError::new_err(message),
                    _ => PyValueError::new_err(message),
                }
            }
        }
    }
}
