//! Kernels: slices in, slices out. No tensors, no `Result`, no threads, no allocation: the layers above
//! check, cut and share the work.

pub(crate) mod activation;
pub(crate) mod alpha;
pub(crate) mod dilate;
pub(crate) mod dropout;
pub(crate) mod elementwise;
pub(crate) mod gemm;
pub(crate) mod keep;
pub(crate) mod limits;
pub(crate) mod loss;
pub(crate) mod math;
pub(crate) mod noise;
pub(crate) mod norm;
pub(crate) mod optimizer;
pub(crate) mod patches;
pub(crate) mod pool;
pub(crate) mod rates;
pub(crate) mod reduce;
pub(crate) mod select;
pub(crate) mod softmax;
pub(crate) mod window;
