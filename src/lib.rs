//! elision
mod activation;
mod dropout;
mod epilogue;
pub mod error;
mod exec;
mod kernels;
mod key;
mod mask;
pub mod ops;
pub mod reference;
mod rng;
pub mod simd;
mod tensor;

pub use activation::Activation;
pub use dropout::{Dropout, Form};
pub use epilogue::Epilogue;
pub use error::{Error, Result};
pub use kernels::gemm::Blocking;
pub use key::Key;
pub use mask::{Kept, Mask};
pub use simd::{Isa, Level};
pub use tensor::{Dims, Iter, MAX_RANK, Tensor, View, ViewMut, broadcast_shapes};
