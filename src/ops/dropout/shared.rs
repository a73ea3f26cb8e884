//! Dropout of groups of elements that share a fate.
//!
//! The bits of a reduced mask are never expanded at the tensor's size. Where neighbours read a row of bits again and again,
//! or one bit for a run of them, the kernel repeats the bits in a register; in other geometries some thousand bits at a
//! time are written to the stack and applied.

use super::draw::{check_end, draw};
use super::element::dropout_into;
use crate::dropout::Dropout;
use crate::error::Result;
use crate::exec::{current_isa, for_each_chunk, with_mask};
use crate::kernels::elementwise::{Map, Scaled};
use crate::kernels::select::{Apply, Bits, Each, Repeated, Runs};
use crate::mask::{Broadcast, Mask, Period, Span, check_groups};
use crate::ops::check::{check_length, check_shape};
use crate::ops::elementwise::copy_into;
use crate::ops::select::select_into;
use crate::simd::{Isa, dispatch};
use crate::tensor::{Tensor, View, ViewMut};

/// Cost of an element against one of a scaled copy.
const APPLY_WEIGHT: usize = 1;
/// Words of bits that are expanded at a time where [`Broadcast::span`] has little to say: half a kibibyte, which the first
/// cache does not notice.
const WORDS: usize = 64;
/// Elements from which on a span is worth a call of its own.
const LONG_SPAN: usize = 512;

/// Groups of elements, their bits and the factor of those that are kept.
#[derive(Clone, Copy)]
pub(super) struct Groups<'a> {
    pub(super) broadcast: &'a Broadcast,
    pub(super) words: &'a [u64],
    pub(super) scale: f32,
}

impl Groups<'_> {
    /// Selects the elements of `out`, the first of which is number `start`, from `x` or in place.
    pub(super) fn select(&self, isa: Isa, x: Option<&[f32]>, start: usize, out: &mut [f32]) {
        let is_long = self.broadcast.span_len() >= LONG_SPAN;
        let mut buffer = [0; WORDS];
        let mut done = 0;
        while done < out.len() {
            let (at, left) = (start + done, out.len() - done);
            let (span, n) = match is_long {
                true => self.broadcast.span(self.words, at),
                false => (Span::Each(0), 64 * WORDS),
            };
            let range = done..done + n.min(left);
            let x = x.map(|x| &x[range.clone()]);
            let out = &mut out[range];
            done += out.len();
            if is_long {
                self.select_span(isa, x, span, out);
            } else {
                self.broadcast.write(self.words, at, out.len(), &mut buffer);
                let words = &buffer;
                self.select_bits(isa, x, Each { words, at: 0 }, out);
            }
        }
    }

    fn select_span(&self, isa: Isa, x: Option<&[f32]>, span: Span, out: &mut [f32]) {
        let words = self.words;
        match (span, x) {
            (Span::Each(at), _) => self.select_bits(isa, x, Each { words, at }, out),
            (Span::Repeated { first, period, at }, _) => {
                let row = Period::new(words, first, period);
                let (words, period) = (row.as_words(), row.len());
                self.select_bits(isa, x, Repeated { words, period, at }, out);
            }
            (Span::Runs { first, left, len }, _) => {
                let runs = Runs {
                    words,
                    run: first,
                    left,
                    len,
                };
                self.select_bits(isa, x, runs, out);
            }
            (Span::One(false), _) => out.fill(0.0),
            (Span::One(true), _) if self.scale != 1.0 => {
                let op = Scaled(self.scale);
                dispatch(isa, Map { op, x, out });
            }
            (Span::One(true), Some(x)) => out.copy_from_slice(x),
            (Span::One(true), None) => {}
        }
    }

    fn select_bits(&self, isa: Isa, x: Option<&[f32]>, bits: impl Bits, out: &mut [f32]) {
        let scale = self.scale;
        dispatch(
            isa,
            Apply {
                x,
                out,
                bits,
                scale,
            },
        );
    }

    /// The same for a whole tensor, on as many threads as the work is worth.
    fn select_all(&self, isa: Isa, x: View<'_>, mut out: ViewMut<'_>) -> Result<()> {
        if let (Some(x), Some(out)) = (x.as_slice(), out.as_mut_slice()) {
            for_each_chunk(out, APPLY_WEIGHT, |start, out| {
                self.select(isa, Some(&x[start..start + out.len()]), start, out);
            });
            return Ok(());
        }
        let mut copy = x.to_tensor()?;
        for_each_chunk(copy.as_mut_slice(), APPLY_WEIGHT, |start, out| {
            self.select(isa, None, start, out);
        });
        copy_into(&copy, out)
    }
}

/// `x * scale` where `mask` keeps and `+0.0` elsewhere. The mask has the shape `noise_shape` and is read as
/// [`Mask::broadcast`] says, without being expanded at the size of `x`.
///
/// ```
/// use elision::{Mask, Tensor, ops};
/// let x = Tensor::full(&[2, 3], 1.0)?;
/// let mut y = Tensor::zeros(&[2, 3])?;
/// ops::select_shared_into(&x, &[2, 1], &Mask::from_bools(&[false, true]), 2.0, &mut y)?;
/// assert_eq!(y.as_slice(), [0.0, 0.0, 0.0, 2.0, 2.0, 2.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Broadcast`](crate::Error::Broadcast) if `noise_shape` is not the shape of `x` with some sizes replaced by 1,
/// [`Error::Length`](crate::Error::Length) if `mask` has not one bit for each of its elements,
/// [`Error::Shape`](crate::Error::Shape) if `out` has another shape than `x`.
pub fn select_shared_into<'a, 'b>(
    x: impl Into<View<'a>>,
    noise_shape: &[usize],
    mask: &Mask,
    scale: f32,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (x, out) = (x.into(), out.into());
    check_shape("output of a selection", x.shape(), out.shape())?;
    let broadcast = Broadcast::new(noise_shape, x.shape())?;
    check_groups(&broadcast, mask.len())?;
    if broadcast.is_identity() {
        return select_into(x, mask, scale, out);
    }
    let groups = Groups {
        broadcast: &broadcast,
        words: mask.as_words(),
        scale,
    };
    groups.select_all(current_isa()?, x, out)
}

/// Dropout in training of groups that share a fate: the output, and the mask that [`dropout_shared_backward`] takes.
///
/// `noise_shape` is the shape of `x` with 1 along each axis whose elements share their fate; [`Where`](crate::Where)
/// makes it. The mask has one bit for each of its elements: bit i is keep bit i of the dropout, as [`Mask::draw`] draws
/// it. A dropped element is `+0.0`, a kept one `x` times [`Dropout::scale`].
///
/// ```
/// use elision::{Channels, Dropout, Key, Tensor, Where, ops};
/// let x = Tensor::full(&[8, 5, 5, 16], 1.0)?;
/// let noise_shape = Where::Channel(Channels::Last).noise_shape(x.shape())?;
/// let (y, mask) = ops::dropout_shared(&x, &noise_shape, &Dropout::new(Key::new(1), 0.5)?)?;
/// assert_eq!(mask.len(), 8 * 16);
/// assert_eq!(y.as_slice()[0], y.as_slice()[16]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Broadcast`](crate::Error::Broadcast) if `noise_shape` is not the shape of `x` with some sizes replaced by 1,
/// [`Error::Overflow`](crate::Error::Overflow) if the dropout's offset plus the number of groups does not fit 64 bits, or the
/// mask not into memory.
pub fn dropout_shared<'a>(
    x: impl Into<View<'a>>,
    noise_shape: &[usize],
    dropout: &Dropout,
) -> Result<(Tensor, Mask)> {
    let x = x.into();
    let groups = check_forward(x, noise_shape, dropout)?.bits();
    let (mut out, mut mask) = (Tensor::zeros(x.shape())?, Mask::try_none(groups)?);
    dropout_shared_into(x, noise_shape, dropout, &mut out, Some(&mut mask))?;
    Ok((out, mask))
}

/// [`dropout_shared`], written to `out`. `keep`, of one bit a group, is filled with the mask if it is given; without it
/// the backward pass draws the bits again.
///
/// # Errors
/// Those of [`dropout_shared`]; [`Error::Shape`](crate::Error::Shape) if `out` has another shape than `x`,
/// [`Error::Length`](crate::Error::Length) if `keep` has another length than there are groups.
pub fn dropout_shared_into<'a, 'b>(
    x: impl Into<View<'a>>,
    noise_shape: &[usize],
    dropout: &Dropout,
    out: impl Into<ViewMut<'b>>,
    keep: Option<&mut Mask>,
) -> Result<()> {
    let (x, out) = (x.into(), out.into());
    check_shape("output of dropout", x.shape(), out.shape())?;
    let broadcast = check_forward(x, noise_shape, dropout)?;
    if let Some(keep) = keep.as_deref() {
        check_length("mask to fill", broadcast.bits(), keep.len())?;
    }
    if broadcast.is_identity() {
        return dropout_into(x, dropout, out, keep);
    }
    let isa = current_isa()?;
    let fill_and_select = |mask: &mut Mask| {
        draw(isa, dropout, mask);
        let groups = Groups {
            broadcast: &broadcast,
            words: mask.as_words(),
            scale: dropout.scale(),
        };
        groups.select_all(isa, x, out)
    };
    match keep {
        // Beside a size of zero, the others may ask for more bits than memory holds.
        None if x.is_empty() => Ok(()),
        None => with_mask(broadcast.bits(), fill_and_select),
        Some(keep) => {
            keep.words_mut().fill(0);
            fill_and_select(keep)
        }
    }
}

fn check_forward(x: View<'_>, noise_shape: &[usize], dropout: &Dropout) -> Result<Broadcast> {
    let broadcast = Broadcast::new(noise_shape, x.shape())?;
    check_end(dropout, broadcast.bits())?;
    Ok(broadcast)
}

/// The gradient of [`dropout_shared`]: `g * scale` where the group is kept, `+0.0` elsewhere. With `mask`, of one bit a
/// group, the bits are those; with `None` they are drawn again from the key.
///
/// # Errors
/// Those of [`dropout_shared`]; [`Error::Length`](crate::Error::Length) if `mask` has not one bit a group.
pub fn dropout_shared_backward<'a>(
    g: impl Into<View<'a>>,
    noise_shape: &[usize],
    dropout: &Dropout,
    mask: Option<&Mask>,
) -> Result<Tensor> {
    let g = g.into();
    check_forward(g, noise_shape, dropout)?;
    let mut out = Tensor::zeros(g.shape())?;
    dropout_shared_backward_into(g, noise_shape, dropout, mask, &mut out)?;
    Ok(out)
}

/// [`dropout_shared_backward`], written to `out`.
///
/// # Errors
/// Those of [`dropout_shared_backward`]; [`Error::Shape`](crate::Error::Shape) if `out` has another shape than `g`.
pub fn dropout_shared_backward_into<'a, 'b>(
    g: impl Into<View<'a>>,
    noise_shape: &[usize],
    dropout: &Dropout,
    mask: Option<&Mask>,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    match mask {
        // It is linear: without a mask, its gradient is the same dropout of the gradient.
        None => dropout_shared_into(g, noise_shape, dropout, out, None),
        Some(mask) => select_shared_into(g, noise_shape, mask, dropout.scale(), out),
    }
}
