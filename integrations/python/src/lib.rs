//! The native half of the Python package `elision`: arrays become views, and the library does the rest.
//!
//! The Python half, `python/elision`, is what users see: it has the signatures, the types and the documentation.

mod array;
mod dropout;
mod family;
mod fault;
mod isa;
mod key;
mod linear;
mod mask;
mod openmp;
mod raw;
mod run;
mod threads;

/// What the package `elision` is made of. Its public names are those of the package, not these.
#[pyo3::pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::{
        dropout::{dropout, scale_of, select},
        family::{
            alpha_dropout, alpha_scale_of, draw_numbers, drop_block, drop_heads,
            drop_heads_backward, dropout_rates, noise, word_dropout, word_dropout_backward,
        },
        isa::{UseIsa, available_isas, isa},
        key::PyKey,
        linear::{PySaved, linear, linear_backward},
        mask::PyMask,
        openmp::_use_openmp,
        raw::{
            _alpha_dropout_ptr, _dropout_address, _dropout_mask_ptr, _dropout_ptr,
            _dropout_shared_ptr, _linear_backward_ptr, _linear_ptr, _mask_ptr,
            _product_backward_ptr, _select_ptr,
        },
        threads::{Threads, get_threads, set_threads},
    };

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::threads::limit_ambient();
        Ok(())
    }
}
