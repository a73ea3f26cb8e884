//! One step of an optimiser over contiguous parameters, in one pass over the memory.

use crate::kernels::math::abs;
use crate::simd::{Kernel, LANES, Simd};

/// A factor whose products are zero where they would be subnormal.
///
/// What is kept of a parameter without gradients decays into such numbers, never reaches zero, and costs a processor
/// some hundred cycles in each product. The steps that come of it are far below the last digit of any parameter.
#[derive(Clone, Copy)]
struct Factor<S: Simd> {
    factor: S::F32,
    /// The least size of a number whose product is a normal number.
    least: S::F32,
}

impl<S: Simd> Factor<S> {
    #[inline(always)]
    fn new(simd: S, factor: f32) -> Self {
        Self {
            factor: simd.splat(factor),
            least: simd.splat(f32::MIN_POSITIVE / factor),
        }
    }

    #[inline(always)]
    fn times(self, simd: S, x: S::F32) -> S::F32 {
        simd.mul(self.factor, zero_below(simd, x, self.least))
    }
}

/// The root of the least normal number, 2^-126.
const LEAST_ROOT: f32 = 1.0 / (1_u64 << 63) as f32;

/// The square, in the same way.
#[inline(always)]
fn square<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let x = zero_below(simd, x, simd.splat(LEAST_ROOT));
    simd.mul(x, x)
}

/// `x`, and zero in place of what is smaller than `least` in size; NaN stays.
#[inline(always)]
fn zero_below<S: Simd>(simd: S, x: S::F32, least: S::F32) -> S::F32 {
    simd.select(simd.lt(abs(simd, x), least), simd.splat(0.0), x)
}

/// What is added to each gradient: a term whose number is zero is left out, so that an infinite parameter
/// does not make it NaN.
#[derive(Clone, Copy)]
pub(crate) struct Penalty {
    /// The factor of the parameter.
    pub(crate) l2: f32,
    /// The factor of the parameter's sign.
    pub(crate) l1: f32,
}

impl Penalty {
    /// `g + l2 w + l1 sign(w)`.
    #[inline(always)]
    fn add<S: Simd>(self, simd: S, mut g: S::F32, w: S::F32) -> S::F32 {
        if self.l2 != 0.0 {
            g = simd.add(g, simd.mul(simd.splat(self.l2), w));
        }
        if self.l1 != 0.0 {
            let zero = simd.splat(0.0);
            let up = simd.select_or_zero(simd.lt(zero, w), simd.splat(self.l1));
            g = simd.add(g, simd.select(simd.lt(w, zero), simd.splat(-self.l1), up));
        }
        g
    }
}

/// Numbers of a step of stochastic gradient descent.
#[derive(Clone, Copy)]
pub(crate) struct SgdRates {
    pub(crate) learning_rate: f32,
    pub(crate) momentum: f32,
    pub(crate) nesterov: bool,
    pub(crate) penalty: Penalty,
}

/// `g += penalty; v = momentum v + g; w -= learning_rate (nesterov ? g + momentum v : v)`.
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
    pub(crate) penalty: Penalty,
    /// What decoupled weight decay leaves of a parameter.
    pub(crate) kept: f32,
}

/// `g += penalty; m = b1 m + (1 - b1) g; s = b2 s + (1 - b2) g^2;
/// w = kept w - rate m / (root sqrt(s) + epsilon)`.
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
        let SgdRates {
            learning_rate,
            momentum,
            nesterov,
            penalty,
        } = self.rates;
        let rate = Factor::new(simd, learning_rate);
        let momentum = Factor::new(simd, momentum);
        let state = self.w.chunks_mut(LANES).zip(self.v.chunks_mut(LANES));
        for ((w, v), g) in state.zip(self.g.chunks(LANES)) {
            let old = simd.load_up_to(w);
            let g = penalty.add(simd, simd.load_up_to(g), old);
            let velocity = simd.add(momentum.times(simd, simd.load_up_to(v)), g);
            simd.store_up_to(velocity, v);
            let step = if nesterov {
                simd.add(g, momentum.times(simd, velocity))
            } else {
                velocity
            };
            simd.store_up_to(simd.sub(old, rate.times(simd, step)), w);
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
            penalty,
            ..
        } = self.rates;
        let (b1, c1) = (Factor::new(simd, beta1), Factor::new(simd, 1.0 - beta1));
        let (b2, c2) = (Factor::new(simd, beta2), Factor::new(simd, 1.0 - beta2));
        let state = self.m.chunks_mut(LANES).zip(self.s.chunks_mut(LANES));
        let gradient = self.g.chunks(LANES);
        for ((w, (m, s)), g) in self.w.chunks_mut(LANES).zip(state).zip(gradient) {
            let old = simd.load_up_to(w);
            let g = penalty.add(simd, simd.load_up_to(g), old);
            let mean = simd.add(b1.times(simd, simd.load_up_to(m)), c1.times(simd, g));
            let square = simd.add(
                b2.times(simd, simd.load_up_to(s)),
                c2.times(simd, square(simd, g)),
            );
            simd.store_up_to(mean, m);
            simd.store_up_to(square, s);
            simd.store_up_to(self.rates.moved(simd, old, mean, square), w);
        }
    }
}

impl AdamRates {
    /// The parameters after a step.
    #[inline(always)]
    fn moved<S: Simd>(self, simd: S, w: S::F32, mean: S::F32, square: S::F32) -> S::F32 {
        let root = simd.mul(simd.splat(self.root), simd.sqrt(square));
        let spread = simd.add(root, simd.splat(self.epsilon));
        let step = simd.div(Factor::new(simd, self.rate).times(simd, mean), spread);
        simd.sub(simd.mul(w, simd.splat(self.kept)), step)
    }
}
