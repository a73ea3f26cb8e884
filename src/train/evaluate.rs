//! Models in evaluation.

use super::batch::Batch;
use super::loss::{Loss, constant, rows};
use super::samples::Samples;
use crate::autograd::Tape;
use crate::error::{Error, Result};
use crate::nn::{Layer, Pass, Updates};
use crate::ops::copy_into;
use crate::tensor::{Dims, Tensor, View};

/// Rows that go through a model at a time: their outputs have the same bits in any batch, and the memory of a few
/// large batches is enough.
const PIECE: usize = 1024;

/// The beginnings and ends of the pieces of some rows; one empty piece of none.
fn pieces(rows: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let starts = (0..rows.max(1)).step_by(PIECE);
    starts.map(move |start| start..(start + PIECE).min(rows))
}

/// Loss and number correct of a model on samples, in evaluation.
///
/// # Errors
/// [`Error::Empty`] if there are no samples; those of the model and of the loss if the samples do not fit.
pub fn evaluate(model: &dyn Layer, loss: &Loss, samples: &Samples) -> Result<Batch> {
    if samples.rows() == 0 {
        return Err(Error::Empty("an evaluation"));
    }
    let tape = Tape::new();
    let mut sum = Batch::default();
    for piece in pieces(samples.rows()) {
        let rows: Vec<usize> = piece.collect();
        let batch = tape.no_grad(|| -> Result<Batch> {
            let (x, target) = samples.on(&tape, &rows)?;
            let output = model.forward(&x, &Pass::eval())?;
            let loss = loss.between(&output, &target)?.item()?;
            Ok(Batch::of(loss, output.view(), &target))
        })?;
        sum = sum.and(batch);
    }
    Ok(sum)
}

/// The outputs of a model for samples of shape `[rows, ..]`, in evaluation.
///
/// ```
/// use elision::{Key, Tensor, nn::Linear, train::predict};
/// let model = Linear::new(3, 2, Key::new(1))?;
/// assert_eq!(predict(&model, &Tensor::zeros(&[2000, 3])?)?.shape(), [2000, 2]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] if `x` has no axis; those of the model if the samples do not fit.
pub fn predict<'a>(model: &dyn Layer, x: impl Into<View<'a>>) -> Result<Tensor> {
    let x = x.into();
    let all = rows("samples", x)?;
    let tape = Tape::new();
    let mut outputs = Tensor::default();
    for piece in pieces(all) {
        let output = tape.no_grad(|| {
            let x = constant(&tape, x.slice(0, piece.clone())?)?;
            model.forward(&x, &Pass::eval())
        })?;
        let found = rows("outputs", output.view())?;
        if found != piece.len() {
            let (what, expected) = ("outputs", piece.len());
            return Err(Error::Length {
                what,
                expected,
                found,
            });
        }
        if piece.start == 0 {
            let mut shape = Dims::new(output.shape())?;
            shape[0] = all;
            outputs = Tensor::zeros(&shape)?;
        }
        copy_into(&output, outputs.view_mut().slice(0, piece)?)?;
    }
    Ok(outputs)
}

/// Estimates the running statistics of a model's normalisations anew, without dropout, as means over some batches:
/// those that were gathered under dropout are of another distribution
/// (Li et al. 2019, <https://arxiv.org/abs/1801.05134>).
///
/// # Errors
/// Those of the model if a batch does not fit; the model is then unchanged.
pub fn reestimate_statistics(
    model: &mut dyn Layer,
    batches: impl Iterator<Item = Tensor>,
) -> Result<()> {
    let tape = Tape::new();
    let mut all: Vec<Updates> = Vec::new();
    for x in batches {
        let pass = Pass::reestimate();
        tape.no_grad(|| model.forward(&tape.constant(x), &pass))?;
        let share = 1.0 / (all.len() as f64 + 1.0);
        all.push(pass.take_updates().with_rate(share));
    }
    all.into_iter().try_for_each(|updates| updates.apply(model))
}
