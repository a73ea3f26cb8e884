//! The limits of this machine: multiply-adds in registers, and a scaled copy.

use std::hint::black_box;

use elision::simd::{Kernel, LANES, Simd, dispatch};
use elision::{Isa, Level};

use super::elementwise::{SIZES, scaled_copy};
use super::report::{Line, Report};
use super::timing::alone;
use crate::failure::Failure;

/// Multiply-adds on independent registers: enough of them to hide their latency, few enough to fit.
struct Peak {
    rounds: u32,
}

impl Kernel for Peak {
    /// Floating-point operations done, and a number that depends on all of them.
    type Output = (f64, f32);

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> (f64, f32) {
        match S::LEVEL {
            Level::Avx512 => multiply_add::<S, 24>(simd, self.rounds),
            Level::Avx2 => multiply_add::<S, 6>(simd, self.rounds),
            Level::Scalar | Level::Portable => multiply_add::<S, 2>(simd, self.rounds),
        }
    }
}

#[inline(always)]
fn multiply_add<S: Simd, const N: usize>(simd: S, rounds: u32) -> (f64, f32) {
    let (a, b) = (simd.splat(black_box(0.999)), simd.splat(black_box(0.001)));
    let mut sums = [simd.splat(black_box(0.5)); N];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = simd.mul_add(*sum, a, b);
        }
    }
    let total = sums
        .iter()
        .map(|&sum| simd.to_array(sum).iter().sum::<f32>())
        .sum();
    (2.0 * f64::from(rounds) * (N * LANES) as f64, total)
}

/// Multiply-adds on every thread at once, `rounds` on each register; returns the operations done.
pub(super) fn multiply_adds(isa: Isa, rounds: u32) -> f64 {
    let done = black_box(rayon::broadcast(|_| dispatch(isa, Peak { rounds })));
    done.iter().map(|(flops, _)| flops).sum()
}

/// Measures both limits with the ambient threads.
pub(super) fn measure(isa: Isa, report: &mut Report) -> Result<(), Failure> {
    let mut flops = 0.0;
    let seconds = alone(|| flops = multiply_adds(isa, 20_000));
    report.line(&Line {
        gflops: Some(flops / seconds / 1e9),
        ..Line::new("fma peak")
    })?;
    for n in SIZES {
        let mut copy = scaled_copy(n)?;
        let ns = alone(|| copy.run()) / n as f64 * 1e9;
        report.line(&Line {
            n: Some(n),
            ns_per_element: Some(ns),
            ..Line::new("scaled copy")
        })?;
    }
    Ok(())
}
