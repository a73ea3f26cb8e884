//! Layers whose noise or drop probability is learned, or computed from what the layer sees.

mod concrete;
mod concrete_noise;
mod draw;
mod sparse_variational;
mod sparse_weights;
mod sparsity;
mod standout;
mod variational;

pub use concrete::{ConcreteDropout, ConcretePrior};
pub use sparse_variational::SparseVariational;
pub use sparsity::{Sparsity, sparsity};
pub use standout::Standout;
pub use variational::{AlphaSharing, VariationalLinear, VariationalNoise};

use crate::autograd::{Step, Tape, Var};
use crate::error::{Error, Result};
use crate::exec::for_each_chunk;
use crate::mask::Mask;
use crate::ops::select_into;

/// `out[i] = f(inputs[i])` for arrays of one length, on as many threads as the work is worth.
fn zip_with<const N: usize>(
    out: &mut [f32],
    inputs: [&[f32]; N],
    f: impl Fn([f32; N]) -> f32 + Sync,
) {
    for_each_chunk(out, N + 1, |start, out| {
        let parts = inputs.map(|x| &x[start..start + out.len()]);
        for (i, out) in out.iter_mut().enumerate() {
            *out = f(parts.map(|part| part[i]));
        }
    });
}

/// What `mask` keeps of `x`, and `+0.0` elsewhere; the mask has no gradient.
fn masked(x: &Var, mask: Mask) -> Result<Var> {
    let mut y = x.tape().buffer(x.shape())?;
    select_into(x, &mask, 1.0, &mut *y)?;
    let step = Step {
        op: "masked",
        inputs: &[x],
        output: y.into(),
    };
    step.record(mask, |mask, dy, gradients| {
        let mut dx = gradients.buffer(dy.shape())?;
        select_into(&dy, &mask, 1.0, &mut *dx)?;
        gradients.add(0, dx)
    })
}

/// One number on a tape.
fn number(tape: &Tape, x: f64) -> Result<crate::autograd::Value> {
    let mut number = tape.buffer(&[])?;
    number.as_mut_slice().fill(x as f32);
    Ok(number.into())
}

/// The rows of a training set, of which there must be some.
fn check_rows(rows: usize) -> Result<f64> {
    match rows {
        0 => Err(Error::Empty("a training set")),
        rows => Ok(rows as f64),
    }
}
