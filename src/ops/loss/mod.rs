//! Losses: numbers that training makes small, and their gradients.
//!
//! Each is the mean over a batch or over elements, summed in f64 in a fixed order: a function of the
//! elements, with the same bits on every instruction set, for any number of threads and any strides. A
//! gradient is that of the mean. Where an operand is NaN, so is the loss.

mod cross_entropy;
mod elementwise;
mod r_drop;

pub use cross_entropy::{softmax_cross_entropy, softmax_cross_entropy_smoothed};
pub(super) use elementwise::sum;
pub use elementwise::{binary_cross_entropy_with_logits, gaussian_nll, mean_squared_error};
pub use r_drop::{r_drop, symmetric_kl};

use super::copy_into;
use crate::error::Result;
use crate::tensor::{Tensor, ViewMut};

/// Calls `f` with the elements of `out` in row-major order: where they lie so, else in a tensor that is
/// copied to `out` if `f` has succeeded.
fn write_to<R>(mut out: ViewMut<'_>, f: impl FnOnce(&mut [f32]) -> Result<R>) -> Result<R> {
    if let Some(out) = out.as_mut_slice() {
        return f(out);
    }
    let mut packed = Tensor::zeros(out.shape())?;
    let result = f(packed.as_mut_slice())?;
    copy_into(&packed, out)?;
    Ok(result)
}
