//! Sums over elements in f64, and the gradients of such sums: losses, and squares.
//!
//! What an element contributes begins as 16 lanes of f32, whose products are formed in f64, where they
//! neither overflow nor lose a bit. Each block of 4,096 elements is summed in 16 lanes of f64, element i in
//! lane i modulo 16, then the lanes by halves. The caller adds up the blocks in their order, so a sum is a
//! function of the elements alone.

use super::math::{exp, ln, sigmoid};
use crate::simd::{Kernel, LANES, Simd};

/// Elements that are summed before the sum joins those of other blocks, which other threads may have made.
pub(crate) const BLOCK: usize = 4096;

/// A function of `N` numbers that is summed over elements, with derivatives in `G` of them; `apply` must be
/// `#[inline(always)]`.
pub(crate) trait Term<const N: usize, const G: usize>: Copy + Sync {
    /// Its values for 16 elements, and the derivatives times `scale`.
    fn apply<S: Simd>(self, simd: S, x: [S::F32; N], scale: S::F32) -> ([f64; LANES], [S::F32; G]);
}

/// The sum over each block, and the derivatives if they are asked for.
pub(crate) struct BlockSums<'a, T, const N: usize, const G: usize> {
    /// What is summed.
    pub(crate) term: T,
    /// Operands of one length.
    pub(crate) x: [&'a [f32]; N],
    /// Where derivatives go: as long as the operands.
    pub(crate) grads: Option<[&'a mut [f32]; G]>,
    /// The factor of the derivatives.
    pub(crate) scale: f32,
    /// One sum for each block.
    pub(crate) sums: &'a mut [f64],
}

impl<T: Term<N, G>, const N: usize, const G: usize> Kernel for BlockSums<'_, T, N, G> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for b in 0..self.sums.len() {
            let end = self.x[0].len().min((b + 1) * BLOCK);
            let mut sum = Sum64::new();
            let mut at = b * BLOCK;
            while at < end {
                let to = end.min(at + LANES);
                self.vector(simd, at, to, &mut sum);
                at = to;
            }
            self.sums[b] = sum.total();
        }
    }
}

impl<T: Term<N, G>, const N: usize, const G: usize> BlockSums<'_, T, N, G> {
    /// Up to 16 elements.
    #[inline(always)]
    fn vector<S: Simd>(&mut self, simd: S, at: usize, to: usize, sum: &mut Sum64) {
        let mut x = [simd.splat(0.0); N];
        for (x, from) in x.iter_mut().zip(&self.x) {
            *x = simd.load_up_to(&from[at..to]);
        }
        let (mut values, grads) = self.term.apply(simd, x, simd.splat(self.scale));
        if to - at < LANES {
            // What the term makes of absent lanes is nobody's.
            values[to - at..].fill(0.0);
        }
        sum.add(&values);
        if let Some(outs) = &mut self.grads {
            for i in 0..G {
                simd.store_up_to(grads[i], &mut outs[i][at..to]);
            }
        }
    }
}

/// A sum of f64 in 16 lanes.
pub(super) struct Sum64([f64; LANES]);

impl Sum64 {
    /// Zero.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self([0.0; LANES])
    }

    /// One number to each lane.
    #[inline(always)]
    pub(super) fn add(&mut self, values: &[f64; LANES]) {
        for (sum, value) in self.0.iter_mut().zip(values) {
            *sum += value;
        }
    }

    /// The lanes added by halves: 16, 8, 4, 2, 1.
    #[inline(always)]
    pub(super) fn total(mut self) -> f64 {
        let mut half = LANES / 2;
        while half > 0 {
            for i in 0..half {
                self.0[i] += self.0[i + half];
            }
            half /= 2;
        }
        self.0[0]
    }
}

/// The lanes in f64, which holds the product of any two exactly.
#[inline(always)]
pub(super) fn widened<S: Simd>(simd: S, x: S::F32) -> [f64; LANES] {
    let (x, mut wide) = (simd.to_array(x), [0.0; LANES]);
    for i in 0..LANES {
        wide[i] = f64::from(x[i]);
    }
    wide
}

/// The squares of the lanes, exact.
#[inline(always)]
pub(super) fn squares<S: Simd>(simd: S, x: S::F32) -> [f64; LANES] {
    let mut wide = widened(simd, x);
    for x in &mut wide {
        *x *= *x;
    }
    wide
}

/// `(x - target)^2`.
#[derive(Clone, Copy)]
pub(crate) struct SquaredError;

impl Term<2, 1> for SquaredError {
    #[inline(always)]
    fn apply<S: Simd>(
        self,
        simd: S,
        [x, target]: [S::F32; 2],
        scale: S::F32,
    ) -> ([f64; LANES], [S::F32; 1]) {
        let error = simd.sub(x, target);
        let slope = simd.mul(simd.add(error, error), scale);
        (squares(simd, error), [slope])
    }
}

/// `0.5 (v + (target - mean)^2 e^-v)` of mean, v (the logarithm of the variance) and target.
#[derive(Clone, Copy)]
pub(crate) struct GaussianNll;

impl Term<3, 2> for GaussianNll {
    /// With the standardised error z = (mean - target) e^(-v / 2), whose factor overflows and underflows
    /// only at twice the v at which that of its square would, the loss is 0.5 (v + z^2), and its
    /// derivatives are z e^(-v / 2) and 0.5 (1 - z^2).
    #[inline(always)]
    fn apply<S: Simd>(
        self,
        simd: S,
        [mean, v, target]: [S::F32; 3],
        scale: S::F32,
    ) -> ([f64; LANES], [S::F32; 2]) {
        let root = exp(simd, simd.mul(v, simd.splat(-0.5)));
        let error = simd.sub(mean, target);
        // No error is none however narrow the distribution is: an infinite factor does not make it NaN.
        let exact = simd.eq(error, simd.splat(0.0));
        let root = simd.select(exact, simd.min(simd.splat(f32::MAX), root), root);
        let z = simd.mul(error, root);
        let of_mean = simd.mul(z, root);
        let of_v = simd.mul(simd.splat(0.5), simd.sub(simd.splat(1.0), simd.mul(z, z)));
        let (mut loss, v) = (squares(simd, z), widened(simd, v));
        for i in 0..LANES {
            loss[i] = 0.5 * (v[i] + loss[i]);
        }
        (loss, [simd.mul(of_mean, scale), simd.mul(of_v, scale)])
    }
}

/// `max(x, 0) - x target + ln(1 + e^-|x|)`.
#[derive(Clone, Copy)]
pub(crate) struct BinaryCrossEntropy;

impl Term<2, 1> for BinaryCrossEntropy {
    #[inline(always)]
    fn apply<S: Simd>(
        self,
        simd: S,
        [x, target]: [S::F32; 2],
        scale: S::F32,
    ) -> ([f64; LANES], [S::F32; 1]) {
        let slope = simd.mul(simd.sub(sigmoid(simd, x), target), scale);
        let (rest, mut loss) = (widened(simd, softplus_rest(simd, x)), [0.0; LANES]);
        let (x, target) = (widened(simd, x), widened(simd, target));
        for i in 0..LANES {
            let share = if x[i] > 0.0 { 1.0 } else { 0.0 } - target[i];
            // An infinite logit that is right has no loss.
            let line = if share == 0.0 { 0.0 } else { x[i] * share };
            loss[i] = line + rest[i];
        }
        (loss, [slope])
    }
}

/// ln(1 + e^-|x|), also where 1 + e^-|x| keeps few digits of the exponential: with u = 1 + e rounded,
/// ln(u) e / (u - 1) is as exact as ln is (Higham, Accuracy and Stability of Numerical Algorithms,
/// section 1.14.1).
#[inline(always)]
fn softplus_rest<S: Simd>(simd: S, x: S::F32) -> S::F32 {
    let one = simd.splat(1.0);
    // -|x|, or the NaN itself.
    let minus = simd.min(simd.sub(simd.splat(0.0), x), x);
    let e = exp(simd, minus);
    let u = simd.add(one, e);
    let corrected = simd.div(simd.mul(ln(simd, u), e), simd.sub(u, one));
    simd.select(simd.eq(u, one), e, corrected)
}
