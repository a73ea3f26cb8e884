//! Keys.

use elision::Key;
use pyo3::prelude::*;

/// A 128-bit name of a random stream.
#[pyclass(frozen, eq, hash, module = "elision", name = "Key")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct PyKey(pub(crate) Key);

#[pymethods]
impl PyKey {
    #[new]
    fn new(seed: u64) -> Self {
        Self(Key::new(seed))
    }

    fn fold_in(&self, n: u64) -> Self {
        Self(self.0.fold_in(n))
    }

    fn named(&self, name: &str) -> Self {
        Self(self.0.named(name))
    }

    #[staticmethod]
    fn from_int(bits: u128) -> Self {
        Self(Key::from_u128(bits))
    }

    fn to_int(&self) -> u128 {
        self.0.to_u128()
    }

    #[getter]
    fn low(&self) -> u64 {
        self.0.to_u128() as u64
    }

    #[getter]
    fn high(&self) -> u64 {
        (self.0.to_u128() >> 64) as u64
    }

    fn __int__(&self) -> u128 {
        self.to_int()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (u128,))> {
        let make = slf.get_type().getattr("from_int")?;
        Ok((make, (slf.get().to_int(),)))
    }

    fn __repr__(&self) -> String {
        format!("Key.from_int(0x{:032x})", self.to_int())
    }
}
