//! What a backward pass is given, and the bits that it finds again.

use super::Saved;
use super::saved::is_smooth;
use crate::activation::Activation;
use crate::epilogue::Epilogue;
use crate::error::{Error, Result};
use crate::exec::with_mask;
use crate::mask::Mask;
use crate::ops::check::{check_length, check_shape};
use crate::ops::dropout::draw;
use crate::ops::select::positive;
use crate::simd::Isa;
use crate::tensor::{Tensor, View};

/// What the backward pass of a linear layer is given of its forward pass: a `&Saved`, or
/// [`Saved::with_output`].
#[derive(Clone, Copy, Debug)]
pub struct Residuals<'a> {
    saved: &'a Saved,
    output: Option<View<'a>>,
}

impl<'a> From<&'a Saved> for Residuals<'a> {
    fn from(saved: &'a Saved) -> Self {
        Self {
            saved,
            output: None,
        }
    }
}

impl<'a> From<&'a mut Saved> for Residuals<'a> {
    fn from(saved: &'a mut Saved) -> Self {
        Self::from(&*saved)
    }
}

impl Saved {
    /// This and the output `y` of the layer, of shape `[m, n]`, which is alive anyway where it is the next
    /// layer's input. A backward pass reads it if ReLU's bits are not saved: see [`Saved::recomputing`].
    ///
    /// It must hold what the forward pass wrote; of an output that is not contiguous the bits are taken one
    /// by one.
    #[must_use]
    pub fn with_output<'a>(&'a self, y: impl Into<View<'a>>) -> Residuals<'a> {
        Residuals {
            saved: self,
            output: Some(y.into()),
        }
    }
}

impl<'a> Residuals<'a> {
    /// The output, if it was given.
    pub(in crate::ops) fn output(&self) -> Option<View<'a>> {
        self.output
    }

    /// The same with another view of the output.
    pub(in crate::ops) fn with<'b>(&self, output: Option<View<'b>>) -> Residuals<'b>
    where
        'a: 'b,
    {
        Residuals {
            saved: self.saved,
            output,
        }
    }

    /// The sums with bias before a smooth activation.
    pub(in crate::ops) fn pre_activation(&self) -> Option<&'a Tensor> {
        self.saved.pre_activation()
    }

    /// The bits, if they were saved.
    pub(super) fn kept(&self) -> Option<&'a Mask> {
        self.saved.kept()
    }

    /// Whether this is what the backward pass of `m x n` outputs needs.
    pub(in crate::ops) fn check(&self, epilogue: &Epilogue<'_>, m: usize, n: usize) -> Result<()> {
        let (what, saved) = ("saved state of linear", self.saved);
        if let Some(y) = self.output {
            check_shape("output of linear", &[m, n], y.shape())?;
        } else if saved.recomputes && epilogue.activation == Activation::Relu {
            return Err(Error::Unsupported(
                "recomputing the bits of ReLU needs the output of the layer",
            ));
        }
        let bits = if saved.keeps_bits(epilogue) { m * n } else { 0 };
        check_length(what, bits, saved.kept().map_or(0, Mask::len))?;
        let sums: &[usize] = match epilogue.activation {
            smooth if is_smooth(smooth) => &[m, n],
            _ => &[],
        };
        check_shape(what, sums, self.pre_activation().map_or(&[], Tensor::shape))
    }

    /// Calls `f` with the `len` bits of the elements that have a gradient, saved or found again; with `None`
    /// if all have. For an activation that is not smooth.
    pub(super) fn with_kept<R>(
        &self,
        isa: Isa,
        epilogue: &Epilogue<'_>,
        len: usize,
        f: impl FnOnce(Option<&Mask>) -> R,
    ) -> R {
        if !self.saved.recomputes {
            return f(self.kept());
        }
        match (epilogue.activation, self.output, &epilogue.dropout) {
            (Activation::Relu, Some(y), _) => with_mask(len, |kept| {
                nonzero(isa, y, kept);
                f(Some(kept))
            }),
            (_, _, Some(dropout)) => with_mask(len, |kept| {
                draw(isa, dropout, kept);
                f(Some(kept))
            }),
            (_, _, None) => f(None),
        }
    }
}

/// Fills a mask of zeros with what ReLU and dropout decided, given their output: dropped or cut, it is zero,
/// and the scale of a kept element is at least 1, so that none vanishes. A NaN has a gradient.
fn nonzero(isa: Isa, y: View<'_>, kept: &mut Mask) {
    if let Some(y) = y.as_slice() {
        return positive(isa, y, kept);
    }
    let mut y = y.iter();
    for word in kept.words_mut() {
        for (bit, y) in (0..64).zip(y.by_ref()) {
            *word |= u64::from(y > 0.0 || y.is_nan()) << bit;
        }
    }
}
