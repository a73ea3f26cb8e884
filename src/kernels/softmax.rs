//! Softmax, its logarithm and its cross-entropy, on rows.
//!
//! Of each row first the maximum is found, then the sum of e^(x - max), then the results: no exponential
//! overflows, and the sum is at least 1. Absent lanes of a row's last vector are minus infinity: they
//! never are the maximum, and their exponential is zero, so a row has no tail of another kind.
//!
//! The sum is a fixed tree, a function of the row alone: 16 lanes over blocks of 64 vectors, then over
//! the blocks, then the lanes by halves. A row that holds a NaN or plus infinity, or nothing but minus
//! infinity, has the sum NaN and becomes NaN throughout.

use super::activation::store;
use super::loss::{Sum64, widened};
use super::math::{exp, ln};
use crate::simd::{Kernel, LANES, Simd};

/// Elements summed before the sum joins those of other blocks: a long row's rounding errors then grow
/// with 64 + n / 1024 rather than with n / 16.
const BLOCK: usize = 64 * LANES;

/// The least e^(x - max) that has a gradient, 2^-64: the rounding of a probability near one hides 2^40 of them, and
/// their products with weights would end in subnormal numbers, which take a processor a hundred times as long.
const LEAST: f32 = 1.0 / (1_u128 << 64) as f32;

/// What is made of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// e^(x - max) / sum.
    Softmax,
    /// x - max - ln(sum).
    LogSoftmax,
}

/// Rows of `n > 0` elements, one after the other.
pub(crate) struct Rows<'a> {
    /// The input.
    pub(crate) x: &'a [f32],
    /// The output, as long as the input.
    pub(crate) out: &'a mut [f32],
    /// Elements in a row.
    pub(crate) n: usize,
    /// What is made of them.
    pub(crate) form: Form,
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (x, out) in self
            .x
            .chunks_exact(self.n)
            .zip(self.out.chunks_exact_mut(self.n))
        {
            match self.form {
                Form::Softmax => softmax(simd, x, out),
                Form::LogSoftmax => log_softmax(simd, x, out),
            }
        }
    }
}

/// The loss of each row and, if asked for, the gradient of the mean loss.
pub(crate) struct CrossEntropy<'a> {
    /// Rows of `n > 0` logits.
    pub(crate) logits: &'a [f32],
    /// Elements in a row.
    pub(crate) n: usize,
    /// The class of each row, below `n`.
    pub(crate) labels: &'a [u32],
    /// The share of each row's target that is spread evenly over the classes; the label has the rest.
    pub(crate) smoothing: f64,
    /// The cross-entropy of each row.
    pub(crate) losses: &'a mut [f64],
    /// Where the gradient goes: as long as the logits.
    pub(crate) grad: Option<&'a mut [f32]>,
    /// The factor of the gradient: one over the size of the batch.
    pub(crate) scale: f32,
}

impl Kernel for CrossEntropy<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        for i in 0..self.losses.len() {
            self.losses[i] = self.row(simd, i);
        }
    }
}

impl CrossEntropy<'_> {
    /// Writes the gradient of row `i` and returns its loss.
    #[inline(always)]
    fn row<S: Simd>(&mut self, simd: S, i: usize) -> f64 {
        let (place, label) = (i * self.n..(i + 1) * self.n, self.labels[i] as usize);
        let x = &self.logits[place.clone()];
        let max = maximum(simd, x);
        let sum = match &mut self.grad {
            None => exponentials(simd, x, max, None),
            Some(grad) => {
                let grad = &mut grad[place];
                let sum = exponentials(simd, x, max, Some(&mut *grad));
                scale_or_nan(simd, grad, sum, (1.0 / sum * self.scale, LEAST));
                subtract_target(simd, grad, label, self.smoothing, self.scale);
                sum
            }
        };
        if sum.is_nan() {
            return f64::NAN;
        }
        let mut distance = f64::from(max) - f64::from(x[label]);
        if self.smoothing > 0.0 {
            distance *= 1.0 - self.smoothing;
            distance += self.smoothing * mean_distance(simd, x, max);
        }
        distance + f64::from(sum).ln()
    }
}

#[inline(always)]
fn softmax<S: Simd>(simd: S, x: &[f32], out: &mut [f32]) {
    let max = maximum(simd, x);
    let sum = exponentials(simd, x, max, Some(&mut *out));
    scale_or_nan(simd, out, sum, (1.0 / sum, 0.0));
}

#[inline(always)]
fn log_softmax<S: Simd>(simd: S, x: &[f32], out: &mut [f32]) {
    let max = maximum(simd, x);
    let sum = exponentials(simd, x, max, None);
    if sum.is_nan() {
        return out.fill(f32::NAN);
    }
    let (max, ln_sum) = (simd.splat(max), ln(simd, simd.splat(sum)));
    for (x, out) in x.chunks(LANES).zip(out.chunks_mut(LANES)) {
        store(simd, simd.sub(simd.sub(load(simd, x), max), ln_sum), out);
    }
}

/// Takes `scale` times the target from the gradient of a row.
#[inline(always)]
fn subtract_target<S: Simd>(simd: S, grad: &mut [f32], label: usize, smoothing: f64, scale: f32) {
    let scale = f64::from(scale);
    if smoothing > 0.0 {
        let even = simd.splat((smoothing * scale / grad.len() as f64) as f32);
        for grad in grad.chunks_mut(LANES) {
            store(simd, simd.sub(load(simd, grad), even), grad);
        }
    }
    grad[label] -= ((1.0 - smoothing) * scale) as f32;
}

/// The mean of max - x.
#[inline(always)]
fn mean_distance<S: Simd>(simd: S, x: &[f32], max: f32) -> f64 {
    let mut sum = Sum64::new();
    for x in x.chunks(LANES) {
        let mut lanes = widened(simd, load(simd, x));
        for lane in &mut lanes {
            *lane = f64::from(max) - *lane;
        }
        if x.len() < LANES {
            lanes[x.len()..].fill(0.0);
        }
        sum.add(&lanes);
    }
    sum.total() / x.len() as f64
}

/// The largest element that is not a NaN; minus infinity if there is none.
#[inline(always)]
fn maximum<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let mut max = simd.splat(f32::NEG_INFINITY);
    for x in x.chunks(LANES) {
        max = simd.max(load(simd, x), max);
    }
    simd.fold_lanes(max, larger)
}

/// Writes e^(x - max) to `out`, if given, and returns the sum.
#[inline(always)]
fn exponentials<S: Simd>(simd: S, x: &[f32], max: f32, mut out: Option<&mut [f32]>) -> f32 {
    let max = simd.splat(max);
    let mut total = simd.splat(0.0);
    for (b, block) in x.chunks(BLOCK).enumerate() {
        let mut sum = simd.splat(0.0);
        for (i, x) in block.chunks(LANES).enumerate() {
            let e = exp(simd, simd.sub(load(simd, x), max));
            if let Some(out) = &mut out {
                let at = b * BLOCK + i * LANES;
                store(simd, e, &mut out[at..at + x.len()]);
            }
            sum = simd.add(sum, e);
        }
        total = simd.add(total, sum);
    }
    simd.fold_lanes(total, plus)
}

/// `out *= factor`, or NaN throughout if the sum is: the one NaN that is the same everywhere. What is below
/// `least` becomes zero.
#[inline(always)]
fn scale_or_nan<S: Simd>(simd: S, out: &mut [f32], sum: f32, (factor, least): (f32, f32)) {
    if sum.is_nan() {
        return out.fill(f32::NAN);
    }
    let (factor, least) = (simd.splat(factor), simd.splat(least));
    for out in out.chunks_mut(LANES) {
        let e = load(simd, out);
        let e = simd.select_or_zero(simd.le(least, e), e);
        store(simd, simd.mul(e, factor), out);
    }
}

/// Reads up to 16 lanes; the absent ones are minus infinity.
#[inline(always)]
fn load<S: Simd>(simd: S, x: &[f32]) -> S::F32 {
    if let Some(whole) = x.first_chunk() {
        return simd.load(whole);
    }
    let present = simd.pred_from_bits((1 << x.len()) - 1);
    simd.select(present, simd.load_up_to(x), simd.splat(f32::NEG_INFINITY))
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn plus(a: f32, b: f32) -> f32 {
    a + b
}
