//! Normalisation of each row by its own moments.

use super::columns::sum_columns;
use super::{
    Contiguous, ContiguousMut, Extent, Grads, NormGradsInto, WEIGHT, check_eps, check_length,
    check_shape, optional, reserve,
};
use crate::error::{Error, Result};
use crate::exec::{current_isa, for_each_piece_of_rows, for_each_rows_and_item};
use crate::kernels::norm::columns::Terms;
use crate::kernels::norm::rows::{Form, Moments, Norm, NormBackward};
use crate::simd::dispatch;
use crate::tensor::{Tensor, View, ViewMut};

/// What [`layer_norm`] and [`rms_norm`] leave for their backward passes: the mean and 1 / sqrt(variance + eps)
/// of each row, and no copy of the input. Reuse it from step to step: the memory is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NormSaved {
    moments: Vec<Moments>,
}

impl NormSaved {
    /// The rows of the last forward pass.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.moments.len()
    }

    /// The mean of each row; zero after [`rms_norm`].
    pub fn mean(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        let moments = self.moments.iter();
        moments.map(|moments| f64::from(moments.mean) + f64::from(moments.rest))
    }

    /// 1 / sqrt(variance + eps) of each row; after [`rms_norm`], of its mean square.
    pub fn inv_std(&self) -> impl ExactSizeIterator<Item = f32> + '_ {
        self.moments.iter().map(|moments| moments.inv_std)
    }

    /// The memory of what is saved.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.moments[..])
    }
}

/// Layer normalisation (Ba, Kiros and Hinton 2016, <https://arxiv.org/abs/1607.06450>) over the last axis:
/// `(x - mean) / sqrt(variance + eps) * weight + bias`, with the biased variance. `x` is `[.., features]`,
/// `weight` and `bias` are `[features]`; absent, they are 1 and 0.
///
/// A row's result is a function of that row and the parameters, to the bit: the same on every instruction set
/// and for every number of threads, and a NaN stays in its row. Two passes and a mean of more than f32's
/// precision keep rows of large numbers that differ little exact; a constant row becomes the bias.
///
/// ```
/// use elision::{Tensor, ops};
/// let x = Tensor::from_slice(&[1.0, 3.0, 1e4, 1e4], &[2, 2])?;
/// let (y, saved) = ops::layer_norm(&x, None, None, 1e-9)?;
/// assert_eq!(y.as_slice(), [-1.0, 1.0, 0.0, 0.0]);
/// assert_eq!(saved.mean().collect::<Vec<_>>(), [2.0, 1e4]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] for a scalar, [`Error::Shape`] if a parameter is not `[features]`, [`Error::Number`] if `eps`
/// is not positive and finite, [`Error::Overflow`] if memory cannot be allocated.
pub fn layer_norm<'a>(
    x: impl Into<View<'a>>,
    weight: Option<View<'_>>,
    bias: Option<View<'_>>,
    eps: f32,
) -> Result<(Tensor, NormSaved)> {
    let x = x.into();
    let (mut out, mut saved) = (Tensor::zeros(x.shape())?, NormSaved::default());
    layer_norm_into(x, weight, bias, eps, &mut out, Some(&mut saved))?;
    Ok((out, saved))
}

/// [`layer_norm`], written to `out`; `saved`, if given, receives what the backward pass needs.
///
/// # Errors
/// Those of [`layer_norm`], and [`Error::Shape`] if `out` has not the shape of `x`.
pub fn layer_norm_into<'a, 'b>(
    x: impl Into<View<'a>>,
    weight: Option<View<'_>>,
    bias: Option<View<'_>>,
    eps: f32,
    out: impl Into<ViewMut<'b>>,
    saved: Option<&mut NormSaved>,
) -> Result<()> {
    let parameters = Parameters { weight, bias, eps };
    forward(Form::Layer, x.into(), parameters, out.into(), saved)
}

/// The gradients of [`layer_norm`], from the gradient `dy` of its output, its input and weight, and what it
/// saved.
///
/// Those of the parameters are summed over the rows in f64, in an order that depends on the shape alone.
///
/// # Errors
/// [`Error::Rank`] and [`Error::Shape`] if the shapes do not fit, [`Error::Length`] if `saved` is another call's,
/// [`Error::Overflow`] if memory cannot be allocated.
pub fn layer_norm_backward_into<'a, 'b>(
    dy: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    weight: Option<View<'_>>,
    saved: &NormSaved,
    grads: NormGradsInto<'_>,
) -> Result<()> {
    backward(Form::Layer, [dy.into(), x.into()], weight, saved, grads)
}

/// Normalisation by the root mean square (Zhang and Sennrich 2019, <https://arxiv.org/abs/1910.07467>) over the
/// last axis: `x / sqrt(mean(x^2) + eps) * weight`. `x` is `[.., features]`, `weight` is `[features]`; absent, it
/// is 1.
///
/// The same promises hold as for [`layer_norm`].
///
/// ```
/// use elision::{Tensor, ops};
/// let x = Tensor::from_slice(&[3.0, -3.0, 3.0], &[1, 3])?;
/// let weight = Tensor::from_slice(&[1.0, 2.0, 0.5], &[3])?;
/// let (y, _) = ops::rms_norm(&x, Some(weight.view()), 1e-9)?;
/// assert_eq!(y.as_slice(), [1.0, -2.0, 0.5]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`layer_norm`].
pub fn rms_norm<'a>(
    x: impl Into<View<'a>>,
    weight: Option<View<'_>>,
    eps: f32,
) -> Result<(Tensor, NormSaved)> {
    let x = x.into();
    let (mut out, mut saved) = (Tensor::zeros(x.shape())?, NormSaved::default());
    rms_norm_into(x, weight, eps, &mut out, Some(&mut saved))?;
    Ok((out, saved))
}

/// [`rms_norm`], written to `out`; `saved`, if given, receives what the backward pass needs.
///
/// # Errors
/// Those of [`layer_norm_into`].
pub fn rms_norm_into<'a, 'b>(
    x: impl Into<View<'a>>,
    weight: Option<View<'_>>,
    eps: f32,
    out: impl Into<ViewMut<'b>>,
    saved: Option<&mut NormSaved>,
) -> Result<()> {
    let bias = None;
    let parameters = Parameters { weight, bias, eps };
    forward(Form::Rms, x.into(), parameters, out.into(), saved)
}

/// The gradients of [`rms_norm`], as [`layer_norm_backward_into`] gives those of [`layer_norm`].
///
/// # Errors
/// Those of [`layer_norm_backward_into`], and [`Error::Unsupported`] if the gradient of a bias is asked for.
pub fn rms_norm_backward_into<'a, 'b>(
    dy: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    weight: Option<View<'_>>,
    saved: &NormSaved,
    grads: NormGradsInto<'_>,
) -> Result<()> {
    if grads.bias.is_some() {
        return Err(Error::Unsupported("the root mean square norm has no bias"));
    }
    backward(Form::Rms, [dy.into(), x.into()], weight, saved, grads)
}

struct Parameters<'a> {
    weight: Option<View<'a>>,
    bias: Option<View<'a>>,
    eps: f32,
}

fn forward(
    form: Form,
    x: View<'_>,
    parameters: Parameters<'_>,
    out: ViewMut<'_>,
    saved: Option<&mut NormSaved>,
) -> Result<()> {
    let Parameters { weight, bias, eps } = parameters;
    let extent = Extent::of(&x, 1)?;
    extent.check_parameters(weight.as_ref(), bias.as_ref())?;
    let eps = check_eps(eps)?;
    check_shape("output", x.shape(), out.shape())?;
    let (isa, n) = (current_isa()?, extent.features);
    let (weight, bias) = (optional(weight)?, optional(bias)?);
    let (x, mut to) = (Contiguous::new(x)?, ContiguousMut::new(out)?);
    let (x, out) = (x.as_slice(), to.as_mut_slice());
    let piece = |first: usize, out: &mut [f32], moments: Option<&mut [Moments]>| {
        let norm = Norm {
            form,
            x: &x[first * n..first * n + out.len()],
            out,
            n,
            weight: weight.as_ref().map(Contiguous::as_slice),
            bias: bias.as_ref().map(Contiguous::as_slice),
            eps,
            moments,
        };
        dispatch(isa, norm);
    };
    if let Some(saved) = saved {
        reserve(&mut saved.moments, rows(x, n))?;
        saved.moments.resize(rows(x, n), Moments::default());
        if !x.is_empty() {
            for_each_rows_and_item(
                Some([out]),
                &mut saved.moments,
                n,
                WEIGHT,
                |first, out, moments| {
                    let [out] = out.unwrap_or_default();
                    piece(first, out, Some(moments));
                },
            );
        }
    } else if !x.is_empty() {
        for_each_piece_of_rows(out, n, WEIGHT, |first, out| piece(first, out, None));
    }
    to.finish()
}

/// Rows with an element: those of no features have no moments.
fn rows(x: &[f32], features: usize) -> usize {
    x.len() / features.max(1)
}

fn backward(
    form: Form,
    [dy, x]: [View<'_>; 2],
    weight: Option<View<'_>>,
    saved: &NormSaved,
    grads: NormGradsInto<'_>,
) -> Result<()> {
    let extent = Extent::of(&x, 1)?;
    extent.check_parameters(weight.as_ref(), None)?;
    check_shape("gradient of the norm's output", x.shape(), dy.shape())?;
    let mut grads = Grads::new(grads, x.shape(), extent)?;
    let (isa, n, weight) = (current_isa()?, extent.features, optional(weight)?);
    let (dy, x) = (Contiguous::new(dy)?, Contiguous::new(x)?);
    let (dy, x, moments) = (dy.as_slice(), x.as_slice(), &saved.moments[..]);
    let rows = rows(x, n);
    check_length("rows that the norm saved", rows, moments.len())?;
    if grads.has_parameters() {
        let terms = Terms::RowGradients { dy, moments };
        sum_columns(isa, (x, rows, n), terms, |sums| {
            grads.write_parameters(sums)
        })?;
    }
    if let Some(dx) = &mut grads.x
        && rows > 0
    {
        for_each_piece_of_rows(dx.as_mut_slice(), n, WEIGHT, |first, out| {
            let at = first * n..first * n + out.len();
            let norm = NormBackward {
                form,
                dy: &dy[at.clone()],
                x: &x[at],
                out,
                n,
                weight: weight.as_ref().map(Contiguous::as_slice),
                moments: &moments[first..],
            };
            dispatch(isa, norm);
        });
    }
    grads.finish()
}
