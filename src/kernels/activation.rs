//! Activations and their derivatives on one vector.

use super::math;
use crate::activation::Activation;
use crate::simd::Simd;

/// `a(x)` in every lane.
#[inline(always)]
pub(crate) fn activate<S: Simd>(simd: S, a: Activation, x: S::F32) -> S::F32 {
    match a {
        Activation::Identity => x,
        Activation::Relu => relu(simd, x),
        Activation::GeluTanh => math::gelu(simd, x),
        Activation::GeluErf => math::gelu_erf(simd, x),
        Activation::Tanh => math::tanh(simd, x),
        Activation::Sigmoid => math::sigmoid(simd, x),
    }
}

/// `a'(z)` in every lane, at the pre-activation `z`.
#[inline(always)]
pub(crate) fn derivative<S: Simd>(simd: S, a: Activation, z: S::F32) -> S::F32 {
    match a {
        Activation::Identity => simd.splat(1.0),
        Activation::Relu => relu_derivative(simd, z),
        Activation::GeluTanh => math::gelu_derivative(simd, z),
        Activation::GeluErf => math::gelu_erf_derivative(simd, z),
        Activation::Tanh => math::tanh_derivative(simd, z),
        Activation::Sigmoid => math::sigmoid_derivative(simd, z),
    }
}

/// `if x <= 0 { +0.0 } else { x }`: a NaN stays, and -0.0 does not.
#[inline(always)]
fn relu<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let zero = simd.splat(0.0);
    simd.select(simd.le(x, zero), zero, x)
}

/// `if z <= 0 { 0 } else { 1 }`: 1 for a NaN, so that it is the gradient's to show it.
#[inline(always)]
fn relu_derivative<S: Simd>(simd: S, z: S::F32) -> S::F32 {
    let zero = simd.splat(0.0);
    simd.select(simd.le(z, zero), zero, simd.splat(1.0))
}
