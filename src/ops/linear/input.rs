//! What a linear layer reads: a matrix, or one under a mask of blocks.

use crate::dropout::Dropout;
use crate::error::Result;
use crate::kernels::gemm::{Bits, Operand, Plane, Skip};
use crate::mask::{BlockMask, Mask};
use crate::ops::check::check_shape;
use crate::ops::matmul::operand;
use crate::tensor::{Tensor, View, ViewMut};

/// The input of [`linear`](crate::ops::linear): a view of shape `[m, k]`, or one seen through a
/// [`BlockMask`], whose dropped blocks count as zeros and are left out of the product and of its gradients.
#[derive(Clone, Copy, Debug)]
pub struct LinearInput<'a> {
    pub(super) x: View<'a>,
    pub(super) mask: Option<&'a BlockMask>,
}

impl<'a> From<View<'a>> for LinearInput<'a> {
    fn from(x: View<'a>) -> Self {
        Self { x, mask: None }
    }
}

impl<'a> From<&'a Tensor> for LinearInput<'a> {
    fn from(x: &'a Tensor) -> Self {
        x.view().into()
    }
}

impl<'a> From<ViewMut<'a>> for LinearInput<'a> {
    fn from(x: ViewMut<'a>) -> Self {
        View::from(x).into()
    }
}

impl<'a> From<&'a ViewMut<'_>> for LinearInput<'a> {
    fn from(x: &'a ViewMut<'_>) -> Self {
        View::from(x).into()
    }
}

impl BlockMask {
    /// A mask over a matrix of `shape` whose blocks of `block` elements are dropped together: the bits of
    /// the blocks are those of [`Mask::draw`] over them in row-major order.
    ///
    /// ```
    /// use elision::{BlockMask, Dropout, Key};
    /// let dropout = Dropout::new(Key::new(1), 0.5)?;
    /// let mask = BlockMask::draw(&dropout, [128, 256], [64, 64])?;
    /// assert_eq!(mask.elements().count_kept(), 64 * 64 * mask.blocks().count_kept());
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) if a block has no elements, [`Error::Overflow`](crate::Error::Overflow)
    /// if the elements cannot be counted.
    pub fn draw(dropout: &Dropout, shape: [usize; 2], block: [usize; 2]) -> Result<Self> {
        let blocks = Mask::draw(dropout, Self::count(shape, block)?)?;
        Self::new(blocks, shape, block, dropout.scale())
    }

    /// A matrix seen through this mask, for [`linear`](crate::ops::linear) and
    /// [`linear_backward`](crate::ops::linear_backward) in place of the matrix itself.
    ///
    /// ```
    /// use elision::{BlockMask, Dropout, Epilogue, Key, Tensor, ops};
    /// let (x, w) = (Tensor::full(&[84, 64], 1.0)?, Tensor::full(&[8, 64], 0.5)?);
    /// let mask = BlockMask::draw(&Dropout::new(Key::new(1), 0.5)?, [84, 64], [42, 32])?;
    /// let (y, saved) = ops::linear(mask.over(&x)?, &w, &Epilogue::default())?;
    /// let grads = ops::linear_backward(&y, mask.over(&x)?, &w, &Epilogue::default(), &saved)?;
    /// assert_eq!(grads.x.shape(), [84, 64]);
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the matrix has another shape.
    pub fn over<'a>(&'a self, x: impl Into<View<'a>>) -> Result<LinearInput<'a>> {
        let x = x.into();
        check_shape("matrix under a mask of blocks", &self.shape(), x.shape())?;
        Ok(LinearInput {
            x,
            mask: Some(self),
        })
    }

    fn bits(&self) -> Bits<'_> {
        Bits {
            words: self.elements().as_words(),
            row_stride: self.shape()[1],
            col_stride: 1,
            scale: self.scale(),
        }
    }

    fn skip(&self, plane: Plane) -> Skip<'_> {
        let [rows, cols] = self.block();
        Skip {
            plane,
            kept: self.blocks().as_words(),
            per_row: self.shape()[1].div_ceil(cols),
            block: (rows, cols),
        }
    }
}

impl<'a> LinearInput<'a> {
    /// The matrix with the bits that select from it.
    pub(super) fn operand(&self) -> Operand<'a> {
        Operand {
            bits: self.mask.map(BlockMask::bits),
            ..operand(self.x)
        }
    }

    /// What of a product may be left out, if this lies in `plane` of it.
    pub(super) fn skip(&self, plane: Plane) -> Option<Skip<'a>> {
        self.mask.map(|mask| mask.skip(plane))
    }

    /// The bits that select from the gradient of the input.
    pub(super) fn keep(&self) -> Option<Bits<'a>> {
        self.mask.map(BlockMask::bits)
    }
}
