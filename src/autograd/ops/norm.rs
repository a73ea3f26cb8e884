//! Normalisation: of rows, and of the features of a batch.

use super::check_constant;
use super::grads::Grads;
use crate::autograd::{KeptBytes, Saves, Step, Tape, Var};
use crate::error::Result;
use crate::ops::{self, BatchNormSaved, GivenStatistics, NormSaved};

impl Saves for NormSaved {
    fn count(&self, kept: &mut KeptBytes) {
        kept.own(self.bytes());
    }
}

impl Saves for BatchNormSaved {
    fn count(&self, kept: &mut KeptBytes) {
        kept.own(self.bytes());
    }
}

impl Var {
    /// Each row of the last axis less its mean, over its standard deviation, times `weight`, plus `bias`
    /// ([Ba et al. 2016](https://arxiv.org/abs/1607.06450)). Keeps references to `self` and `weight`, and the
    /// statistics of each row.
    ///
    /// # Errors
    /// Those of [`ops::layer_norm`] and of [`Tape::of`].
    pub fn layer_norm(&self, weight: &Self, bias: &Self, eps: f32) -> Result<Self> {
        let inputs = [self, weight, bias];
        let tape = Tape::of(&inputs)?;
        let (mut y, mut saved) = (tape.buffer(self.shape())?, NormSaved::default());
        ops::layer_norm_into(
            self,
            Some(weight.view()),
            Some(bias.view()),
            eps,
            &mut *y,
            Some(&mut saved),
        )?;
        let step = Step {
            op: "layer_norm",
            inputs: &inputs,
            output: y.into(),
        };
        let kept = ([self.value().clone(), weight.value().clone()], saved);
        Ok(
            tape.record(step, kept, |([x, weight], saved), dy, gradients| {
                let mut grads = Grads::new([x.shape(), weight.shape(), weight.shape()], gradients)?;
                ops::layer_norm_backward_into(
                    &dy,
                    &x,
                    Some(weight.view()),
                    &saved,
                    grads.of_norm(),
                )?;
                grads.add(gradients)
            }),
        )
    }

    /// Each row of the last axis over the root of its mean square, times `weight`
    /// ([Zhang and Sennrich 2019](https://arxiv.org/abs/1910.07467)). Keeps references to `self` and `weight`, and a
    /// number a row.
    ///
    /// # Errors
    /// Those of [`ops::rms_norm`] and of [`Tape::of`].
    pub fn rms_norm(&self, weight: &Self, eps: f32) -> Result<Self> {
        let inputs = [self, weight];
        let tape = Tape::of(&inputs)?;
        let (mut y, mut saved) = (tape.buffer(self.shape())?, NormSaved::default());
        ops::rms_norm_into(self, Some(weight.view()), eps, &mut *y, Some(&mut saved))?;
        let step = Step {
            op: "rms_norm",
            inputs: &inputs,
            output: y.into(),
        };
        let kept = ([self.value().clone(), weight.value().clone()], saved);
        Ok(
            tape.record(step, kept, |([x, weight], saved), dy, gradients| {
                let mut grads = Grads::new([x.shape(), weight.shape(), weight.shape()], gradients)?;
                ops::rms_norm_backward_into(&dy, &x, Some(weight.view()), &saved, grads.of_norm())?;
                grads.add(gradients)
            }),
        )
    }

    /// Each feature (of the last axis) less its mean over the batch, over its standard deviation, times `weight`,
    /// plus `bias` ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)); and the batch's statistics. Keeps
    /// references to `self` and `weight`, and the statistics.
    ///
    /// # Errors
    /// Those of [`ops::batch_norm`] and of [`Tape::of`].
    pub fn batch_norm(
        &self,
        weight: &Self,
        bias: &Self,
        eps: f32,
    ) -> Result<(Self, BatchNormSaved)> {
        let inputs = [self, weight, bias];
        let tape = Tape::of(&inputs)?;
        let (mut y, mut saved) = (tape.buffer(self.shape())?, BatchNormSaved::default());
        ops::batch_norm_into(
            self,
            Some(weight.view()),
            Some(bias.view()),
            eps,
            &mut *y,
            &mut saved,
        )?;
        let step = Step {
            op: "batch_norm",
            inputs: &inputs,
            output: y.into(),
        };
        let kept = (
            [self.value().clone(), weight.value().clone()],
            saved.clone(),
        );
        let y = tape.record(step, kept, |([x, weight], saved), dy, gradients| {
            let mut grads = Grads::new([x.shape(), weight.shape(), weight.shape()], gradients)?;
            ops::batch_norm_backward_into(&dy, &x, Some(weight.view()), &saved, grads.of_norm())?;
            grads.add(gradients)
        });
        Ok((y, saved))
    }

    /// [`batch_norm`](Var::batch_norm) with statistics that are given, `[mean, variance]`, constants, as in evaluation. Keeps
    /// references to all but `bias`.
    ///
    /// # Errors
    /// Those of [`ops::batch_norm_inference`] and of [`Tape::of`], and
    /// [`Error::Unsupported`](crate::Error::Unsupported) if a statistic needs a gradient.
    pub fn batch_norm_given(
        &self,
        statistics: [&Self; 2],
        weight: &Self,
        bias: &Self,
        eps: f32,
    ) -> Result<Self> {
        let inputs = [self, weight, bias];
        let tape = Tape::of(&inputs)?;
        for own in statistics {
            check_constant("statistics that are given must be constants", own)?;
        }
        let mut y = tape.buffer(self.shape())?;
        let [mean, variance] = statistics.map(|own| own.value().clone());
        let given = GivenStatistics {
            mean: mean.view(),
            variance: variance.view(),
            eps,
        };
        ops::batch_norm_inference_into(
            self,
            &given,
            Some(weight.view()),
            Some(bias.view()),
            &mut *y,
        )?;
        let step = Step {
            op: "batch_norm_given",
            inputs: &inputs,
            output: y.into(),
        };
        let kept = (
            [self.value().clone(), weight.value().clone()],
            [mean, variance],
        );
        Ok(tape.record(
            step,
            kept,
            move |([x, weight], [mean, variance]), dy, gradients| {
                let given = GivenStatistics {
                    mean: mean.view(),
                    variance: variance.view(),
                    eps,
                };
                let mut grads = Grads::new([x.shape(), weight.shape(), weight.shape()], gradients)?;
                ops::batch_norm_inference_backward_into(
                    &dy,
                    &x,
                    &given,
                    Some(weight.view()),
                    grads.of_norm(),
                )?;
                grads.add(gradients)
            },
        ))
    }
}
