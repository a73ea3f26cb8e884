//! The instruction sets, and the choice of one for some calls.

use std::cell::RefCell;

use elision::Isa;
use pyo3::prelude::*;

use crate::fault::{Fault, Result};

thread_local! {
    /// The choices of the `with` statements that this thread is in.
    static ENTERED: RefCell<Vec<Isa>> = const { RefCell::new(Vec::new()) };
}

/// The choice for a call that this thread makes, if there is one.
pub(crate) fn chosen() -> Option<Isa> {
    ENTERED.with_borrow(|entered| entered.last().copied())
}

/// Puts an instruction set under the calls that a thread makes within a `with` statement, for tests and comparisons.
///
/// name: one of `available_isas()`; ValueError for another.
///
/// >>> import elision
/// >>> with elision.use_isa("scalar"):
/// ...     elision.isa()
/// 'scalar'
#[pyclass(frozen, module = "elision", name = "use_isa")]
pub(crate) struct UseIsa(Isa);

#[pymethods]
impl UseIsa {
    #[new]
    fn new(name: &str) -> Result<Self> {
        Ok(Self(name.parse()?))
    }

    /// The name of the instruction set.
    #[getter]
    fn name(&self) -> &'static str {
        self.0.level().name()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        ENTERED.with_borrow_mut(|entered| entered.push(slf.get().0));
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, pyo3::types::PyTuple>) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(at) = entered.iter().rposition(|&isa| isa == self.0) {
                entered.remove(at);
            }
        });
    }

    fn __repr__(&self) -> String {
        format!("use_isa({:?})", self.name())
    }
}

/// The name of the instruction set that a call made here uses.
#[pyfunction]
pub(crate) fn isa() -> Result<&'static str> {
    let isa = chosen().map_or_else(Isa::best, Ok).map_err(Fault::from)?;
    Ok(isa.level().name())
}

/// The names of the instruction sets that this processor has, least first.
#[pyfunction]
pub(crate) fn available_isas() -> Vec<&'static str> {
    let isas = Isa::available().iter();
    isas.map(|isa| isa.level().name()).collect()
}
