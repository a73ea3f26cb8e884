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

use crate::autograd::{Tape, Value};
use crate::error::{Error, Result};
use crate::exec::for_each_chunk;

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

/// One number on a tape.
fn number(tape: &Tape, x: f64) -> Result<Value> {
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
