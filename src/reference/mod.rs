//! The specification: naive scalar code, one screen an operation. Tests compare every kernel with it; it
//! is public so that other programs can do the same. It is slow, and meant to be read.

pub mod conv;
pub mod dropout;
mod elementwise;
pub mod gemm;
pub mod gradients;
pub mod learned;
pub mod math;
pub mod noise;
pub mod norm;
pub mod pool;
pub mod reduce;
pub mod shared;
pub mod softmax;
pub mod stream;
pub mod tape;
pub mod unit;
pub mod weights;

pub use elementwise::{map, zip};
pub use reduce::{max, mean, sum, sum_f64};
