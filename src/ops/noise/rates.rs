//! Dropout at a rate of each element's or each channel's own.

use crate::error::{Error, Result};
use crate::exec::{current_isa, for_each_chunk};
use crate::kernels::rates::Rates;
use crate::key::Key;
use crate::mask::Mask;
use crate::ops::check::{Contiguous, check_length, check_shape};
use crate::ops::elementwise::mul;
use crate::ops::select::select_into;
use crate::rng::BLOCK;
use crate::simd::dispatch;
use crate::tensor::{Tensor, View, ViewMut};

/// Cost of a word of 64 decisions against an element of a scaled copy.
const WORD_WEIGHT: usize = 256;

impl Mask {
    /// Element i, in row-major order, is dropped with probability `rates[i]`, by comparing 32 random bits of its own: the
    /// rate is rounded to a multiple of 2^-32. A rate of 0 never drops, a rate of 1 always does. The bits have
    /// nothing to do with those of [`Mask::draw`].
    ///
    /// ```
    /// use elision::{Key, Mask, Tensor};
    /// let rates = Tensor::from_slice(&[0.0, 1.0, 0.0, 0.5], &[4])?;
    /// let mask = Mask::draw_rates(Key::new(1), &rates)?;
    /// assert_eq!(mask.to_bools()[..3], [true, false, true]);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Rate`] if a rate is NaN or outside [0, 1], [`Error::Overflow`] if `rates` is not contiguous and a copy
    /// cannot be allocated.
    pub fn draw_rates<'a>(key: Key, rates: impl Into<View<'a>>) -> Result<Self> {
        let rates = Contiguous::new(rates.into())?;
        let rates = rates.as_slice();
        check_rates(rates.iter().copied())?;
        let isa = current_isa()?;
        let (mut mask, key) = (Self::none(rates.len()), key.named(RATES));
        for_each_chunk(mask.words_mut(), WORD_WEIGHT, |start, words| {
            let end = rates.len().min(64 * (start + words.len()));
            let rates = &rates[64 * start..end];
            let block = (64 * start / BLOCK) as u64;
            dispatch(
                isa,
                Rates {
                    key,
                    block,
                    rates,
                    words,
                },
            );
        });
        Ok(mask)
    }
}

/// The name of the stream.
const RATES: &str = "rates";

fn check_rates(rates: impl Iterator<Item = f32>) -> Result<()> {
    for (position, rate) in rates.enumerate() {
        if !(0.0..=1.0).contains(&rate) {
            let value = rate.into();
            return Err(Error::Rate { position, value });
        }
    }
    Ok(())
}

/// Inverted dropout with rates p that are broadcast to the shape of `x`, `[channels]` for one a channel: a kept element
/// is multiplied by 1 / (1 - p), a dropped one is `+0.0`. Returns the mask too, [`Mask::draw_rates`] of the broadcast rates.
///
/// ```
/// use elision::{Key, Tensor, ops};
/// let rates = Tensor::from_slice(&[0.0, 0.5, 1.0], &[3])?;
/// let (y, _) = ops::dropout_rates(&Tensor::full(&[100, 3], 1.0)?, &rates, Key::new(1))?;
/// for row in y.as_slice().chunks(3) {
///     assert!(row[0] == 1.0 && (row[1] == 0.0 || row[1] == 2.0) && row[2] == 0.0);
/// }
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rate`] if a rate is NaN or outside [0, 1], [`Error::Broadcast`] if the rates do not broadcast.
pub fn dropout_rates<'a, 'b>(
    x: impl Into<View<'a>>,
    rates: impl Into<View<'b>>,
    key: Key,
) -> Result<(Tensor, Mask)> {
    let (x, rates) = (x.into(), rates.into());
    let mut out = Tensor::zeros(x.shape())?;
    let scales = keep_scales(rates)?;
    let mask = Mask::draw_rates(key, rates.broadcast_to(x.shape())?)?;
    dropout_scales_into(x, &scales, &mask, &mut out)?;
    Ok((out, mask))
}

/// The gradient of [`dropout_rates`] with respect to `x`: the same selection and the same factors. The rates are constants.
///
/// # Errors
/// Those of [`dropout_rates`], [`Error::Length`] if the mask has another length than `g`, and [`Error::Shape`] if `out` has
/// another shape.
pub fn dropout_rates_backward_into<'a, 'b, 'c>(
    g: impl Into<View<'a>>,
    rates: impl Into<View<'b>>,
    mask: &Mask,
    out: impl Into<ViewMut<'c>>,
) -> Result<()> {
    dropout_scales_into(g.into(), &keep_scales(rates.into())?, mask, out.into())
}

/// 1 / (1 - p) for each rate, computed in f64 and rounded once; 1 where p = 1, which keeps nothing.
fn keep_scales(rates: View<'_>) -> Result<Tensor> {
    check_rates(rates.iter())?;
    let scale = |p: f32| match p {
        1.0 => 1.0,
        _ => (1.0 / (1.0 - f64::from(p))) as f32,
    };
    Tensor::from_vec(rates.iter().map(scale).collect(), rates.shape())
}

/// `x * scales` where the mask keeps and `+0.0` elsewhere; the scales are broadcast.
fn dropout_scales_into<'a>(
    x: View<'_>,
    scales: &Tensor,
    mask: &Mask,
    out: impl Into<ViewMut<'a>>,
) -> Result<()> {
    let out = out.into();
    scales.view().broadcast_to(x.shape())?;
    check_shape("output of dropout", x.shape(), out.shape())?;
    check_length("mask of dropout", x.len(), mask.len())?;
    select_into(&mul(x, scales)?, mask, 1.0, out)
}
