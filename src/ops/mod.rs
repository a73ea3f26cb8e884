//! Operations on tensors: they check their arguments, allocate, and return `Result`.
//!
//! Wherever an operation takes a [`View`](crate::View) it takes a `&Tensor` too, and a view may lie over
//! any slice with any strides. The form `…_into` writes to memory that the caller has; a call that
//! returns an error has written nothing.

mod check;
mod dropout;
mod elementwise;
mod matmul;
mod optimizer;
pub(crate) mod strided;

pub use dropout::{
    dropout, dropout_backward, dropout_backward_in_place, dropout_backward_into, dropout_in_place,
    dropout_inference, dropout_inference_in_place, dropout_into,
};
pub use elementwise::{
    add, add_assign, add_into, copy_into, div, div_into, mul, mul_assign, mul_into, scale_in_place,
    scale_into, sub, sub_into,
};
pub use matmul::{matmul, matmul_into};
pub use optimizer::{AdamParameters, adam_step, sgd_step};
