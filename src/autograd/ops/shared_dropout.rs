//! Dropout of groups of elements that share a fate.

use crate::autograd::{Step, Tape, Var};
use crate::dropout::{DropBlock, Dropout};
use crate::error::Result;
use crate::mask::{Broadcast, Mask, SharedMask};
use crate::ops;
use crate::tensor::Dims;

impl Var {
    /// Dropout in training of groups that share a fate; [`Where`](crate::Where) makes the noise shape. Keeps one bit a
    /// group, or nothing if the tape recomputes masks.
    ///
    /// # Errors
    /// Those of [`ops::dropout_shared`] and of [`Tape::of`].
    pub fn dropout_shared(&self, noise_shape: &[usize], dropout: &Dropout) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let noise_shape = Dims::new(noise_shape)?;
        let mut y = tape.buffer(self.shape())?;
        let keeps = self.requires_grad() && tape.is_recording() && !tape.is_recomputing();
        let groups = Broadcast::new(&noise_shape, self.shape())?.bits();
        let mut mask = keeps.then(|| Mask::none(groups));
        ops::dropout_shared_into(self, &noise_shape, dropout, &mut *y, mask.as_mut())?;
        let step = Step {
            op: "dropout_shared",
            inputs: &[self],
            output: y.into(),
        };
        let dropout = *dropout;
        Ok(tape.record(step, mask, move |mask, dy, gradients| {
            let (mut dx, mask) = (gradients.buffer(dy.shape())?, mask.as_ref());
            ops::dropout_shared_backward_into(&dy, &noise_shape, &dropout, mask, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }

    /// `DropBlock` in training, with the dropout's key and probability; the factor of a kept element is a constant of the
    /// gradient. Keeps one bit an element of the mask, or nothing if the tape recomputes masks.
    ///
    /// # Errors
    /// Those of [`ops::drop_block`] and of [`Tape::of`].
    pub fn drop_block(&self, block: &DropBlock, dropout: &Dropout) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        let mask = ops::drop_block_into(self, block, dropout, &mut *y)?;
        let step = Step {
            op: "drop_block",
            inputs: &[self],
            output: y.into(),
        };
        let (block, dropout) = (*block, *dropout);
        let mask = (!tape.is_recomputing()).then_some(mask);
        Ok(tape.record(step, mask, move |mask, dy, gradients| {
            let mask = match mask {
                Some(mask) => mask,
                None => SharedMask::draw_blocks(&block, &dropout, dy.shape())?,
            };
            let mut dx = gradients.buffer(dy.shape())?;
            let (noise_shape, bits) = (mask.noise_shape(), mask.mask());
            ops::select_shared_into(&dy, noise_shape, bits, mask.scale(), &mut *dx)?;
            gradients.add(0, dx)
        }))
    }

    /// Dropout in training of attention heads, axis 1 of `[samples, heads, …]`, with the dropout's key and probability.
    /// Keeps one bit a head of each sample.
    ///
    /// # Errors
    /// Those of [`ops::drop_heads`] and of [`Tape::of`].
    pub fn drop_heads(&self, dropout: &Dropout) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let mut y = tape.buffer(self.shape())?;
        let mask = ops::drop_heads_into(self, dropout, &mut *y)?;
        let step = Step {
            op: "drop_heads",
            inputs: &[self],
            output: y.into(),
        };
        Ok(tape.record(step, mask, |mask, dy, gradients| {
            let mut dx = gradients.buffer(dy.shape())?;
            ops::drop_heads_backward_into(&dy, &mask, &mut *dx)?;
            gradients.add(0, dx)
        }))
    }
}
