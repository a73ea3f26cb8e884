//! A linear layer with unit masks, in f64.

use super::math;
use crate::activation::Activation;

/// A layer whose units are dropped: `x` is `m x k`, `w` is `n x k`, both row-major; `bias` has n numbers,
/// `input` k decisions and `output` n.
#[derive(Clone, Copy, Debug)]
pub struct UnitLinear<'a> {
    /// m, k and n.
    pub shape: (usize, usize, usize),
    /// The inputs.
    pub x: &'a [f64],
    /// The weights.
    pub w: &'a [f64],
    /// One number a unit.
    pub bias: &'a [f64],
    /// The activation.
    pub activation: Activation,
    /// Which columns of the input are read.
    pub input: &'a [bool],
    /// Which units are kept.
    pub output: &'a [bool],
    /// The factor of a kept unit.
    pub scale: f64,
}

/// The output, `m x n`; each element with the sum of the magnitudes that its sum adds, of which error bounds
/// are multiples.
#[must_use]
pub fn forward(layer: &UnitLinear<'_>) -> Vec<(f64, f64)> {
    let (m, k, n) = layer.shape;
    let element = |i: usize, j: usize| {
        if !layer.output[j] {
            return (0.0, 0.0);
        }
        let (mut sum, mut size) = (layer.bias[j], layer.bias[j].abs());
        for p in (0..k).filter(|&p| layer.input[p]) {
            let product = layer.x[i * k + p] * layer.w[j * k + p];
            sum += product;
            size += product.abs();
        }
        (layer.scale * math::activation(layer.activation, sum), size)
    };
    (0..m)
        .flat_map(|i| (0..n).map(move |j| (i, j)))
        .map(|(i, j)| element(i, j))
        .collect()
}
