//! What a forward pass leaves for its backward pass.

use crate::activation::Activation;
use crate::epilogue::Epilogue;
use crate::error::Result;
use crate::mask::Mask;
use crate::tensor::Tensor;

/// What a forward pass leaves for its backward pass. Reuse it from step to step: the memory is kept.
///
/// After ReLU or no activation this is one bit an element at most: for ReLU, whether the element is kept
/// *and* its sum is positive. A smooth activation also needs the sums before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    pub(super) kept: Option<Mask>,
    pub(super) pre_activation: Option<Tensor>,
}

impl Saved {
    /// The elements with a gradient: kept by dropout and, after ReLU, not cut by it. `None` if all are.
    #[must_use]
    pub fn kept(&self) -> Option<&Mask> {
        self.kept.as_ref()
    }

    /// The sums with bias before a smooth activation.
    #[must_use]
    pub fn pre_activation(&self) -> Option<&Tensor> {
        self.pre_activation.as_ref()
    }

    /// Makes room for a forward pass with `shape` outputs.
    pub(super) fn prepare(&mut self, epilogue: &Epilogue<'_>, shape: &[usize]) -> Result<()> {
        let len = shape.iter().product();
        let bits = epilogue.dropout.is_some() || epilogue.activation == Activation::Relu;
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
