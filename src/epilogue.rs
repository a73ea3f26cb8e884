//! What follows a matrix product, as a value.

use crate::activation::Activation;
use crate::dropout::Dropout;
use crate::mask::UnitMask;
use crate::tensor::View;

/// `dropout(activation(product + bias))`, in this order; each part may be absent.
///
/// ```
/// use elision::{Activation, Dropout, Epilogue, Key};
/// let fused = Epilogue {
///     activation: Activation::Relu,
///     dropout: Some(Dropout::new(Key::new(1), 0.5)?),
///     ..Epilogue::default()
/// };
/// assert!(fused.bias.is_none());
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// One number for each column of the product: shape `[n]`.
    pub bias: Option<View<'a>>,
    /// Applied to product and bias.
    pub activation: Activation,
    /// Dropout in training, elements counted in row-major order of the output.
    pub dropout: Option<Dropout>,
}

/// What follows a matrix product whose units are dropped, and which units those are.
///
/// ```
/// use elision::{Activation, Dropout, Key, UnitEpilogue, UnitMask};
/// let output = UnitMask::draw(&Dropout::new(Key::new(1), 0.5)?, 64)?;
/// let layer = UnitEpilogue {
///     activation: Activation::Relu,
///     output: Some(&output),
///     ..UnitEpilogue::default()
/// };
/// assert!(layer.input.is_none());
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct UnitEpilogue<'a> {
    /// One number for each column of the product: shape `[n]`.
    pub bias: Option<View<'a>>,
    /// Applied to product and bias.
    pub activation: Activation,
    /// Which columns of the input are read: `k` units. Its scale is not applied: the layer that wrote the
    /// input has done so.
    pub input: Option<&'a UnitMask>,
    /// Which columns of the output are computed, and their factor after the activation: `n` units.
    pub output: Option<&'a UnitMask>,
}
