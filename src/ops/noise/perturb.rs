//! Noise that multiplies or is added.

use super::combine;
use super::numbers::{NORMAL, UNIFORM};
use crate::error::Result;
use crate::exec::current_isa;
use crate::kernels::noise::{Plus, Times};
use crate::noise::{Noise, Numbers};
use crate::ops::check::{ContiguousMut, check_shape};
use crate::ops::elementwise::{add, copy_into, mul};
use crate::rng::{Centred, Normal};
use crate::simd::Isa;
use crate::tensor::{Tensor, View, ViewMut};

/// `x` with noise: `x (1 + s n)`, or `x + s n` where the noise is added. Numbers are drawn and used in one pass.
///
/// ```
/// use elision::{Key, Noise, Tensor, ops};
/// let x = Tensor::full(&[100, 10], 4.0)?;
/// let y = ops::noise(&x, &Noise::uniform(Key::new(1), 0.1)?)?;
/// assert!(y.as_slice().iter().all(|y| (3.6..=4.4).contains(y)));
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if the result does not fit in memory.
pub fn noise<'a>(x: impl Into<View<'a>>, noise: &Noise) -> Result<Tensor> {
    let x = x.into();
    let mut out = Tensor::zeros(x.shape())?;
    noise_into(x, noise, &mut out)?;
    Ok(out)
}

/// [`noise()`] into given memory.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `out` has another shape than `x`.
pub fn noise_into<'a, 'b>(
    x: impl Into<View<'a>>,
    noise: &Noise,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (x, mut out) = (x.into(), out.into());
    check_shape("output of noise", x.shape(), out.shape())?;
    if noise.spread() == 0.0 {
        return copy_into(x, out);
    }
    let isa = current_isa()?;
    if let (Some(x), Some(out)) = (x.as_slice(), out.as_mut_slice()) {
        perturb(isa, noise, Some(x), out);
        return Ok(());
    }
    let mut copy = x.to_tensor()?;
    perturb(isa, noise, None, copy.as_mut_slice());
    copy_into(&copy, out)
}

/// [`noise()`] in place.
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if `x` is not contiguous and a copy cannot be allocated.
pub fn noise_in_place<'a>(x: impl Into<ViewMut<'a>>, noise: &Noise) -> Result<()> {
    if noise.spread() == 0.0 {
        return Ok(());
    }
    let isa = current_isa()?;
    let mut x = ContiguousMut::new(x.into())?;
    perturb(isa, noise, None, x.as_mut_slice());
    x.finish()
}

/// The gradient of [`noise()`]: `g (1 + s n)` with the same numbers, drawn again from the key; `g` itself where the noise
/// is added.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `out` has another shape than `g`.
pub fn noise_backward_into<'a, 'b>(
    g: impl Into<View<'a>>,
    noise: &Noise,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    if noise.is_added() {
        let (g, out) = (g.into(), out.into());
        check_shape("output of noise", g.shape(), out.shape())?;
        return copy_into(g, out);
    }
    // The product is linear in x.
    noise_into(g, noise, out)
}

/// [`noise()`] with one number for all elements that share an index of `noise_shape`, which is broadcast to the shape of
/// `x`: `[batch, 1, 1, channels]` is one number for each channel of a sample.
///
/// # Errors
/// [`Error::Broadcast`](crate::Error::Broadcast) if `noise_shape` does not broadcast to the shape of `x`.
pub fn noise_shared<'a>(
    x: impl Into<View<'a>>,
    noise_shape: &[usize],
    noise: &Noise,
) -> Result<Tensor> {
    let x = x.into();
    let numbers = noise_numbers(x.shape(), noise_shape, noise)?;
    if noise.is_added() {
        add(x, &numbers)
    } else {
        mul(x, &numbers)
    }
}

/// The factors, or the terms, of a noise on a reduced shape.
pub(crate) fn noise_numbers(
    shape: &[usize],
    noise_shape: &[usize],
    noise: &Noise,
) -> Result<Tensor> {
    let neutral = if noise.is_added() { 0.0 } else { 1.0 };
    let mut numbers = Tensor::full(noise_shape, neutral)?;
    numbers.view().broadcast_to(shape)?;
    noise_in_place(&mut numbers, noise)?;
    Ok(numbers)
}

fn perturb(isa: Isa, noise: &Noise, x: Option<&[f32]>, out: &mut [f32]) {
    let (normal, uniform) = (noise.key().named(NORMAL), noise.key().named(UNIFORM));
    let (plus, times) = (Plus(noise.spread()), Times(noise.spread()));
    match (noise.numbers(), noise.is_added()) {
        (Numbers::Normal, false) => combine(isa, (normal, Normal, times), x, out),
        (Numbers::Normal, true) => combine(isa, (normal, Normal, plus), x, out),
        (Numbers::Uniform, false) => combine(isa, (uniform, Centred, times), x, out),
        (Numbers::Uniform, true) => combine(isa, (uniform, Centred, plus), x, out),
    }
}
