//! The specification in code: naive, scalar, obviously right, and slow.
//!
//! Every fast path of the crate is tested against a function here. Nothing here uses the code that it
//! specifies: this module sees only the crate's tensor and error types.

pub mod dropout;
pub mod stream;
