//! The operands of a linear layer, and memory for what it computes.

use elision::ops::LinearGradsInto;
use elision::{Key, Result, Tensor};

/// One layer's operands, output and gradients.
pub(super) struct Operands {
    pub(super) x: Tensor,
    pub(super) w: Tensor,
    pub(super) bias: Tensor,
    pub(super) g: Tensor,
    pub(super) y: Tensor,
    pub(super) grads: Grads,
}

/// The gradients of the input, the weights and the bias.
pub(super) struct Grads {
    x: Tensor,
    w: Tensor,
    bias: Tensor,
}

impl Operands {
    /// Noise for `m` rows of `k` features and `n` outputs.
    pub(super) fn new([m, k, n]: [usize; 3]) -> Result<Self> {
        Ok(Self {
            x: noise(&[m, k], 1)?,
            w: noise(&[n, k], 2)?,
            bias: noise(&[n], 3)?,
            g: noise(&[m, n], 4)?,
            y: Tensor::zeros(&[m, n])?,
            grads: Grads {
                x: Tensor::zeros(&[m, k])?,
                w: Tensor::zeros(&[n, k])?,
                bias: Tensor::zeros(&[n])?,
            },
        })
    }
}

impl Grads {
    /// All three, to be written.
    pub(super) fn all_mut(&mut self) -> LinearGradsInto<'_> {
        LinearGradsInto {
            x: Some(self.x.view_mut()),
            w: Some(self.w.view_mut()),
            bias: Some(self.bias.view_mut()),
        }
    }
}

/// Numbers in (-0.5, 0.5) that a seed decides.
fn noise(shape: &[usize], seed: u64) -> Result<Tensor> {
    let mut tensor = Tensor::zeros(shape)?;
    let key = Key::new(seed);
    for (i, x) in (0..).zip(tensor.as_mut_slice()) {
        *x = (key.fold_in(i).to_u128() >> 104) as f32 / 16_777_216.0 - 0.5;
    }
    Ok(tensor)
}
