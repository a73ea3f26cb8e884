//! Norms of rows, and the limit on them.

use super::elementwise::{Map, Scaled, Unary};
use super::loss::{Sum64, Term, squares};
use crate::simd::{Kernel, LANES, Simd};

/// `x^2`.
#[derive(Clone, Copy)]
pub(crate) struct Square;

impl Term<1, 0> for Square {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, [x]: [S::F32; 1], _: S::F32) -> ([f64; LANES], [S::F32; 0]) {
        (squares(simd, x), [])
    }
}

/// `x`, or the limit with its sign where it is further from zero; a NaN stays.
#[derive(Clone, Copy)]
pub(crate) struct Clipped(pub(crate) f32);

impl Unary for Clipped {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        let below = simd.min(simd.splat(self.0), x);
        simd.max(simd.splat(-self.0), below)
    }
}

/// Scales each row whose norm is finite and above the limit to that norm.
pub(crate) struct MaxNorm<'a> {
    /// Rows of `n > 0` elements, one after the other.
    pub(crate) w: &'a mut [f32],
    /// Elements in a row.
    pub(crate) n: usize,
    /// The largest norm.
    pub(crate) limit: f64,
}

impl Kernel for MaxNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for row in self.w.chunks_exact_mut(self.n) {
            let norm = squared_norm(simd, row).sqrt();
            if norm > self.limit && norm < f64::INFINITY {
                let op = Scaled((self.limit / norm) as f32);
                Map {
                    op,
                    x: None,
                    out: row,
                }
                .run(simd);
            }
        }
    }
}

#[inline(always)]
fn squared_norm<S: Simd>(simd: S, x: &[f32]) -> f64 {
    let mut sum = Sum64::new();
    for x in x.chunks(LANES) {
        // Absent lanes are zero.
        sum.add(&squares(simd, simd.load_up_to(x)));
    }
    sum.total()
}
