//! The fused linear layer: `dropout(activation(x * w^T + bias))` in one product, and its backward pass.

mod backward;
mod drop_connect;
mod forward;
mod input;
mod packed;
mod residuals;
mod saved;
mod unfused;
mod unit;

pub use backward::{LinearGrads, LinearGradsInto, linear_backward, linear_backward_into};
pub use drop_connect::{
    DroppedWeights, drop_connect, drop_connect_backward, drop_connect_backward_into,
    drop_connect_into, drop_connect_moments,
};
pub use forward::{linear, linear_into};
pub use input::LinearInput;
pub use packed::{PackedWeights, linear_packed, linear_packed_into};
pub use residuals::Residuals;
pub use saved::Saved;
pub(super) use unfused::{finish_sums, gradient_of_sums};
pub use unit::{
    UnitSaved, unit_linear, unit_linear_backward, unit_linear_backward_into, unit_linear_into,
};

use crate::epilogue::Epilogue;
use crate::error::{Error, Result};
use crate::kernels::gemm::{Bits, Operand};
use crate::mask::Mask;
use crate::ops::check::{check_rank, check_shape};
use crate::ops::dropout::check_end;
use crate::ops::matmul::check_product;
use crate::tensor::View;

/// A mask laid over a matrix of `cols` columns.
fn bits(mask: &Mask, cols: usize, scale: f32) -> Bits<'_> {
    Bits {
        words: mask.as_words(),
        row_stride: cols,
        col_stride: 1,
        scale,
    }
}

/// The operands of a linear layer that fit: the weights may carry bits.
#[derive(Clone, Copy)]
struct Checked<'a> {
    x: LinearInput<'a>,
    /// Units by inputs.
    w: Operand<'a>,
    /// Rows, units and inputs.
    sizes: (usize, usize, usize),
}

/// Rows, columns and depth of a linear layer's product.
fn check_linear(
    x: View<'_>,
    w: View<'_>,
    epilogue: &Epilogue<'_>,
) -> Result<(usize, usize, usize)> {
    check_rank("weights of linear", w, 2)?;
    let (m, n, k) = check_product(x, w.transpose(0, 1)?)?;
    check_epilogue(epilogue, m, n)?;
    Ok((m, n, k))
}

/// Whether an epilogue fits a product of `m` rows and `n` columns.
fn check_epilogue(epilogue: &Epilogue<'_>, m: usize, n: usize) -> Result<()> {
    if let Some(bias) = epilogue.bias {
        check_shape("bias of linear", &[n], bias.shape())?;
    }
    let len = m
        .checked_mul(n)
        .ok_or(Error::Overflow("output of linear"))?;
    match &epilogue.dropout {
        Some(dropout) => check_end(dropout, len),
        None => Ok(()),
    }
}
