//! The gradients of a layer's input, weights and bias.

use crate::autograd::{Buffer, InputGradients};
use crate::error::Result;
use crate::ops::{LinearGradsInto, NormGradsInto};
use crate::tensor::ViewMut;

/// Room for those that are asked for; they are inputs 0, 1 and 2 of the operation.
pub(super) struct Grads([Option<Buffer>; 3]);

impl Grads {
    pub(super) fn new(shapes: [&[usize]; 3], gradients: &InputGradients<'_>) -> Result<Self> {
        let [x, w, bias] = shapes;
        Ok(Self([
            gradients.wanted(0, x)?,
            gradients.wanted(1, w)?,
            gradients.wanted(2, bias)?,
        ]))
    }

    fn views(&mut self) -> [Option<ViewMut<'_>>; 3] {
        let room = self.0.each_mut();
        room.map(|grad| grad.as_mut().map(|grad| grad.view_mut()))
    }

    pub(super) fn of_linear(&mut self) -> LinearGradsInto<'_> {
        let [x, w, bias] = self.views();
        LinearGradsInto { x, w, bias }
    }

    pub(super) fn of_norm(&mut self) -> NormGradsInto<'_> {
        let [x, weight, bias] = self.views();
        NormGradsInto { x, weight, bias }
    }

    pub(super) fn add(self, gradients: &mut InputGradients<'_>) -> Result<()> {
        for (i, grad) in self.0.into_iter().enumerate() {
            gradients.add_wanted(i, grad)?;
        }
        Ok(())
    }
}
