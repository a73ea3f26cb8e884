//! A mask on a reduced shape with its factor.

use super::Mask;
use crate::tensor::Dims;

/// Decisions for groups of elements: a mask on a reduced shape, and the factor of a kept element.
///
/// [`SharedMask::draw_blocks`] makes that of `DropBlock`; [`ops::select_shared_into`](crate::ops::select_shared_into)
/// applies one.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedMask {
    mask: Mask,
    noise_shape: Dims,
    scale: f32,
}

impl SharedMask {
    /// The caller vouches for one bit an element of `noise_shape`.
    pub(crate) fn over(mask: Mask, noise_shape: Dims, scale: f32) -> Self {
        Self {
            mask,
            noise_shape,
            scale,
        }
    }

    /// One bit a group.
    #[must_use]
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// The shape of the mask: that of the tensor, with 1 along axes whose elements share their fate.
    #[must_use]
    pub fn noise_shape(&self) -> &[usize] {
        &self.noise_shape
    }

    /// The factor of a kept element.
    #[must_use]
    pub fn scale(&self) -> f32 {
        self.scale
    }
}
