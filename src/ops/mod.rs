//! Operations on tensors: they check their arguments, allocate, and return `Result`.
//!
//! Wherever an operation takes a [`View`](crate::View) it takes a `&Tensor` too. The form `…_into` writes
//! to memory that the caller has; a call that returns an error has written nothing.

mod elementwise;
mod reduce;
pub(crate) mod strided;

pub use elementwise::{
    add, add_assign, add_into, copy_into, div, div_into, mul, mul_assign, mul_into, scale_in_place,
    scale_into, sub, sub_into,
};
pub use reduce::{max, max_into, mean, mean_into, sum, sum_into};
