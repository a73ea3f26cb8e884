//! The forward pass.

use super::{Checked, LinearInput, Saved, bits, check_linear};
use crate::activation::Activation;
use crate::dropout::Dropout;
use crate::epilogue::Epilogue;
use crate::error::{Error, Result};
use crate::exec::{current_isa, with_mask};
use crate::kernels::gemm::{Merge, Output, Plane, Right, TileEpilogue};
use crate::mask::Mask;
use crate::ops::check::{Contiguous, check_shape};
use crate::ops::dropout::draw;
use crate::ops::elementwise::copy_into;
use crate::ops::matmul::{Factors, finish_product, matrix_mut, operand};
use crate::ops::select::positive;
use crate::simd::{Isa, LANES};
use crate::tensor::matrix::MatrixMut;
use crate::tensor::{Tensor, View, ViewMut};

/// `dropout(activation(x * w^T + bias))` for `x` of shape `[m, k]` and weights of shape `[n, k]`: shape
/// `[m, n]`, and what [`linear_backward`](crate::ops::linear_backward) needs.
///
/// The result equals the unfused operations: the same keep bits exactly, the values within the error of
/// [`matmul`](crate::ops::matmul).
///
/// ```
/// use elision::{Activation, Dropout, Epilogue, Key, Tensor, ops};
/// let x = Tensor::full(&[32, 20], 0.5)?;
/// let w = Tensor::full(&[10, 20], 0.1)?;
/// let dropout = Dropout::new(Key::new(1).fold_in(0), 0.5)?;
/// let fused = Epilogue { bias: None, activation: Activation::Relu, dropout: Some(dropout) };
/// let (y, saved) = ops::linear(&x, &w, &fused)?;
/// let grads = ops::linear_backward(&y, &x, &w, &fused, &saved)?;
/// assert_eq!(grads.w.shape(), [10, 20]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] or [`Error::Shape`] if the shapes do not fit, [`Error::Overflow`] if the result does
/// not fit in memory or the dropout's last index does not fit 64 bits.
pub fn linear<'a, 'b>(
    x: impl Into<LinearInput<'a>>,
    w: impl Into<View<'b>>,
    epilogue: &Epilogue<'_>,
) -> Result<(Tensor, Saved)> {
    let (x, w) = (x.into(), w.into());
    let (m, n, _) = check_linear(x.x, w, epilogue)?;
    let mut out = Tensor::zeros(&[m, n])?;
    let mut saved = Saved::default();
    linear_into(x, w, epilogue, &mut out, Some(&mut saved))?;
    Ok((out, saved))
}

/// [`linear`] into given memory; without `saved` nothing is kept for a backward pass, and with
/// [`Saved::recomputing`] no bits are.
///
/// # Errors
/// As [`linear`], and [`Error::Shape`] if `out` is not `[m, n]`.
pub fn linear_into<'a, 'b, 'c>(
    x: impl Into<LinearInput<'a>>,
    w: impl Into<View<'b>>,
    epilogue: &Epilogue<'_>,
    out: impl Into<ViewMut<'c>>,
    saved: Option<&mut Saved>,
) -> Result<()> {
    let (x, w, out) = (x.into(), w.into(), out.into());
    let sizes = check_linear(x.x, w, epilogue)?;
    let w = operand(w);
    forward_into(Checked { x, w, sizes }, epilogue, out, saved)
}

/// A forward pass into memory whose shape is still to be checked.
pub(super) fn forward_into(
    operands: Checked<'_>,
    epilogue: &Epilogue<'_>,
    mut out: ViewMut<'_>,
    saved: Option<&mut Saved>,
) -> Result<()> {
    let Checked { x, w, sizes } = operands;
    let (m, n, depth) = sizes;
    check_shape("output of linear", &[m, n], out.shape())?;
    let isa = current_isa()?;
    let bias = epilogue.bias.map(Contiguous::new).transpose()?;
    let Some(y) = out.as_mut_slice() else {
        // The bits of the backward pass are those of contiguous rows.
        let mut copy = Tensor::zeros(&[m, n])?;
        forward_into(operands, epilogue, copy.view_mut(), saved)?;
        return copy_into(&copy, out);
    };
    let factors = Factors {
        a: x.operand(),
        b: Right::Loose(w.transposed()),
        depth,
        skip: x.skip(Plane::RowsDepth),
    };
    let layer = Forward {
        isa,
        factors,
        epilogue,
        bias: bias.as_ref().map(Contiguous::as_slice),
        shape: [m, n],
    };
    match saved {
        Some(saved) => {
            saved.prepare(epilogue, &[m, n])?;
            match saved.recomputes {
                true => layer.run(y, saved.pre_activation.as_mut()),
                false => layer.run_and_save(y, saved),
            }
        }
        None => layer.run(y, None),
    }
}

/// A forward pass whose arguments are checked.
pub(super) struct Forward<'a> {
    pub(super) isa: Isa,
    pub(super) factors: Factors<'a>,
    pub(super) epilogue: &'a Epilogue<'a>,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) shape: [usize; 2],
}

impl Forward<'_> {
    /// Draws the bits and forgets them.
    pub(super) fn run(&self, y: &mut [f32], pre: Option<&mut Tensor>) -> Result<()> {
        let mut pre = pre.map(Tensor::view_mut);
        let output = Output {
            pre: pre.as_mut().and_then(matrix_mut),
            ..Output::only(self.matrix(y)?)
        };
        let finish =
            |kept: Option<&Mask>| finish_product(self.isa, self.factors, self.tile(kept), output);
        match &self.epilogue.dropout {
            None => finish(None),
            Some(dropout) => with_mask(self.shape.iter().product(), |kept| {
                draw(self.isa, dropout, kept);
                finish(Some(kept));
            }),
        }
        Ok(())
    }

    /// Keeps what the backward pass needs, for which there is room.
    fn run_and_save(&self, y: &mut [f32], saved: &mut Saved) -> Result<()> {
        let Saved {
            kept,
            pre_activation,
            ..
        } = saved;
        self.draw(kept);
        let mut pre = pre_activation.as_mut().map(Tensor::view_mut);
        let pre = pre.as_mut().and_then(matrix_mut);
        if let Some(kept) = kept.as_mut().filter(|_| self.merges_in_tiles()) {
            let merge = Some(self.cells(kept)?);
            let output = Output {
                c: self.matrix(y)?,
                pre,
                merge,
            };
            finish_product(self.isa, self.factors, self.tile(None), output);
            kept.clear_tail();
            return Ok(());
        }
        let output = Output {
            c: self.matrix(y)?,
            pre,
            merge: None,
        };
        finish_product(self.isa, self.factors, self.tile(kept.as_ref()), output);
        if let (Activation::Relu, Some(kept)) = (self.epilogue.activation, kept) {
            positive(self.isa, y, kept);
        }
        Ok(())
    }

    /// Draws the dropout decisions; without dropout all bits are 1, for ReLU to clear.
    fn draw(&self, kept: &mut Option<Mask>) {
        match (&self.epilogue.dropout, kept) {
            (Some(dropout), Some(kept)) => {
                kept.words_mut().fill(0);
                draw(self.isa, dropout, kept);
            }
            (None, Some(kept)) => kept.words_mut().fill(!0),
            (_, None) => {}
        }
    }

    /// Whether ReLU's decisions go into the bits as the tiles are stored: where a row is a whole number of
    /// cells and a cell's bytes lie as its bits do.
    fn merges_in_tiles(&self) -> bool {
        let [_, n] = self.shape;
        let whole_cells = n > 0 && n.is_multiple_of(LANES);
        self.epilogue.activation == Activation::Relu
            && whole_cells
            && cfg!(target_endian = "little")
    }

    fn cells<'m>(&self, kept: &'m mut Mask) -> Result<Merge<'m>> {
        let [m, n] = self.shape;
        let cells = bytemuck::cast_slice_mut::<u64, u16>(kept.words_mut());
        MatrixMut::new(cells, m, n / LANES, n / LANES).ok_or(Error::Overflow("bits of linear"))
    }

    fn matrix<'m>(&self, y: &'m mut [f32]) -> Result<MatrixMut<'m>> {
        let [m, n] = self.shape;
        MatrixMut::new(y, m, n, n).ok_or(Error::Overflow("output of linear"))
    }

    /// What the tiles do; with bits that they only read, if any.
    fn tile<'b>(&'b self, kept: Option<&'b Mask>) -> TileEpilogue<'b> {
        let scale = self.epilogue.dropout.as_ref().map_or(1.0, Dropout::scale);
        TileEpilogue {
            bias: self.bias,
            activation: self.epilogue.activation,
            keep: match self.epilogue.dropout {
                Some(_) => kept.map(|kept| bits(kept, self.shape[1], scale)),
                None => None,
            },
            merge_scale: scale,
        }
    }
}
