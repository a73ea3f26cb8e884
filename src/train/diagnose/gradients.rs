//! Gradients without a step.

use crate::autograd::{Gradients, Tape};
use crate::error::{Error, Result};
use crate::nn::{Layer, Pass};
use crate::train::objective::data_loss;
use crate::train::{Batch, Loss, Samples};

/// The gradients of a model's loss on batches of samples, all parameters in one row: each is computed as a step of
/// training would, and the model stays as it is, running statistics included.
///
/// The numbers are those of the trainable parameters, in the order of [`Layer::named_parameters`]; a parameter that
/// no gradient reached has zeros. Weight decay and the limits of an optimiser are not part of them.
///
/// ```
/// use elision::nn::{Linear, Pass};
/// use elision::train::diagnose::BatchGradients;
/// use elision::train::{Loss, Samples, Targets};
/// use elision::{Key, Tensor};
/// let x = Tensor::from_slice(&[1.0, 2.0], &[2, 1])?;
/// let samples = Samples::new(x.clone(), Targets::Values(x))?;
/// let model = Linear::new(1, 1, Key::new(1))?;
/// let mut gradients = BatchGradients::new(&model, Loss::MeanSquaredError, &samples);
/// let (batch, gradient) = gradients.of(&[0, 1], &Pass::train(Key::new(2), 0))?;
/// assert_eq!((batch.rows, gradient.len()), (2, 2));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Debug)]
pub struct BatchGradients<'a> {
    model: &'a dyn Layer,
    loss: Loss,
    samples: &'a Samples,
    tape: Tape,
    gradients: Gradients,
    flat: Vec<f32>,
}

impl<'a> BatchGradients<'a> {
    /// Of the loss of that model on those samples.
    #[must_use]
    pub fn new(model: &'a dyn Layer, loss: Loss, samples: &'a Samples) -> Self {
        Self {
            model,
            loss,
            samples,
            tape: Tape::new(),
            gradients: Gradients::default(),
            flat: Vec::new(),
        }
    }

    /// The samples.
    #[must_use]
    pub fn samples(&self) -> &'a Samples {
        self.samples
    }

    /// The gradient of the mean loss of some rows, and what the forward pass saw. The pass says whether there is
    /// dropout, and which: [`Pass::train`] for that of a step.
    ///
    /// # Errors
    /// [`Error::Empty`] if there are no rows, [`Error::Range`] if one does not exist, and those of the model and the
    /// loss.
    pub fn of(&mut self, rows: &[usize], pass: &Pass) -> Result<(Batch, &[f32])> {
        let outcome = self.backward(rows, pass);
        self.copy();
        // Whatever happened, the memory goes back to the tape.
        self.gradients.clear();
        self.tape.clear();
        outcome.map(|batch| (batch, self.flat.as_slice()))
    }

    fn backward(&mut self, rows: &[usize], pass: &Pass) -> Result<Batch> {
        if rows.is_empty() {
            return Err(Error::Empty("a batch"));
        }
        let (x, target) = self.samples.on(&self.tape, rows)?;
        let (loss, batch) = data_loss(self.model, &self.loss, (&x, &target), pass)?;
        loss.backward_into(&mut self.gradients)?;
        Ok(batch)
    }

    /// All gradients in one row.
    fn copy(&mut self) {
        self.flat.clear();
        for (_, parameter) in self.model.named_parameters() {
            if !parameter.is_trainable() {
                continue;
            }
            let end = self.flat.len() + parameter.value().len();
            if let Some(gradient) = self.gradients.get(parameter) {
                self.flat.extend(gradient.iter());
            }
            self.flat.resize(end, 0.0);
        }
    }
}
