//! A linear layer that computes its kept units alone.
//!
//! The kept columns of the input, rows and columns of the weights and elements of the bias are gathered into
//! small dense matrices; the fused product runs on those, as if the layer were that narrow, and the result is
//! scattered. With p = 0.5 on both sides a quarter of the multiply-adds remains, for a gather of each operand.
//! The scale is applied as elements are scattered, and to the gradient as it is gathered.

mod backward;
mod forward;
mod saved;
mod select;

pub use backward::{unit_linear_backward, unit_linear_backward_into};
pub use forward::{unit_linear, unit_linear_into};
pub use saved::UnitSaved;

use super::check_linear;
use crate::epilogue::{Epilogue, UnitEpilogue};
use crate::error::Result;
use crate::mask::UnitMask;
use crate::ops::check::check_length;
use crate::tensor::View;
use select::Units;

/// A layer's sizes before and after the selection.
#[derive(Clone, Copy)]
struct Shape<'a> {
    /// Rows of the input.
    m: usize,
    /// All units of the output and of the input.
    n: usize,
    k: usize,
    /// The rows of the batch, all of them.
    batch: Units<'a>,
    /// The units that take part.
    output: Units<'a>,
    input: Units<'a>,
}

impl<'a> Shape<'a> {
    /// Checks the shapes of a layer's arguments.
    fn check(x: View<'_>, w: View<'_>, epilogue: &UnitEpilogue<'a>) -> Result<Self> {
        let (m, n, k) = check_linear(x, w, &dense(epilogue))?;
        let len = |mask: Option<&UnitMask>, len| mask.map_or(len, UnitMask::len);
        check_length("unit mask of the input", k, len(epilogue.input, k))?;
        check_length("unit mask of the output", n, len(epilogue.output, n))?;
        Ok(Self {
            m,
            n,
            k,
            batch: Units::All(m),
            output: Units::new(epilogue.output, n),
            input: Units::new(epilogue.input, k),
        })
    }
}

/// The epilogue without its masks.
fn dense<'a>(epilogue: &UnitEpilogue<'a>) -> Epilogue<'a> {
    Epilogue {
        bias: epilogue.bias,
        activation: epilogue.activation,
        dropout: None,
    }
}

/// The factor of a kept unit.
fn scale(epilogue: &UnitEpilogue<'_>) -> f32 {
    epilogue.output.map_or(1.0, UnitMask::scale)
}
