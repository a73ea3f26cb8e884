//! One step of an optimiser over contiguous parameters.

use crate::simd::{Kernel, LANES, Simd};

/// Numbers of a step of stochastic gradient descent.
#[derive(Clone, Copy)]
pub(crate) struct SgdRates {
    pub(crate) learning_rate: f32,
    pub(crate) momentum: f32,
}

/// `v = momentum * v + g; w = w - learning_rate * v`.
pub(crate) struct Sgd<'a> {
    pub(crate) rates: SgdRates,
    pub(crate) w: &'a mut [f32],
    pub(crate) v: &'a mut [f32],
    pub(crate) g: &'a [f32],
}

/// Numbers of a step of Adam, the corrections for its first steps included.
#[derive(Clone, Copy)]
pub(crate) struct AdamRates {
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    /// The learning rate divided by `1 - beta1^t`.
    pub(crate) rate: f32,
    /// `1 / sqrt(1 - beta2^t)`.
    pub(crate) root: f32,
    pub(crate) epsilon: f32,
}

/// `m = b1 m + (1 - b1) g; s = b2 s + (1 - b2) g^2; w = w - rate * m / (root * sqrt(s) + epsilon)`.
pub(crate) struct Adam<'a> {
    pub(crate) rates: AdamRates,
    pub(crate) w: &'a mut [f32],
    pub(crate) m: &'a mut [f32],
    pub(crate) s: &'a mut [f32],
    pub(crate) g: &'a [f32],
}

impl Kernel for Sgd<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rate = simd.splat(self.rates.learning_rate);
        let momentum = simd.splat(self.rates.momentum);
        let state = self.w.chunks_mut(LANES).zip(self.v.chunks_mut(LANES));
        for ((w, v), g) in state.zip(self.g.chunks(LANES)) {
            let velocity = simd.add(simd.mul(momentum, simd.load_up_to(v)), simd.load_up_to(g));
            simd.store_up_to(velocity, v);
            simd.store_up_to(simd.sub(simd.load_up_to(w), simd.mul(rate, velocity)), w);
        }
    }
}

impl Kernel for Adam<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let AdamRates {
            beta1,
            beta2,
            rate,
            root,
            epsilon,
        } = self.rates;
        let (b1, c1) = (simd.splat(beta1), simd.splat(1.0 - beta1));
        let (b2, c2) = (simd.splat(beta2), simd.splat(1.0 - beta2));
        let state = self.m.chunks_mut(LANES).zip(self.s.chunks_mut(LANES));
        let gradient = self.g.chunks(LANES);
        for ((w, (m, s)), g) in self.w.chunks_mut(LANES).zip(state).zip(gradient) {
            let g = simd.load_up_to(g);
            let mean = simd.add(simd.mul(b1, simd.load_up_to(m)), simd.mul(c1, g));
            let square = simd.add(
                simd.mul(b2, simd.load_up_to(s)),
                simd.mul(c2, simd.mul(g, g)),
            );
            simd.store_up_to(mean, m);
            simd.store_up_to(square, s);
            let spread = simd.add(
                simd.mul(simd.splat(root), simd.sqrt(square)),
                simd.splat(epsilon),
            );
            let step = simd.div(simd.mul(simd.splat(rate), mean), spread);
            simd.store_up_to(simd.sub(simd.load_up_to(w), step), w);
        }
    }
}
