//! The random numbers of these layers: functions of a key and an index.

use crate::autograd::{Buffer, Step, Tape, Value, Var};
use crate::error::Result;
use crate::exec::{for_each_chunk, for_each_zip};
use crate::key::Key;
use crate::nn::Init;
use crate::ops::{copy_into, mul_into};

/// Independent standard normal numbers.
pub(super) fn normals(shape: &[usize], key: Key) -> Result<Value> {
    Ok(Init::Normal(1.0).fill(shape, key)?.into())
}

/// A number, in elements of a scaled copy.
const WEIGHT: usize = 16;
/// The distance of two uniform numbers.
const UNIT: f32 = 1.0 / (1 << 23) as f32;

/// Independent uniform numbers between 0 and 1, neither of which occurs: the middles of 2^23 equal steps.
pub(super) fn uniforms(tape: &Tape, shape: &[usize], key: Key) -> Result<Buffer> {
    let mut out = tape.buffer(shape)?;
    for_each_chunk(out.as_mut_slice(), WEIGHT, |start, out| {
        for (i, x) in (start as u64..).zip(out) {
            let steps = (key.fold_in(i).to_u128() >> 105) as f32;
            *x = (steps + 0.5) * UNIT;
        }
    });
    Ok(out)
}

/// Added to a variance, of which a root is drawn whose slope must be finite.
const FLOOR: f32 = 1e-8;

/// `mean + sqrt(variance + 1e-8) e` with e a standard normal number for each element: the local reparameterisation of
/// a product whose weights are normal (Kingma et al. 2015). Keeps one number an element.
pub(super) fn sample(mean: &Var, variance: &Var, key: Key) -> Result<Var> {
    let tape = Tape::of(&[mean, variance])?;
    let noise = normals(mean.shape(), key)?;
    let (mut y, mut slope) = (tape.buffer(mean.shape())?, tape.buffer(mean.shape())?);
    copy_into(mean, &mut *y)?;
    copy_into(variance, &mut *slope)?;
    for_each_zip(
        [y.as_mut_slice(), slope.as_mut_slice()],
        noise.as_slice(),
        |[y, slope], noise| {
            for ((y, slope), noise) in y.iter_mut().zip(slope).zip(noise) {
                let root = (*slope + FLOOR).sqrt();
                *y += root * noise;
                *slope = 0.5 * noise / root;
            }
        },
    );
    let step = Step {
        op: "sample",
        inputs: &[mean, variance],
        output: y.into(),
    };
    step.record(Value::from(slope), |slope, dy, gradients| {
        if gradients.wants(1) {
            let mut dv = gradients.buffer(dy.shape())?;
            mul_into(&dy, &slope, &mut *dv)?;
            gradients.add(1, dv)?;
        }
        gradients.add(0, dy)
    })
}
