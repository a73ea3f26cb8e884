//! Batch normalisation by statistics that are given.

use super::columns::{element_or, normalise_columns, sum_columns};
use super::{
    Contiguous, ContiguousMut, Extent, Grads, NormGradsInto, check_eps, check_shape, optional,
};
use crate::error::{Error, Result};
use crate::exec::{current_isa, with_f64_scratch};
use crate::kernels::norm::columns::Terms;
use crate::ops::elementwise::mul_into;
use crate::tensor::{Tensor, View, ViewMut};

/// Statistics of each feature that do not come from the batch at hand, such as running averages.
#[derive(Clone, Copy, Debug)]
pub struct GivenStatistics<'a> {
    /// Shape `[features]`.
    pub mean: View<'a>,
    /// Shape `[features]`; none is negative.
    pub variance: View<'a>,
    /// Added to the variance: positive and finite.
    pub eps: f32,
}

/// [`batch_norm`](crate::ops::batch_norm) with statistics that are given:
/// `(x - mean) / sqrt(variance + eps) * weight + bias` for each feature. A batch may have any number of rows.
///
/// ```
/// use elision::{Tensor, ops};
/// let x = Tensor::from_slice(&[1.0, 5.0], &[1, 2])?;
/// let (mean, variance) = (Tensor::full(&[2], 1.0)?, Tensor::full(&[2], 4.0)?);
/// let given = ops::GivenStatistics { mean: mean.view(), variance: variance.view(), eps: 1e-9 };
/// assert_eq!(ops::batch_norm_inference(&x, &given, None, None)?.as_slice(), [0.0, 2.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] if `x` has less than two axes, [`Error::Shape`] if a parameter or a statistic is not
/// `[features]`, [`Error::Number`] if `eps` is not positive and finite or a variance is negative,
/// [`Error::Overflow`] if memory cannot be allocated.
pub fn batch_norm_inference<'a>(
    x: impl Into<View<'a>>,
    given: &GivenStatistics<'_>,
    weight: Option<View<'_>>,
    bias: Option<View<'_>>,
) -> Result<Tensor> {
    let x = x.into();
    let mut out = Tensor::zeros(x.shape())?;
    batch_norm_inference_into(x, given, weight, bias, &mut out)?;
    Ok(out)
}

/// [`batch_norm_inference`], written to `out`.
///
/// # Errors
/// Those of [`batch_norm_inference`], and [`Error::Shape`] if `out` has not the shape of `x`.
pub fn batch_norm_inference_into<'a, 'b>(
    x: impl Into<View<'a>>,
    given: &GivenStatistics<'_>,
    weight: Option<View<'_>>,
    bias: Option<View<'_>>,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (x, out) = (x.into(), out.into());
    let extent = Extent::of(&x, 2)?;
    extent.check_parameters(weight.as_ref(), bias.as_ref())?;
    let given = Given::new(given, extent)?;
    check_shape("output", x.shape(), out.shape())?;
    let (isa, weight, bias) = (current_isa()?, optional(weight)?, optional(bias)?);
    let (x, mut out) = (Contiguous::new(x)?, ContiguousMut::new(out)?);
    let column = |i: usize| {
        let scale = given.inv_std(i) * f64::from(element_or(weight.as_ref(), i, 1.0));
        let bias = element_or(bias.as_ref(), i, 0.0);
        [given.mean.as_slice()[i], 0.0, scale as f32, bias]
    };
    normalise_columns(
        isa,
        x.as_slice(),
        extent.features,
        column,
        out.as_mut_slice(),
    );
    out.finish()
}

/// The gradients of [`batch_norm_inference`], whose statistics are constants: that of the input is
/// `dy * weight / sqrt(variance + eps)`.
///
/// # Errors
/// Those of [`batch_norm_inference`], and [`Error::Shape`] if a gradient has another shape than its variable.
pub fn batch_norm_inference_backward_into<'a, 'b>(
    dy: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    given: &GivenStatistics<'_>,
    weight: Option<View<'_>>,
    grads: NormGradsInto<'_>,
) -> Result<()> {
    let (dy, x) = (dy.into(), x.into());
    let extent = Extent::of(&x, 2)?;
    let (rows, n) = (extent.rows, extent.features);
    extent.check_parameters(weight.as_ref(), None)?;
    let given = Given::new(given, extent)?;
    check_shape("gradient of the norm's output", x.shape(), dy.shape())?;
    let mut grads = Grads::new(grads, x.shape(), extent)?;
    let (isa, weight) = (current_isa()?, optional(weight)?);
    let scale = (0..n).map(|i| given.inv_std(i) * f64::from(element_or(weight.as_ref(), i, 1.0)));
    let scale = Tensor::from_vec(scale.map(|scale| scale as f32).collect(), &[n])?;
    let (dy, x) = (Contiguous::new(dy)?, Contiguous::new(x)?);
    let (dy, x) = (dy.as_slice(), x.as_slice());
    if grads.has_parameters() {
        with_f64_scratch("statistics", n.saturating_mul(2), |statistics| {
            let (mean, inv_std) = statistics.split_at_mut(n);
            for i in 0..n {
                mean[i] = f64::from(given.mean.as_slice()[i]);
                inv_std[i] = given.inv_std(i);
            }
            let terms = Terms::Gradients { dy, mean, inv_std };
            sum_columns(isa, (x, rows, n), terms, |sums| {
                grads.write_parameters(sums)
            })
        })??;
    }
    if let Some(dx) = &mut grads.x {
        let dx = ViewMut::contiguous(dx.as_mut_slice(), &[rows, n])?;
        mul_into(View::contiguous(dy, &[rows, n])?, &scale, dx)?;
    }
    grads.finish()
}

/// Statistics that have been checked.
struct Given<'a> {
    mean: Contiguous<'a>,
    variance: Contiguous<'a>,
    eps: f64,
}

impl<'a> Given<'a> {
    fn new(given: &GivenStatistics<'a>, extent: Extent) -> Result<Self> {
        let GivenStatistics {
            mean,
            variance,
            eps,
        } = *given;
        extent.check("mean of the norm", Some(&mean))?;
        extent.check("variance of the norm", Some(&variance))?;
        let eps = check_eps(eps)?;
        let variance = Contiguous::new(variance)?;
        match variance.as_slice().iter().find(|&&variance| variance < 0.0) {
            Some(&negative) => Err(Error::Number {
                what: "variance of the norm",
                value: f64::from(negative),
            }),
            None => Ok(Self {
                mean: Contiguous::new(mean)?,
                variance,
                eps,
            }),
        }
    }

    /// 1 / sqrt(variance + eps) of a feature.
    fn inv_std(&self, i: usize) -> f64 {
        1.0 / (f64::from(self.variance.as_slice()[i]) + self.eps).sqrt()
    }
}
