//! Dropout of each element.

use super::draw::{check_end, stream};
use super::pass;
use crate::dropout::Dropout;
use crate::error::Result;
use crate::exec::{current_isa, for_each_chunk, for_each_chunk_pair};
use crate::kernels::dropout::Forward;
use crate::mask::Mask;
use crate::ops::check::{check_length, check_shape};
use crate::ops::elementwise::{copy_into, scale_in_place};
use crate::ops::select::{select, select_into};
use crate::simd::Isa;
use crate::tensor::{Tensor, View, ViewMut};

/// Cost of an element of dropout against an element of a scaled copy.
const APPLY_WEIGHT: usize = 1;

/// Dropout in training, out of place: the output and the mask that [`dropout_backward`] takes.
///
/// A dropped element is `+0.0` whatever it was, NaN and infinity included (PyTorch on a CPU multiplies,
/// and makes NaN of them); a kept one is `x * scale`, with [`Dropout::scale`]'s one rounding.
///
/// ```
/// use elision::{Dropout, Key, Tensor, ops};
/// let x = Tensor::full(&[100, 10], 3.0)?;
/// let (y, mask) = ops::dropout(&x, &Dropout::new(Key::new(1), 0.5)?)?;
/// for (i, y) in y.as_slice().iter().enumerate() {
///     assert_eq!(*y, if mask.get(i).unwrap() { 6.0 } else { 0.0 });
/// }
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if the offset plus the number of elements does not fit 64 bits.
pub fn dropout<'a>(x: impl Into<View<'a>>, dropout: &Dropout) -> Result<(Tensor, Mask)> {
    let x = x.into();
    check_end(dropout, x.len())?;
    let mut out = Tensor::zeros(x.shape())?;
    let mut mask = Mask::none(x.len());
    dropout_into(x, dropout, &mut out, Some(&mut mask))?;
    Ok((out, mask))
}

/// Dropout in training into given memory. `keep` is filled with the mask if it is given; without it no
/// mask is kept, and the backward pass draws the bits again.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `out` has another shape than `x`, [`Error::Length`](crate::Error::Length) if `keep` has another length,
/// [`Error::Overflow`](crate::Error::Overflow) if the offset plus the number of elements does not fit 64 bits.
pub fn dropout_into<'a, 'b>(
    x: impl Into<View<'a>>,
    dropout: &Dropout,
    out: impl Into<ViewMut<'b>>,
    keep: Option<&mut Mask>,
) -> Result<()> {
    let (x, mut out) = (x.into(), out.into());
    check_shape("output of dropout", x.shape(), out.shape())?;
    check_forward(dropout, x.len(), keep.as_deref())?;
    let isa = current_isa()?;
    match (x.as_slice(), out.as_mut_slice()) {
        (Some(x), Some(out)) => forward(isa, Some(x), dropout, out, keep),
        _ => {
            // Rows of any stride: the elements move first, the bits are drawn once for all of them.
            let mut copy = x.to_tensor()?;
            forward(isa, None, dropout, copy.as_mut_slice(), keep);
            copy_into(&copy, out)?;
        }
    }
    Ok(())
}

/// Dropout in training in place; see [`dropout_into`].
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if `keep` has another length than `x`, [`Error::Overflow`](crate::Error::Overflow) if the offset plus the
/// number of elements does not fit 64 bits.
pub fn dropout_in_place<'a>(
    x: impl Into<ViewMut<'a>>,
    dropout: &Dropout,
    keep: Option<&mut Mask>,
) -> Result<()> {
    let mut x = x.into();
    check_forward(dropout, x.len(), keep.as_deref())?;
    let isa = current_isa()?;
    if let Some(x) = x.as_mut_slice() {
        forward(isa, None, dropout, x, keep);
        return Ok(());
    }
    let mut copy = x.as_view().to_tensor()?;
    forward(isa, None, dropout, copy.as_mut_slice(), keep);
    copy_into(&copy, x)
}

fn check_forward(dropout: &Dropout, len: usize, keep: Option<&Mask>) -> Result<()> {
    check_end(dropout, len)?;
    keep.map_or(Ok(()), |keep| check_length("mask to fill", len, keep.len()))
}

fn forward(
    isa: Isa,
    x: Option<&[f32]>,
    dropout: &Dropout,
    out: &mut [f32],
    keep: Option<&mut Mask>,
) {
    let (stream, scale) = (stream(dropout), dropout.scale());
    match keep {
        None => for_each_chunk(out, APPLY_WEIGHT, |start, out| {
            let part = Forward {
                stream: stream.skip(start),
                x: x.map(|x| &x[start..start + out.len()]),
                out,
                words: None,
                scale,
            };
            pass::forward(isa, part);
        }),
        Some(keep) => {
            let words = keep.words_mut();
            words.fill(0);
            for_each_chunk_pair(out, words, APPLY_WEIGHT, |start, out, words| {
                let part = Forward {
                    stream: stream.skip(start),
                    x: x.map(|x| &x[start..start + out.len()]),
                    out,
                    words: Some(words),
                    scale,
                };
                pass::forward(isa, part);
            });
        }
    }
}

/// The gradient of dropout: `g * scale` where kept, `+0.0` where dropped. With `mask` the bits are
/// those; with `None` they are drawn again from the key.
///
/// # Errors
/// [`Error::Length`](crate::Error::Length) if `mask` has another length than `g`, [`Error::Overflow`](crate::Error::Overflow) if the offset plus the
/// number of elements does not fit 64 bits.
pub fn dropout_backward<'a>(
    g: impl Into<View<'a>>,
    dropout: &Dropout,
    mask: Option<&Mask>,
) -> Result<Tensor> {
    let g = g.into();
    let mut out = Tensor::zeros(g.shape())?;
    dropout_backward_into(g, dropout, mask, &mut out)?;
    Ok(out)
}

/// [`dropout_backward`] into given memory.
///
/// # Errors
/// As [`dropout_backward`], and [`Error::Shape`](crate::Error::Shape) if `out` has another shape than `g`.
pub fn dropout_backward_into<'a, 'b>(
    g: impl Into<View<'a>>,
    dropout: &Dropout,
    mask: Option<&Mask>,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    // Dropout is linear: without a mask, its gradient is dropout of the gradient.
    let Some(mask) = mask else {
        return dropout_into(g, dropout, out, None);
    };
    select_into(g, mask, dropout.scale(), out)
}

/// [`dropout_backward`] in place.
///
/// # Errors
/// As [`dropout_backward`].
pub fn dropout_backward_in_place<'a>(
    g: impl Into<ViewMut<'a>>,
    dropout: &Dropout,
    mask: Option<&Mask>,
) -> Result<()> {
    let Some(mask) = mask else {
        return dropout_in_place(g, dropout, None);
    };
    let mut g = g.into();
    check_length("mask of dropout", g.len(), mask.len())?;
    let isa = current_isa()?;
    if let Some(g) = g.as_mut_slice() {
        select(isa, None, mask, dropout.scale(), g);
        return Ok(());
    }
    let mut copy = g.as_view().to_tensor()?;
    select(isa, None, mask, dropout.scale(), copy.as_mut_slice());
    copy_into(&copy, g)
}

/// What inference does: nothing for the inverted form (a bit-for-bit copy, no random state touched), a
/// factor of `1 - p` for the original form.
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if the copy does not fit in memory.
pub fn dropout_inference<'a>(x: impl Into<View<'a>>, dropout: &Dropout) -> Result<Tensor> {
    let mut out = x.into().to_tensor()?;
    dropout_inference_in_place(&mut out, dropout)?;
    Ok(out)
}

/// [`dropout_inference`] in place.
///
/// # Errors
/// None today; a `Result` like every operation.
pub fn dropout_inference_in_place<'a>(x: impl Into<ViewMut<'a>>, dropout: &Dropout) -> Result<()> {
    match dropout.inference_scale() {
        1.0 => Ok(()),
        scale => scale_in_place(x, scale),
    }
}
