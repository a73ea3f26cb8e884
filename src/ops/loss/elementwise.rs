//! Losses that are means over elements.

use super::write_to;
use crate::error::{Error, Result, check_number};
use crate::exec::{current_isa, for_each_rows_and_item, with_f64_scratch};
use crate::kernels::loss::{BLOCK, BinaryCrossEntropy, BlockSums, GaussianNll, SquaredError, Term};
use crate::ops::check::{Contiguous, check_shape};
use crate::simd::{Isa, dispatch};
use crate::tensor::{View, ViewMut};

/// An exponential, a logarithm and a division, in elements of a scaled copy.
const WEIGHT: usize = 8;

/// The mean over all elements of (x - target)^2; if `grad` is given, it receives the gradient with respect
/// to `x`: 2 (x - target) / elements.
///
/// ```
/// use elision::{Tensor, ops};
/// let x = Tensor::from_slice(&[1.0, 2.0], &[2])?;
/// let target = Tensor::from_slice(&[1.0, 5.0], &[2])?;
/// let mut grad = Tensor::zeros(&[2])?;
/// assert_eq!(ops::mean_squared_error(&x, &target, Some(grad.view_mut()))?, 4.5);
/// assert_eq!(grad.as_slice(), [0.0, -3.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if `target` or `grad` has not the shape of `x`, [`Error::Empty`] if there are no elements,
/// [`Error::Overflow`] if a copy is needed (a view is not contiguous) and cannot be allocated.
pub fn mean_squared_error<'a, 'b>(
    x: impl Into<View<'a>>,
    target: impl Into<View<'b>>,
    grad: Option<ViewMut<'_>>,
) -> Result<f64> {
    let (x, target) = (x.into(), target.into());
    check_shape("target", x.shape(), target.shape())?;
    check_elements(x, grad.as_ref())?;
    let (x, target) = (Contiguous::new(x)?, Contiguous::new(target)?);
    mean(SquaredError, [x.as_slice(), target.as_slice()], grad)
}

/// The mean over all elements of max(x, 0) - x target + ln(1 + e^-|x|), which is
/// -target ln(s) - (1 - target) ln(1 - s) with s = 1 / (1 + e^-x), without overflow and without the digits
/// that 1 - s loses; if `grad` is given, it receives the gradient with respect to the logits:
/// (s - target) / elements.
///
/// Each target is the probability of a yes, from 0 to 1. An infinite logit on the right side has no loss, one
/// on the wrong side an infinite loss.
///
/// ```
/// use elision::{Tensor, ops};
/// let logits = Tensor::from_slice(&[0.0, 1000.0], &[2])?;
/// let target = Tensor::from_slice(&[1.0, 1.0], &[2])?;
/// let mut grad = Tensor::zeros(&[2])?;
/// let loss = ops::binary_cross_entropy_with_logits(&logits, &target, Some(grad.view_mut()))?;
/// assert!((loss - 0.5 * 2f64.ln()).abs() < 1e-7);
/// assert_eq!(grad.as_slice(), [-0.25, 0.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`mean_squared_error`], and [`Error::Number`] if a target is outside of [0, 1].
pub fn binary_cross_entropy_with_logits<'a, 'b>(
    logits: impl Into<View<'a>>,
    target: impl Into<View<'b>>,
    grad: Option<ViewMut<'_>>,
) -> Result<f64> {
    let (x, target) = (logits.into(), target.into());
    check_shape("target", x.shape(), target.shape())?;
    check_elements(x, grad.as_ref())?;
    let (x, target) = (Contiguous::new(x)?, Contiguous::new(target)?);
    for &p in target.as_slice() {
        check_number("target of a binary loss", p, (0.0..=1.0).contains(&p))?;
    }
    mean(BinaryCrossEntropy, [x.as_slice(), target.as_slice()], grad)
}

/// The mean over all elements of 0.5 (log_variance + (target - mean)^2 e^-log_variance): -ln of a normal
/// density at the target, without its constant 0.5 ln(2 pi). `grads` receive the gradients with respect to
/// the mean and to the logarithm of the variance.
///
/// A network that predicts both learns how uncertain each of its answers is (Kendall and Gal 2017, "What
/// Uncertainties Do We Need in Bayesian Deep Learning for Computer Vision?", equation 8). It predicts the
/// logarithm because an output may be any number. PyTorch's `gaussian_nll_loss` with `full=False` is the
/// same loss of the variance itself.
///
/// ```
/// use elision::{Tensor, ops};
/// let [mean, target] = [1.0, 3.0].map(|x| Tensor::full(&[2], x));
/// let log_variance = Tensor::full(&[2], 4f32.ln())?;
/// let [mut of_mean, mut of_log] = [Tensor::zeros(&[2])?, Tensor::zeros(&[2])?];
/// let grads = [of_mean.view_mut(), of_log.view_mut()];
/// let loss = ops::gaussian_nll(&mean?, &log_variance, &target?, Some(grads))?;
/// assert!((loss - 0.5 * (4f64.ln() + 1.0)).abs() < 1e-6);
/// assert!((of_mean.as_slice()[0] + 0.25).abs() < 1e-6 && of_log.as_slice()[0].abs() < 1e-6);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`mean_squared_error`], for each of the operands and gradients.
pub fn gaussian_nll<'a, 'b, 'c>(
    mean: impl Into<View<'a>>,
    log_variance: impl Into<View<'b>>,
    target: impl Into<View<'c>>,
    grads: Option<[ViewMut<'_>; 2]>,
) -> Result<f64> {
    let (center, log_variance, target) = (mean.into(), log_variance.into(), target.into());
    check_shape("log variance", center.shape(), log_variance.shape())?;
    check_shape("target", center.shape(), target.shape())?;
    check_elements(center, grads.iter().flatten())?;
    let [center, log_variance] = [Contiguous::new(center)?, Contiguous::new(log_variance)?];
    let target = Contiguous::new(target)?;
    let x = [
        center.as_slice(),
        log_variance.as_slice(),
        target.as_slice(),
    ];
    let loss = MeanLoss::new(GaussianNll, x)?;
    match grads {
        None => loss.run(None),
        Some([first, second]) => write_to(first, |first| {
            write_to(second, |second| loss.run(Some([first, second])))
        }),
    }
}

/// There are elements, and the gradients have their shape.
fn check_elements<'a, 'b: 'a>(
    x: View<'_>,
    grads: impl IntoIterator<Item = &'a ViewMut<'b>>,
) -> Result<()> {
    for grad in grads {
        check_shape("gradient", x.shape(), grad.shape())?;
    }
    if x.is_empty() {
        return Err(Error::Empty("the mean loss"));
    }
    Ok(())
}

/// The mean of a term with one gradient.
fn mean<const N: usize>(
    term: impl Term<N, 1>,
    x: [&[f32]; N],
    grad: Option<ViewMut<'_>>,
) -> Result<f64> {
    let loss = MeanLoss::new(term, x)?;
    match grad {
        None => loss.run(None),
        Some(grad) => write_to(grad, |grad| loss.run(Some([grad]))),
    }
}

/// A term and its checked operands: all of one length, which is not zero.
struct MeanLoss<'a, T, const N: usize> {
    isa: Isa,
    term: T,
    x: [&'a [f32]; N],
}

impl<'a, T, const N: usize> MeanLoss<'a, T, N> {
    fn new(term: T, x: [&'a [f32]; N]) -> Result<Self> {
        let isa = current_isa()?;
        Ok(Self { isa, term, x })
    }

    fn run<const G: usize>(&self, grads: Option<[&mut [f32]; G]>) -> Result<f64>
    where
        T: Term<N, G>,
    {
        let n = self.x[0].len() as f64;
        Ok(sum(self.isa, self.term, self.x, grads, (1.0 / n) as f32)? / n)
    }
}

/// The sum of a term over elements, block by block, and `scale` times its derivatives.
pub(in crate::ops) fn sum<T: Term<N, G>, const N: usize, const G: usize>(
    isa: Isa,
    term: T,
    x: [&[f32]; N],
    grads: Option<[&mut [f32]; G]>,
    scale: f32,
) -> Result<f64> {
    with_f64_scratch("sums of blocks", x[0].len().div_ceil(BLOCK), |sums| {
        for_each_rows_and_item(grads, sums, BLOCK, WEIGHT, |first, grads, sums| {
            let start = first * BLOCK;
            let end = x[0].len().min(start + sums.len() * BLOCK);
            let x = x.map(|x| &x[start..end]);
            dispatch(
                isa,
                BlockSums {
                    term,
                    x,
                    grads,
                    scale,
                    sums,
                },
            );
        });
        sums.iter().sum()
    })
}
