//! Keys.

use elision::Key;
use pyo3::prelude::*;

/// A 128-bit name of a random stream, from a seed in [0, 2**64).
///
/// Keys are values: nothing is consumed, and the same key always gives the same numbers. Fold in the layer, the step or
/// the sample. Keys compare, hash, and can be pickled. A seed that is none raises OverflowError or TypeError.
///
/// >>> from elision import Key
/// >>> Key(7).fold_in(3) == Key(7).fold_in(3), Key(7).fold_in(3) == Key(7).fold_in(4)
/// (True, False)
#[pyclass(frozen, eq, hash, module = "elision", name = "Key")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct PyKey(pub(crate) Key);

#[pymethods]
impl PyKey {
    #[new]
    fn new(seed: u64) -> Self {
        Self(Key::new(seed))
    }

    /// The n-th child of this key, for n in [0, 2**64).
    fn fold_in(&self, n: u64) -> Self {
        Self(self.0.fold_in(n))
    }

    /// The child of that name.
    ///
    /// >>> from elision import Key
    /// >>> Key(7).named("hidden") == Key(7).named("output")
    /// False
    fn named(&self, name: &str) -> Self {
        Self(self.0.named(name))
    }

    /// The key with exactly these 128 bits.
    #[staticmethod]
    fn from_int(bits: u128) -> Self {
        Self(Key::from_u128(bits))
    }

    /// The 128 bits of the key.
    fn to_int(&self) -> u128 {
        self.0.to_u128()
    }

    /// The lower 64 bits.
    #[getter]
    fn low(&self) -> u64 {
        self.0.to_u128() as u64
    }

    /// The higher 64 bits.
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
