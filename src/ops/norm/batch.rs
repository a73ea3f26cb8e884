//! Batch normalisation by the statistics of the batch.

use super::columns::{element_or, normalise_columns, pull_columns, sum_columns};
use super::{
    Contiguous, ContiguousMut, Extent, Grads, NormGradsInto, check_eps, check_length, check_shape,
    optional, reserve,
};
use crate::error::{Error, Result};
use crate::exec::current_isa;
use crate::kernels::norm::columns::Terms;
use crate::kernels::norm::split;
use crate::simd::Isa;
use crate::tensor::{Tensor, View, ViewMut};

/// The statistics that [`batch_norm`] took of each feature, for its backward pass and for running averages.
/// Reuse it from step to step: the memory is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchNormSaved {
    count: usize,
    mean: Vec<f64>,
    variance: Vec<f64>,
    inv_std: Vec<f64>,
}

impl BatchNormSaved {
    /// Elements of each feature.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The mean of each feature.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The biased variance of each feature: the mean square of the differences from the mean.
    #[must_use]
    pub fn variance(&self) -> &[f64] {
        &self.variance
    }

    /// The unbiased variance of each feature, which running averages take: count / (count - 1) times the biased one.
    pub fn unbiased_variance(&self) -> impl Iterator<Item = f64> + '_ {
        let count = self.count as f64;
        self.variance.iter().map(move |v| v * count / (count - 1.0))
    }

    /// 1 / sqrt(variance + eps) of each feature.
    #[must_use]
    pub fn inv_std(&self) -> &[f64] {
        &self.inv_std
    }

    /// The memory of what is saved.
    #[must_use]
    pub fn bytes(&self) -> usize {
        [&self.mean, &self.variance, &self.inv_std]
            .map(|values| size_of_val(&values[..]))
            .iter()
            .sum()
    }

    /// Moves running averages towards these statistics, each by the share `momentum` of the difference; the
    /// variance is the unbiased one.
    ///
    /// # Errors
    /// [`Error::Length`] if an average has not one number for each feature, [`Error::Number`] if `momentum` is
    /// outside of \[0, 1\].
    pub fn update_running(
        &self,
        momentum: f64,
        mean: &mut [f32],
        variance: &mut [f32],
    ) -> Result<()> {
        check_length("running mean", self.mean.len(), mean.len())?;
        check_length("running variance", self.mean.len(), variance.len())?;
        if !(0.0..=1.0).contains(&momentum) {
            return Err(Error::Number {
                what: "momentum of the running statistics",
                value: momentum,
            });
        }
        let moved = |running: f32, found| (1.0 - momentum) * f64::from(running) + momentum * found;
        for (running, &found) in mean.iter_mut().zip(&self.mean) {
            *running = moved(*running, found) as f32;
        }
        for (running, found) in variance.iter_mut().zip(self.unbiased_variance()) {
            *running = moved(*running, found) as f32;
        }
        Ok(())
    }

    fn make_room(&mut self, features: usize) -> Result<()> {
        let mut all = [&mut self.mean, &mut self.variance, &mut self.inv_std];
        for values in &mut all {
            reserve(values, features)?;
        }
        for values in all {
            values.resize(features, 0.0);
        }
        Ok(())
    }

    /// Takes the statistics of `rows` rows.
    fn take(&mut self, isa: Isa, x: &[f32], rows: usize, eps: f64) -> Result<()> {
        let (n, count) = (self.mean.len(), rows as f64);
        let Self {
            mean,
            variance,
            inv_std,
            ..
        } = self;
        sum_columns(isa, (x, rows, n), Terms::Values, |sums| {
            for (mean, sum) in mean.iter_mut().zip(sums) {
                *mean = sum / count;
            }
        })?;
        sum_columns(isa, (x, rows, n), Terms::Squares { mean }, |sums| {
            let slots = variance.iter_mut().zip(inv_std);
            for ((variance, inv_std), sum) in slots.zip(sums) {
                *variance = sum / count;
                *inv_std = 1.0 / (*variance + eps).sqrt();
            }
        })?;
        self.count = rows;
        Ok(())
    }
}

/// Batch normalisation (Ioffe and Szegedy 2015, <https://arxiv.org/abs/1502.03167>) in training:
/// `(x - mean) / sqrt(variance + eps) * weight + bias` for each feature, with the mean and the biased variance of
/// the feature over all other axes. The last axis holds the features: `x` is `[batch, .., features]` of rank 2 or
/// more, `weight` and `bias` are `[features]`; absent, they are 1 and 0.
///
/// The statistics are taken in f64, in two passes, and in an order that depends on the shape alone: the results
/// have the same bits on every instruction set and for every number of threads. A NaN stays in its feature.
///
/// ```
/// use elision::{Tensor, ops};
/// let x = Tensor::from_slice(&[1.0, 5.0, 3.0, 5.0], &[2, 2])?;
/// let (y, saved) = ops::batch_norm(&x, None, None, 1e-9)?;
/// assert_eq!(y.as_slice(), [-1.0, 0.0, 1.0, 0.0]);
/// let (mut mean, mut variance) = ([0.0, 0.0], [1.0, 1.0]);
/// saved.update_running(0.5, &mut mean, &mut variance)?;
/// assert_eq!((mean, variance), ([1.0, 2.5], [1.5, 0.5]));
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] if `x` has less than two axes, [`Error::Unsupported`] if there are fewer than two elements of a
/// feature, [`Error::Shape`] if a parameter is not `[features]`, [`Error::Number`] if `eps` is not positive and
/// finite, [`Error::Overflow`] if memory cannot be allocated.
pub fn batch_norm<'a>(
    x: impl Into<View<'a>>,
    weight: Option<View<'_>>,
    bias: Option<View<'_>>,
    eps: f32,
) -> Result<(Tensor, BatchNormSaved)> {
    let x = x.into();
    let (mut out, mut saved) = (Tensor::zeros(x.shape())?, BatchNormSaved::default());
    batch_norm_into(x, weight, bias, eps, &mut out, &mut saved)?;
    Ok((out, saved))
}

/// [`batch_norm`], written to `out`; `saved` receives the statistics.
///
/// # Errors
/// Those of [`batch_norm`], and [`Error::Shape`] if `out` has not the shape of `x`.
pub fn batch_norm_into<'a, 'b>(
    x: impl Into<View<'a>>,
    weight: Option<View<'_>>,
    bias: Option<View<'_>>,
    eps: f32,
    out: impl Into<ViewMut<'b>>,
    saved: &mut BatchNormSaved,
) -> Result<()> {
    let (x, out) = (x.into(), out.into());
    let extent = Extent::of(&x, 2)?;
    let (rows, n) = (extent.rows, extent.features);
    extent.check_parameters(weight.as_ref(), bias.as_ref())?;
    let eps = check_eps(eps)?;
    check_shape("output", x.shape(), out.shape())?;
    if rows < 2 {
        return Err(Error::Unsupported(
            "batch norm takes the variance of two elements of a feature or more",
        ));
    }
    let (isa, weight, bias) = (current_isa()?, optional(weight)?, optional(bias)?);
    let (x, mut out) = (Contiguous::new(x)?, ContiguousMut::new(out)?);
    saved.make_room(n)?;
    saved.take(isa, x.as_slice(), rows, eps)?;
    let column = |i: usize| {
        let (mean, rest) = split(saved.mean[i]);
        let scale = saved.inv_std[i] * f64::from(element_or(weight.as_ref(), i, 1.0));
        [mean, rest, scale as f32, element_or(bias.as_ref(), i, 0.0)]
    };
    normalise_columns(isa, x.as_slice(), n, column, out.as_mut_slice());
    out.finish()
}

/// The gradients of [`batch_norm`], through its statistics too, from the gradient `dy` of its output, its input
/// and weight, and what it saved.
///
/// # Errors
/// [`Error::Rank`] and [`Error::Shape`] if the shapes do not fit, [`Error::Length`] if `saved` is another call's,
/// [`Error::Overflow`] if memory cannot be allocated.
pub fn batch_norm_backward_into<'a, 'b>(
    dy: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    weight: Option<View<'_>>,
    saved: &BatchNormSaved,
    grads: NormGradsInto<'_>,
) -> Result<()> {
    let (dy, x) = (dy.into(), x.into());
    let extent = Extent::of(&x, 2)?;
    let (rows, n) = (extent.rows, extent.features);
    extent.check_parameters(weight.as_ref(), None)?;
    check_shape("gradient of the norm's output", x.shape(), dy.shape())?;
    check_length("rows of batch norm's input", saved.count, rows)?;
    check_length("features of batch norm's input", saved.mean.len(), n)?;
    let mut grads = Grads::new(grads, x.shape(), extent)?;
    let (isa, weight) = (current_isa()?, optional(weight)?);
    let (dy, x) = (Contiguous::new(dy)?, Contiguous::new(x)?);
    let (dy, x) = (dy.as_slice(), x.as_slice());
    let BatchNormSaved { mean, inv_std, .. } = saved;
    let terms = Terms::Gradients { dy, mean, inv_std };
    sum_columns(isa, (x, rows, n), terms, |sums| {
        grads.write_parameters(sums);
        let Some(dx) = &mut grads.x else { return };
        let (products, plain) = sums.split_at(n);
        let column = |i: usize| {
            let (mean, rest) = split(mean[i]);
            let scale = inv_std[i] * f64::from(element_or(weight.as_ref(), i, 1.0));
            let offset = plain[i] / rows as f64;
            let slope = products[i] / rows as f64 * inv_std[i];
            [mean, rest, scale as f32, offset as f32, slope as f32]
        };
        pull_columns(isa, [dy, x], n, column, dx.as_mut_slice());
    })?;
    grads.finish()
}
