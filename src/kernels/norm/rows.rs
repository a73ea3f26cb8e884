//! Rows normalised by their own moments, and the gradient of that.
//!
//! With y = (x - mean) * inv_std and g the gradient of y, the gradient of x is
//! `inv_std * (g - mean(g) - y * mean(g * y))`; where no mean is taken off, its term is absent too.

use super::split;
use crate::kernels::reduce::{self, Combine, Sum, leaf};
use crate::simd::{Kernel, LANES, Simd};

/// Elements summed in f32 before the sum joins those of other blocks, which is done in f64.
const BLOCK: usize = 64 * LANES;

/// What a row is normalised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its mean is taken off, then it is divided by its standard deviation.
    Layer,
    /// It is divided by its root mean square.
    Rms,
}

/// What the gradient needs of a row beside the row itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    /// The mean, or 0 for [`Form::Rms`].
    pub(crate) mean: f32,
    /// What the mean lacks.
    pub(crate) rest: f32,
    /// `1 / sqrt(variance + eps)`.
    pub(crate) inv_std: f32,
}

/// Rows of `n > 0` elements, one after the other.
pub(crate) struct Norm<'a> {
    pub(crate) form: Form,
    pub(crate) x: &'a [f32],
    /// As long as `x`.
    pub(crate) out: &'a mut [f32],
    pub(crate) n: usize,
    /// `n` factors.
    pub(crate) weight: Option<&'a [f32]>,
    /// `n` summands.
    pub(crate) bias: Option<&'a [f32]>,
    /// Added to the variance.
    pub(crate) eps: f64,
    /// One for each row.
    pub(crate) moments: Option<&'a mut [Moments]>,
}

impl Kernel for Norm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let rows = self.x.chunks_exact(self.n);
        for (i, (x, out)) in rows.zip(self.out.chunks_exact_mut(self.n)).enumerate() {
            let moments = moments(simd, self.form, x, self.eps);
            if let Some(saved) = &mut self.moments {
                saved[i] = moments;
            }
            if moments.inv_std.is_nan() {
                // The one NaN that is the same everywhere.
                out.fill(f32::NAN);
            } else {
                normalise(simd, moments, x, [self.weight, self.bias], out);
            }
        }
    }
}

/// The gradient of the input of [`Norm`].
pub(crate) struct NormBackward<'a> {
    pub(crate) form: Form,
    pub(crate) dy: &'a [f32],
    pub(crate) x: &'a [f32],
    /// As long as `x`.
    pub(crate) out: &'a mut [f32],
    pub(crate) n: usize,
    pub(crate) weight: Option<&'a [f32]>,
    /// Those of each row of `x`.
    pub(crate) moments: &'a [Moments],
}

impl Kernel for NormBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rows = self
            .dy
            .chunks_exact(self.n)
            .zip(self.x.chunks_exact(self.n));
        let rows = rows.zip(self.out.chunks_exact_mut(self.n));
        for (((dy, x), out), &moments) in rows.zip(self.moments) {
            let pull = Pull {
                dy,
                x,
                weight: self.weight,
                moments,
            };
            pull.run(simd, self.form, out);
        }
    }
}

#[inline(always)]
fn moments<S: Simd>(simd: S, form: Form, x: &[f32], eps: f64) -> Moments {
    let n = x.len() as f64;
    let centre = match form {
        Form::Layer => (sum(simd, x) / n) as f32,
        Form::Rms => 0.0,
    };
    let [sum, squares] = sums(simd, x.len(), Powers { x, centre });
    let (shift, square) = (sum / n, squares / n);
    let (mean, variance) = match form {
        Form::Layer => (f64::from(centre) + shift, square - shift * shift),
        Form::Rms => (0.0, square),
    };
    // The square of the shift is far below the variance, or both are rounding errors.
    let variance = if variance < 0.0 { 0.0 } else { variance };
    let (mean, rest) = split(mean);
    Moments {
        mean,
        rest,
        inv_std: (1.0 / (variance + eps).sqrt()) as f32,
    }
}

#[inline(always)]
fn sum<S: Simd>(simd: S, x: &[f32]) -> f64 {
    let mut total = 0.0;
    for block in x.chunks(reduce::BLOCK) {
        total += f64::from(leaf(simd, Sum, block));
    }
    total
}

/// `(x - mean) * inv_std * weight + bias`.
#[inline(always)]
fn normalise<S: Simd>(
    simd: S,
    moments: Moments,
    x: &[f32],
    [weight, bias]: [Option<&[f32]>; 2],
    out: &mut [f32],
) {
    for (i, (x, out)) in x.chunks(LANES).zip(out.chunks_mut(LANES)).enumerate() {
        let (at, n) = (i * LANES, x.len());
        let y = moments.apply(simd, simd.load_up_to(x));
        let y = simd.mul(y, or_splat(simd, weight, at, n, 1.0));
        // Minus zero is the number that changes no sum.
        let y = simd.add(y, or_splat(simd, bias, at, n, -0.0));
        simd.store_up_to(y, out);
    }
}

impl Moments {
    /// `(x - mean) * inv_std`.
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let d = simd.sub(x, simd.splat(self.mean));
        let d = simd.sub(d, simd.splat(self.rest));
        simd.mul(d, simd.splat(self.inv_std))
    }

    /// The same for one element.
    #[inline(always)]
    pub(super) fn of(self, x: f32) -> f32 {
        (x - self.mean - self.rest) * self.inv_std
    }
}

/// `n` elements from `at` on, or a value for all.
#[inline(always)]
fn or_splat<S: Simd>(simd: S, x: Option<&[f32]>, at: usize, n: usize, value: f32) -> S::F32 {
    match x {
        Some(x) => simd.load_up_to(&x[at..at + n]),
        None => simd.splat(value),
    }
}

/// Two numbers for each element of a row; `at` must be `#[inline(always)]`.
trait Terms: Copy {
    /// Those of `n` lanes from `at` on; the absent lanes are zero.
    fn at<S: Simd>(self, simd: S, at: usize, n: usize) -> [S::F32; 2];
}

/// Sums of both numbers over a row.
#[inline(always)]
fn sums<S: Simd>(simd: S, len: usize, terms: impl Terms) -> [f64; 2] {
    let mut totals = [0.0; 2];
    let mut at = 0;
    while at < len {
        let end = len.min(at + BLOCK);
        let (mut first, mut second) = (simd.splat(0.0), simd.splat(0.0));
        while at < end {
            let n = LANES.min(end - at);
            let [a, b] = terms.at(simd, at, n);
            first = simd.add(first, a);
            second = simd.add(second, b);
            at += n;
        }
        totals[0] += f64::from(simd.fold_lanes(first, Sum::combine));
        totals[1] += f64::from(simd.fold_lanes(second, Sum::combine));
    }
    totals
}

/// The difference from a number near the mean, and its square.
#[derive(Clone, Copy)]
struct Powers<'a> {
    x: &'a [f32],
    centre: f32,
}

impl Terms for Powers<'_> {
    #[inline(always)]
    fn at<S: Simd>(self, simd: S, at: usize, n: usize) -> [S::F32; 2] {
        let x = simd.load_up_to(&self.x[at..at + n]);
        let mut d = simd.sub(x, simd.splat(self.centre));
        if n < LANES {
            d = simd.select_or_zero(simd.pred_from_bits((1 << n) - 1), d);
        }
        [d, simd.mul(d, d)]
    }
}

/// One row of a backward pass. Its terms are `g = dy * weight` and g times the normalised row; absent lanes
/// of `dy` are zero, and so are both.
#[derive(Clone, Copy)]
struct Pull<'a> {
    dy: &'a [f32],
    x: &'a [f32],
    weight: Option<&'a [f32]>,
    moments: Moments,
}

impl Terms for Pull<'_> {
    #[inline(always)]
    fn at<S: Simd>(self, simd: S, at: usize, n: usize) -> [S::F32; 2] {
        let [g, y] = self.factors(simd, at, n);
        [g, simd.mul(g, y)]
    }
}

impl Pull<'_> {
    /// g and the normalised row.
    #[inline(always)]
    fn factors<S: Simd>(self, simd: S, at: usize, n: usize) -> [S::F32; 2] {
        let dy = simd.load_up_to(&self.dy[at..at + n]);
        let x = simd.load_up_to(&self.x[at..at + n]);
        let g = simd.mul(dy, or_splat(simd, self.weight, at, n, 1.0));
        [g, self.moments.apply(simd, x)]
    }

    #[inline(always)]
    fn run<S: Simd>(self, simd: S, form: Form, out: &mut [f32]) {
        let n = out.len() as f64;
        let [sum, products] = sums(simd, out.len(), self);
        let mean = match form {
            Form::Layer => sum / n,
            Form::Rms => 0.0,
        };
        let (mean, slope) = (simd.splat(mean as f32), simd.splat((products / n) as f32));
        let inv_std = simd.splat(self.moments.inv_std);
        for (i, out) in out.chunks_mut(LANES).enumerate() {
            let [g, y] = self.factors(simd, i * LANES, out.len());
            let dx = simd.sub(simd.sub(g, mean), simd.mul(y, slope));
            simd.store_up_to(simd.mul(dx, inv_std), out);
        }
    }
}
