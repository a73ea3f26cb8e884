//! Dropout as a function of C, for the compiled core of `elision.torch`.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;

use super::elements::dropout_shared_out;

/// Dropout of `n` numbers from `src` to `dst`, which may be one address. 0, or 1 for an error, after which nothing is
/// known of `dst`. It needs no interpreter, and may be called from any thread.
///
/// Safe to call by Rust's rules for the same reason as the other functions on addresses: the address is a number until
/// [`super::memory`] makes a slice of it, and whoever calls vouches for that memory.
extern "C" fn dropout(
    src: *const f32,
    dst: *mut f32,
    n: usize,
    key_low: u64,
    key_high: u64,
    p: f64,
) -> c_int {
    let (src, dst) = (src as usize, dst as usize);
    let done = catch_unwind(AssertUnwindSafe(|| {
        dropout_shared_out(src, dst, n, (key_low, key_high), p).is_ok()
    }));
    c_int::from(!done.unwrap_or(false))
}

/// The address of that function.
#[pyfunction]
pub(crate) fn _dropout_address() -> usize {
    dropout as *const () as usize
}
