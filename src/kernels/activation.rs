//! Activations, their derivatives and a few plain functions.
//!
//! Each function gets a loop of its own, in which its constants stay in registers; a tail shorter than a
//! vector goes through the same code, padded, so that there is one copy of it for each instruction set.

use super::math;
use crate::activation::Activation;
use crate::simd::{Kernel, LANES, Simd};

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

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// An activation.
    Activation(Activation),
    /// e^x.
    Exp,
    /// The natural logarithm.
    Ln,
    /// The error function.
    Erf,
}

impl Function {
    /// What an element costs, in elements of a scaled copy.
    pub(crate) const fn weight(self) -> usize {
        match self {
            Self::Activation(a) => activation_weight(a),
            Self::Exp | Self::Ln => 4,
            Self::Erf => 8,
        }
    }
}

/// What an element costs, in elements of a scaled copy; a derivative costs about the same.
pub(crate) const fn activation_weight(a: Activation) -> usize {
    match a {
        Activation::Identity | Activation::Relu => 1,
        Activation::Sigmoid => 6,
        Activation::GeluTanh | Activation::GeluErf | Activation::Tanh => 8,
    }
}

/// `out = function(x)`.
pub(crate) struct Apply<'a> {
    /// The function.
    pub(crate) function: Function,
    /// The input, or `None` to work in place.
    pub(crate) x: Option<&'a [f32]>,
    /// The output, as long as the input.
    pub(crate) out: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { function, x, out } = self;
        match function {
            Function::Exp => each(simd, x, out, Exp),
            Function::Ln => each(simd, x, out, Ln),
            Function::Erf => each(simd, x, out, Erf),
            Function::Activation(Activation::Identity) => each(simd, x, out, Identity),
            Function::Activation(Activation::Relu) => each(simd, x, out, Relu),
            Function::Activation(Activation::GeluTanh) => each(simd, x, out, GeluTanh),
            Function::Activation(Activation::GeluErf) => each(simd, x, out, GeluErf),
            Function::Activation(Activation::Tanh) => each(simd, x, out, Tanh),
            Function::Activation(Activation::Sigmoid) => each(simd, x, out, Sigmoid),
        }
    }
}

/// `out = g * a'(z)`.
pub(crate) struct Backward<'a> {
    /// The activation.
    pub(crate) a: Activation,
    /// The gradient of its result, or `None` to work in place.
    pub(crate) g: Option<&'a [f32]>,
    /// What it was applied to.
    pub(crate) z: &'a [f32],
    /// The gradient of `z`; all three have one length.
    pub(crate) out: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { a, g, z, out } = self;
        match a {
            Activation::Identity => each(simd, g, out, Identity),
            Activation::Relu => each(simd, g, out, Chain(Relu, z)),
            Activation::GeluTanh => each(simd, g, out, Chain(GeluTanh, z)),
            Activation::GeluErf => each(simd, g, out, Chain(GeluErf, z)),
            Activation::Tanh => each(simd, g, out, Chain(Tanh, z)),
            Activation::Sigmoid => each(simd, g, out, Chain(Sigmoid, z)),
        }
    }
}

/// A function as a type, so that the loop is compiled for each; the methods are `#[inline(always)]`.
trait Op: Copy {
    /// The results of 16 lanes, the first of which is element `at`, the last at most element `end - 1`.
    fn apply<S: Simd>(self, simd: S, x: S::F32, at: usize, end: usize) -> S::F32;
}

/// A function that has a derivative.
trait Smooth: Copy {
    /// The activation that it is.
    const ACTIVATION: Activation;
}

/// Writes the activations as types.
macro_rules! activations {
    ($($name:ident)+) => {$(
        #[derive(Clone, Copy)]
        struct $name;

        impl Smooth for $name {
            const ACTIVATION: Activation = Activation::$name;
        }

        impl Op for $name {
            #[inline(always)]
            fn apply<S: Simd>(self, simd: S, x: S::F32, _: usize, _: usize) -> S::F32 {
                activate(simd, Activation::$name, x)
            }
        }
    )+};
}

activations! { Identity Relu GeluTanh GeluErf Tanh Sigmoid }

/// Writes the plain functions as types.
macro_rules! functions {
    ($($name:ident = $function:ident)+) => {$(
        #[derive(Clone, Copy)]
        struct $name;

        impl Op for $name {
            #[inline(always)]
            fn apply<S: Simd>(self, simd: S, x: S::F32, _: usize, _: usize) -> S::F32 {
                math::$function(simd, x)
            }
        }
    )+};
}

functions! { Exp = exp Ln = ln Erf = erf }

/// The gradient times the derivative at the elements of a slice.
#[derive(Clone, Copy)]
struct Chain<'a, A>(A, &'a [f32]);

impl<A: Smooth> Op for Chain<'_, A> {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, g: S::F32, at: usize, end: usize) -> S::F32 {
        let z = load(simd, &self.1[at..end]);
        simd.mul(g, derivative(simd, A::ACTIVATION, z))
    }
}

#[inline(always)]
fn each<S: Simd>(simd: S, x: Option<&[f32]>, out: &mut [f32], op: impl Op) {
    for (i, out) in out.chunks_mut(LANES).enumerate() {
        let (at, end) = (i * LANES, i * LANES + out.len());
        let v = match x {
            Some(x) => load(simd, &x[at..end]),
            None => load(simd, out),
        };
        store(simd, op.apply(simd, v, at, end), out);
    }
}

/// Reads up to 16 lanes.
#[inline(always)]
fn load<S: Simd>(simd: S, x: &[f32]) -> S::F32 {
    match x.first_chunk() {
        Some(whole) => simd.load(whole),
        None => simd.load_up_to(x),
    }
}

/// Writes up to 16 lanes.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, v: S::F32, out: &mut [f32]) {
    match out.first_chunk_mut() {
        Some(whole) => simd.store(v, whole),
        None => simd.store_up_to(v, out),
    }
}
