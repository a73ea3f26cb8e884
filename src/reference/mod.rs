//! The specification in code: naive, scalar, obviously right, and slow.
//!
//! Every fast path of the crate is tested against a function here, and readers may start here. Nothing
//! uses the code that it specifies: this module sees the crate's plain values only.

pub mod dropout;
pub mod elementwise;
pub mod gemm;
pub mod math;
pub mod stream;
