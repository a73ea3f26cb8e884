//! What follows a matrix product, as a value.

use crate::activation::Activation;
use crate::dropout::Dropout;
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
