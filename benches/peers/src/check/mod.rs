//! Whether an answer is right, whatever random numbers went into it.
//!
//! The mask of a dropout is read off the output; everything else is then decided, and compared with sums in
//! f64.

mod dropout;
mod linear;
mod training;

use crate::inputs::Inputs;
use crate::work::Work;

/// Says what is wrong with an answer.
pub(crate) fn check(work: Work, inputs: &Inputs, answer: &[Vec<f32>]) -> Result<(), String> {
    let lengths: Vec<usize> = answer.iter().map(Vec::len).collect();
    let expected = work.answer_lengths();
    if lengths != expected {
        return Err(format!("arrays of {lengths:?} numbers, not {expected:?}"));
    }
    match work {
        Work::Mask { .. } => dropout::check_mask(&answer[0]),
        Work::Dropout { .. } => dropout::check_forward(&inputs.x, &answer[0]),
        Work::DropoutStep { .. } => {
            dropout::check_forward(&inputs.x, &answer[0])?;
            dropout::check_backward(&inputs.g, &answer[0], &answer[1])
        }
        Work::Linear(shape) | Work::FusedToPlain(shape) => {
            linear::check_plain(shape, inputs, &answer[0])
        }
        Work::Fused(shape) => linear::check_fused(shape, inputs, &answer[0]),
        Work::FusedStep(shape) => {
            linear::check_fused(shape, inputs, &answer[0])?;
            linear::check_gradients(shape, inputs, answer)
        }
        Work::Train => training::check_losses(&answer[0]),
    }
}

/// Fails unless the share of kept elements is within six standard deviations of what the rate says: by
/// chance that happens once in 500 million.
fn check_share(kept: usize, of: usize, rate: f64) -> Result<(), String> {
    let share = kept as f64 / of as f64;
    let sigma = (rate * (1.0 - rate) / of as f64).sqrt();
    if (share - (1.0 - rate)).abs() <= 6.0 * sigma {
        Ok(())
    } else {
        Err(format!(
            "{kept} of {of} elements are kept at a rate of {rate}"
        ))
    }
}

/// Fails unless `found` is within `tolerance` of `expected`; a NaN is not.
fn check_close(
    what: &str,
    at: usize,
    found: f32,
    expected: f64,
    tolerance: f64,
) -> Result<(), String> {
    if (f64::from(found) - expected).abs() <= tolerance {
        Ok(())
    } else {
        Err(format!("{what}[{at}] is {found:e}, not {expected:e}"))
    }
}
