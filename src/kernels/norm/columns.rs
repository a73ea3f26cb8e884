//! Columns of a matrix whose rows lie one after the other: sums over the rows in f64, and what is done to each
//! element with the numbers of its column.
//!
//! The loops in f64 are plain ones that the compiler turns into vectors; each column is added up in the order
//! of the rows, whatever the width of a vector.

use super::rows::Moments;
use crate::simd::{Kernel, LANES, Simd};

/// What is summed over the rows, for each column.
#[derive(Clone, Copy)]
pub(crate) enum Terms<'a> {
    /// x.
    Values,
    /// The square of x - mean.
    Squares { mean: &'a [f64] },
    /// dy * (x - mean) * inv_std; then dy, in a second row of sums. The moments are those of the columns.
    Gradients {
        dy: &'a [f32],
        mean: &'a [f64],
        inv_std: &'a [f64],
    },
    /// The same with the moments of the rows.
    RowGradients {
        dy: &'a [f32],
        moments: &'a [Moments],
    },
}

/// Adds the terms of rows of `n > 0` elements to the sums: one for each column, or two.
pub(crate) struct ColumnSums<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) n: usize,
    pub(crate) terms: Terms<'a>,
    pub(crate) sums: &'a mut [f64],
}

impl Kernel for ColumnSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { x, n, terms, sums } = self;
        let (first, second) = sums.split_at_mut(n);
        for (i, x) in x.chunks_exact(n).enumerate() {
            match terms {
                Terms::Values => values(x, first),
                Terms::Squares { mean } => squares(x, mean, first),
                Terms::Gradients { dy, mean, inv_std } => {
                    let dy = &dy[i * n..(i + 1) * n];
                    products(x, dy, [mean, inv_std], first);
                    values(dy, second);
                }
                Terms::RowGradients { dy, moments } => {
                    let dy = &dy[i * n..(i + 1) * n];
                    row_products(x, dy, moments[i], first);
                    values(dy, second);
                }
            }
        }
    }
}

#[inline(always)]
fn values(x: &[f32], sums: &mut [f64]) {
    for (sum, &x) in sums.iter_mut().zip(x) {
        *sum += f64::from(x);
    }
}

#[inline(always)]
fn squares(x: &[f32], mean: &[f64], sums: &mut [f64]) {
    for (sum, (&x, mean)) in sums.iter_mut().zip(x.iter().zip(mean)) {
        let d = f64::from(x) - mean;
        *sum += d * d;
    }
}

#[inline(always)]
fn products(x: &[f32], dy: &[f32], [mean, inv_std]: [&[f64]; 2], sums: &mut [f64]) {
    let pairs = x.iter().zip(dy).zip(mean.iter().zip(inv_std));
    for (sum, ((&x, &dy), (mean, inv_std))) in sums.iter_mut().zip(pairs) {
        *sum += f64::from(dy) * ((f64::from(x) - mean) * inv_std);
    }
}

#[inline(always)]
fn row_products(x: &[f32], dy: &[f32], moments: Moments, sums: &mut [f64]) {
    for (sum, (&x, &dy)) in sums.iter_mut().zip(x.iter().zip(dy)) {
        *sum += f64::from(dy) * f64::from(moments.of(x));
    }
}

/// `(x - mean - rest) * scale + bias`, each of the four being a number for each column.
pub(crate) struct Forward<'a> {
    pub(crate) x: &'a [f32],
    /// As long as `x`.
    pub(crate) out: &'a mut [f32],
    pub(crate) n: usize,
    pub(crate) mean: &'a [f32],
    pub(crate) rest: &'a [f32],
    pub(crate) scale: &'a [f32],
    pub(crate) bias: &'a [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rows = self.x.chunks_exact(self.n);
        for (x, out) in rows.zip(self.out.chunks_exact_mut(self.n)) {
            for (i, out) in out.chunks_mut(LANES).enumerate() {
                let from = [x, self.mean, self.rest, self.scale, self.bias];
                let [x, mean, rest, scale, bias] = lanes(simd, from, i * LANES, out.len());
                let d = simd.sub(simd.sub(x, mean), rest);
                simd.store_up_to(simd.add(simd.mul(d, scale), bias), out);
            }
        }
    }
}

/// `(dy - offset - (x - mean - rest) * slope) * scale`, with numbers for each column as in [`Forward`].
pub(crate) struct Backward<'a> {
    pub(crate) dy: &'a [f32],
    pub(crate) x: &'a [f32],
    /// As long as `x`.
    pub(crate) out: &'a mut [f32],
    pub(crate) n: usize,
    pub(crate) mean: &'a [f32],
    pub(crate) rest: &'a [f32],
    pub(crate) scale: &'a [f32],
    pub(crate) offset: &'a [f32],
    pub(crate) slope: &'a [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rows = self
            .dy
            .chunks_exact(self.n)
            .zip(self.x.chunks_exact(self.n));
        for ((dy, x), out) in rows.zip(self.out.chunks_exact_mut(self.n)) {
            for (i, out) in out.chunks_mut(LANES).enumerate() {
                let from = [dy, x, self.mean, self.rest, self.scale];
                let [dy, x, mean, rest, scale] = lanes(simd, from, i * LANES, out.len());
                let from = [self.offset, self.slope];
                let [offset, slope] = lanes(simd, from, i * LANES, out.len());
                let d = simd.sub(simd.sub(x, mean), rest);
                let g = simd.sub(simd.sub(dy, offset), simd.mul(d, slope));
                simd.store_up_to(simd.mul(g, scale), out);
            }
        }
    }
}

/// The `n` elements from `at` on of each slice.
#[inline(always)]
fn lanes<S: Simd, const K: usize>(simd: S, from: [&[f32]; K], at: usize, n: usize) -> [S::F32; K] {
    let mut lanes = [simd.splat(0.0); K];
    for (lanes, from) in lanes.iter_mut().zip(from) {
        *lanes = simd.load_up_to(&from[at..at + n]);
    }
    lanes
}
