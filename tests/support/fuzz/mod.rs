//! Bodies of the fuzz targets of the library: each reads a small program from arbitrary bytes and
//! compares the library with a naive model. `fuzz/` runs them on inputs that libFuzzer invents, and
//! `tests/regressions.rs` on the inputs that are committed.

mod bytes;
pub(crate) mod checkpoint;
pub(crate) mod gemm_shapes;
pub(crate) mod mask_slice;
pub(crate) mod shared_masks;
pub(crate) mod structured;
pub(crate) mod tensor_views;
