//! What a forward pass leaves for its backward pass.

use crate::activation::Activation;
use crate::epilogue::Epilogue;
use crate::error::Result;
use crate::mask::Mask;
use crate::tensor::Tensor;

/// What a forward pass leaves for its backward pass. Reuse it from step to step: the memory is kept.
///
/// After ReLU or no activation this is one bit an element at most: for ReLU, whether the element is kept
/// *and* its sum is positive. A smooth activation also needs the sums before it, four bytes an element.
///
/// [`Saved::recomputing`] does without the bits: a network's masks then take the memory of its largest one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    pub(super) kept: Option<Mask>,
    pub(super) pre_activation: Option<Tensor>,
    pub(super) recomputes: bool,
}

impl Saved {
    /// One that never keeps bits: the backward pass finds them again, the same ones, for one more pass over
    /// one bit an element. This saves `m * n / 8` bytes a layer; a thread keeps one buffer for the bits of the
    /// layer at work.
    ///
    /// - Without activation the bits are drawn again from the dropout's key, and nothing is saved.
    /// - After ReLU the output itself tells, dropout or not: an element has a gradient unless it is zero. Give it
    ///   to the backward pass by [`with_output`](Saved::with_output); nothing is saved.
    /// - A smooth activation's sums are saved as ever, for no output tells them; the bits are drawn again.
    ///
    /// ```
    /// use elision::{Activation, Dropout, Epilogue, Key, Tensor, ops};
    /// let (x, w) = (Tensor::full(&[32, 20], 0.5)?, Tensor::full(&[10, 20], 0.1)?);
    /// let dropout = Some(Dropout::new(Key::new(1), 0.5)?);
    /// let layer = Epilogue { bias: None, activation: Activation::Relu, dropout };
    /// let (y, stored) = ops::linear(&x, &w, &layer)?;
    /// let recomputed = ops::Saved::recomputing();
    /// assert_eq!((stored.bytes(), recomputed.bytes()), (40, 0));
    /// assert_eq!(
    ///     ops::linear_backward(&y, &x, &w, &layer, recomputed.with_output(&y))?,
    ///     ops::linear_backward(&y, &x, &w, &layer, &stored)?,
    /// );
    /// # Ok::<(), elision::Error>(())
    /// ```
    #[must_use]
    pub const fn recomputing() -> Self {
        Self {
            kept: None,
            pre_activation: None,
            recomputes: true,
        }
    }

    /// The memory of what is saved.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let words = self.kept.as_ref().map_or(0, |kept| kept.as_words().len());
        let sums = self.pre_activation.as_ref().map_or(0, Tensor::len);
        words * size_of::<u64>() + sums * size_of::<f32>()
    }

    /// The elements with a gradient: kept by dropout and, after ReLU, not cut by it. `None` if all are, or if
    /// the backward pass is to find out.
    #[must_use]
    pub fn kept(&self) -> Option<&Mask> {
        self.kept.as_ref()
    }

    /// The sums with bias before a smooth activation.
    #[must_use]
    pub fn pre_activation(&self) -> Option<&Tensor> {
        self.pre_activation.as_ref()
    }

    /// Whether a forward pass leaves bits here.
    pub(super) fn keeps_bits(&self, epilogue: &Epilogue<'_>) -> bool {
        let needed = epilogue.dropout.is_some() || epilogue.activation == Activation::Relu;
        needed && !self.recomputes
    }

    /// Makes room for a forward pass with `shape` outputs.
    pub(in crate::ops) fn prepare(
        &mut self,
        epilogue: &Epilogue<'_>,
        shape: &[usize],
    ) -> Result<()> {
        let len = shape.iter().product();
        let bits = self.keeps_bits(epilogue);
        match &mut self.kept {
            Some(mask) if bits => mask.reset(len),
            _ => self.kept = bits.then(|| Mask::none(len)),
        }
        match &mut self.pre_activation {
            Some(sums) if is_smooth(epilogue.activation) => sums.reset(shape)?,
            _ if is_smooth(epilogue.activation) => {
                self.pre_activation = Some(Tensor::zeros(shape)?)
            }
            _ => self.pre_activation = None,
        }
        Ok(())
    }
}

/// Whether the derivative needs the activation's input.
pub(super) fn is_smooth(activation: Activation) -> bool {
    !matches!(activation, Activation::Identity | Activation::Relu)
}
