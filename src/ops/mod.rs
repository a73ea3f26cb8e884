//! Operations on tensors: they check their arguments, allocate, and return `Result`.
//!
//! Wherever an operation takes a [`View`](crate::View) it takes a `&Tensor` too. The form `…_into` writes
//! to memory that the caller has; a call that returns an error has written nothing.

mod activation;
mod elementwise;
mod reduce;
mod softmax;
pub(crate) mod strided;

pub use activation::{
    activate, activate_backward, activate_backward_in_place, activate_backward_into,
    activate_in_place, activate_into, erf, erf_into, exp, exp_into, gelu, gelu_erf, gelu_erf_into,
    gelu_into, ln, ln_into, relu, relu_into, sigmoid, sigmoid_into, tanh, tanh_into,
};
pub use elementwise::{
    add, add_assign, add_into, copy_into, div, div_into, mul, mul_assign, mul_into, scale_in_place,
    scale_into, sub, sub_into,
};
pub use reduce::{max, max_into, mean, mean_into, sum, sum_into};
pub use softmax::{log_softmax, log_softmax_into, softmax, softmax_cross_entropy, softmax_into};
