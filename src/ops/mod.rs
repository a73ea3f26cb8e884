//! Operations on tensors: they check their arguments, allocate, and return `Result`.
//!
//! Wherever an operation takes a [`View`](crate::View) it takes a `&Tensor` too, and a view may lie over
//! any slice with any strides. The form `…_into` writes to memory that the caller has; a call that
//! returns an error has written nothing.

mod activation;
mod avg_pool;
mod batched;
mod check;
mod choose;
mod conv;
mod dropout;
mod elementwise;
mod embedding;
mod limits;
mod linear;
mod loss;
mod matmul;
mod max_pool;
mod noise;
mod norm;
mod optimizer;
mod reduce;
mod select;
mod softmax;
mod strided;
mod window;

pub use activation::{
    activate, activate_backward, activate_backward_in_place, activate_backward_into,
    activate_in_place, activate_into, erf, erf_into, exp, exp_into, gelu, gelu_erf, gelu_erf_into,
    gelu_into, ln, ln_into, relu, relu_into, sigmoid, sigmoid_into, tanh, tanh_into,
};
pub use avg_pool::{avg_pool2d, avg_pool2d_backward, avg_pool2d_backward_into, avg_pool2d_into};
pub use batched::{batched_matmul, batched_matmul_into};
pub use choose::choose_into;
pub use conv::{Conv2d, conv2d, conv2d_backward, conv2d_backward_into, conv2d_into};
pub(crate) use dropout::check_head_rate;
pub use dropout::{
    drop_block, drop_block_into, drop_heads, drop_heads_backward, drop_heads_backward_into,
    drop_heads_into, dropout, dropout_backward, dropout_backward_in_place, dropout_backward_into,
    dropout_in_place, dropout_inference, dropout_inference_in_place, dropout_into, dropout_shared,
    dropout_shared_backward, dropout_shared_backward_into, dropout_shared_into, select_shared_into,
};
pub use elementwise::{
    add, add_assign, add_into, copy_into, div, div_into, mul, mul_assign, mul_into, scale_in_place,
    scale_into, sub, sub_into,
};
pub use embedding::{
    embedding, embedding_backward_into, embedding_into, word_dropout, word_dropout_backward_into,
    word_dropout_into,
};
pub use limits::{clip_in_place, max_norm_rows_in_place, squared_norm};
pub use linear::{
    DroppedWeights, LinearGrads, LinearGradsInto, LinearInput, PackedWeights, Residuals, Saved,
    UnitSaved, drop_connect, drop_connect_backward, drop_connect_backward_into, drop_connect_into,
    drop_connect_moments, linear, linear_backward, linear_backward_into, linear_into,
    linear_packed, linear_packed_into, unit_linear, unit_linear_backward,
    unit_linear_backward_into, unit_linear_into,
};
pub use loss::{
    binary_cross_entropy_with_logits, gaussian_nll, mean_squared_error, r_drop,
    softmax_cross_entropy, softmax_cross_entropy_smoothed, symmetric_kl,
};
pub use matmul::{matmul, matmul_into};
pub use max_pool::{
    Argmax, max_pool2d, max_pool2d_backward, max_pool2d_backward_into, max_pool2d_into,
};
pub(crate) use noise::noise_numbers;
pub use noise::{
    alpha_dropout, alpha_dropout_backward_into, alpha_dropout_into, dropout_rates,
    dropout_rates_backward_into, noise, noise_backward_into, noise_in_place, noise_into,
    noise_shared, normal, normal_into, uniform, uniform_into,
};
pub use norm::{
    BatchNormSaved, GivenStatistics, NormGradsInto, NormSaved, batch_norm,
    batch_norm_backward_into, batch_norm_inference, batch_norm_inference_backward_into,
    batch_norm_inference_into, batch_norm_into, layer_norm, layer_norm_backward_into,
    layer_norm_into, rms_norm, rms_norm_backward_into, rms_norm_into,
};
pub use optimizer::{AdamParameters, SgdParameters, adam_step, sgd_step};
pub use reduce::{max, max_into, mean, mean_into, sum, sum_into};
pub use select::{relu_mask, select_into};
pub use softmax::{log_softmax, log_softmax_into, softmax, softmax_into};
pub use window::Window;
