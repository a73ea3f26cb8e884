//! The specification: naive scalar code that is obviously right, for tests and for readers.

pub mod elementwise;
pub mod gemm;
pub mod math;
