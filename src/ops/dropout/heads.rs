//! Dropout of attention heads.

use super::exact::Words;
use super::shared::Groups;
use crate::dropout::Dropout;
use crate::error::{Error, Result, check_number};
use crate::exec::{current_isa, for_each_piece_of_rows};
use crate::mask::{Broadcast, Mask, check_groups};
use crate::ops::check::{Contiguous, ContiguousMut, check_shape};
use crate::tensor::{Tensor, View, ViewMut};

impl Mask {
    /// Which of `heads` attention heads each of `samples` samples keeps, one bit a head in row-major order, given that it
    /// keeps one at least.
    ///
    /// The bits are those of [`Mask::draw`]. Where these drop all heads of a sample, its heads are drawn anew under the
    /// condition: the first kept head is f with probability proportional to `p^f`, and those behind it are kept with
    /// probability `1 - p` each.
    ///
    /// # Errors
    /// [`Error::Number`] if the dropout's probability is 1, [`Error::Overflow`] if there are too many heads.
    pub fn draw_heads(dropout: &Dropout, samples: usize, heads: usize) -> Result<Self> {
        check_head_rate(dropout.p())?;
        let len = samples.checked_mul(heads);
        let len = len.ok_or(Error::Overflow("mask of heads"))?;
        let mut mask = Self::draw(dropout, len)?;
        for first in (0..len).step_by(heads.max(1)) {
            if mask.slice(first..first + heads)?.count_kept() == 0 {
                revive(dropout, first, heads, &mut mask)?;
            }
        }
        Ok(mask)
    }
}

/// A rate at which a head can be kept.
pub(crate) fn check_head_rate(p: f64) -> Result<()> {
    check_number("rate of dropped heads (below 1)", p, p < 1.0)
}

/// Draws the heads from `first` on, all of which are dropped, given that one is kept.
fn revive(dropout: &Dropout, first: usize, heads: usize, mask: &mut Mask) -> Result<()> {
    let index = dropout.offset() + first as u64;
    let key = dropout.key().named("heads").fold_in(index);
    let kept = first_kept(Words::new(key.fold_in(0))?.next(), dropout.p(), heads);
    let rest = Mask::draw(&Dropout::new(key.fold_in(1), dropout.p())?, heads)?;
    for head in (0..heads).filter(|&i| i == kept || i > kept && rest.get(i) == Some(true)) {
        let at = first + head;
        mask.words_mut()[at / 64] |= 1 << (at % 64);
    }
    Ok(())
}

/// The first kept head: f with probability `p^f / (1 + p + … + p^(heads - 1))`.
fn first_kept(random: u64, p: f64, heads: usize) -> usize {
    let weights = || std::iter::successors(Some(1.0), |weight| Some(weight * p)).take(heads);
    let total: f64 = weights().sum();
    let mut left = (random >> 11) as f64 / (1_u64 << 53) as f64 * total;
    for (head, weight) in weights().enumerate() {
        if left < weight {
            return head;
        }
        left -= weight;
    }
    heads - 1
}

/// Dropout of whole attention heads in training (DropHead; Zhou et al. 2020, <https://arxiv.org/abs/2004.13342>): `x` is
/// `[samples, heads, …]`, each sample drops heads of its own with the dropout's probability and keeps one at least, and
/// the kept ones are multiplied by the number of heads over the number of kept ones.
///
/// Returns the output and the mask of [`Mask::draw_heads`]. The dropout's own scale and form are not used.
///
/// ```
/// use elision::{Dropout, Key, Tensor, ops};
/// let x = Tensor::full(&[4, 8, 10, 16], 1.0)?;
/// let (y, mask) = ops::drop_heads(&x, &Dropout::new(Key::new(1), 0.5)?)?;
/// let kept = mask.slice(0..8)?.count_kept();
/// assert!(kept > 0);
/// assert!(y.as_slice()[..8 * 160].iter().all(|&y| y == 0.0 || y == 8.0 / kept as f32));
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Axis`] if `x` has no axis of heads, and those of [`Mask::draw_heads`].
pub fn drop_heads<'a>(x: impl Into<View<'a>>, dropout: &Dropout) -> Result<(Tensor, Mask)> {
    let x = x.into();
    let [samples, heads] = samples_and_heads(x.shape())?;
    let mask = Mask::draw_heads(dropout, samples, heads)?;
    let mut out = Tensor::zeros(x.shape())?;
    drop_heads_backward_into(x, &mask, &mut out)?;
    Ok((out, mask))
}

/// [`drop_heads`], written to `out`. Returns the mask.
///
/// # Errors
/// Those of [`drop_heads`]; [`Error::Shape`] if `out` has another shape than `x`.
pub fn drop_heads_into<'a, 'b>(
    x: impl Into<View<'a>>,
    dropout: &Dropout,
    out: impl Into<ViewMut<'b>>,
) -> Result<Mask> {
    let (x, out) = (x.into(), out.into());
    let [samples, heads] = samples_and_heads(x.shape())?;
    check_shape("output of dropped heads", x.shape(), out.shape())?;
    let mask = Mask::draw_heads(dropout, samples, heads)?;
    drop_heads_backward_into(x, &mask, out)?;
    Ok(mask)
}

/// The gradient of [`drop_heads`] for the gradient `g` of its output: the same function of `g` with the same mask.
///
/// # Errors
/// [`Error::Axis`] if `g` has no axis of heads, [`Error::Length`] if the mask has not one bit for each head of each
/// sample.
pub fn drop_heads_backward<'a>(g: impl Into<View<'a>>, mask: &Mask) -> Result<Tensor> {
    let g = g.into();
    let mut out = Tensor::zeros(g.shape())?;
    drop_heads_backward_into(g, mask, &mut out)?;
    Ok(out)
}

/// [`drop_heads_backward`], written to `out`.
///
/// # Errors
/// Those of [`drop_heads_backward`]; [`Error::Shape`] if `out` has another shape than `g`.
pub fn drop_heads_backward_into<'a, 'b>(
    g: impl Into<View<'a>>,
    mask: &Mask,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (g, out) = (g.into(), out.into());
    let [samples, heads] = samples_and_heads(g.shape())?;
    check_shape("output of dropped heads", g.shape(), out.shape())?;
    let broadcast = Broadcast::new(&[samples, heads, 1], &[samples, heads, inner(g)])?;
    check_groups(&broadcast, mask.len())?;
    if out.is_empty() {
        return Ok(());
    }
    let isa = current_isa()?;
    let scales = scales(mask, heads)?;
    let (g, mut out) = (Contiguous::new(g)?, ContiguousMut::new(out)?);
    let (g, n) = (g.as_slice(), heads * broadcast.elements() / mask.len());
    for_each_piece_of_rows(out.as_mut_slice(), n, 1, |first, out| {
        for (i, out) in out.chunks_exact_mut(n).enumerate() {
            let groups = Groups {
                broadcast: &broadcast,
                words: mask.as_words(),
                scale: scales[first + i],
            };
            let start = (first + i) * n;
            groups.select(isa, Some(&g[start..start + n]), start, out);
        }
    });
    out.finish()
}

/// The factor of each sample's kept heads; some finite number for a sample without any.
fn scales(mask: &Mask, heads: usize) -> Result<Vec<f32>> {
    let kept = |first| Ok(mask.slice(first..first + heads)?.count_kept());
    let scale = |kept: usize| (heads as f64 / kept.max(1) as f64) as f32;
    let samples = (0..mask.len()).step_by(heads);
    samples.map(|first| kept(first).map(scale)).collect()
}

/// The elements of one head of one sample.
fn inner(x: View<'_>) -> usize {
    x.shape()[2..].iter().product()
}

fn samples_and_heads(shape: &[usize]) -> Result<[usize; 2]> {
    match *shape {
        [samples, heads, ..] => Ok([samples, heads]),
        _ => Err(Error::Axis {
            axis: 1,
            rank: shape.len(),
        }),
    }
}
