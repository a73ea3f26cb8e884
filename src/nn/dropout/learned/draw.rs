//! The noise of outputs whose variance is learned.

use crate::autograd::{Step, Tape, Value, Var};
use crate::error::Result;
use crate::exec::for_each_zip;
use crate::key::Key;
use crate::ops::{copy_into, mul_into, normal_into};

/// Added to a variance, of which a root is drawn whose slope must be finite.
const FLOOR: f32 = 1e-8;

/// `mean + sqrt(variance + 1e-8) e` with e a standard normal number for each element: the local reparameterisation of
/// a product whose weights are normal (Kingma et al. 2015). Keeps one number an element.
pub(super) fn sample(mean: &Var, variance: &Var, key: Key) -> Result<Var> {
    let tape = Tape::of(&[mean, variance])?;
    let mut noise = tape.buffer(mean.shape())?;
    normal_into(key, &mut *noise)?;
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
