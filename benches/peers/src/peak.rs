//! Multiply-adds in registers: what the cores could reach if no data had to move.

use std::hint::black_box;

use elision::simd::{Kernel, LANES, Simd, dispatch};
use elision::{Isa, Level};

use crate::failure::Failure;
use crate::peer::{Answer, Run};

/// Rounds of one call: some ten microseconds.
const ROUNDS: u32 = 2_000;

/// The peak of all ambient threads together.
pub(crate) struct Peak {
    isa: Isa,
}

impl Peak {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self { isa: Isa::best()? })
    }

    /// Operations of one call on all threads.
    pub(crate) fn flops(&self) -> f64 {
        let sums = match self.isa.level() {
            Level::Avx512 => 24,
            Level::Avx2 => 6,
            Level::Scalar | Level::Portable => 2,
        };
        2.0 * f64::from(ROUNDS) * (sums * LANES * rayon::current_num_threads()) as f64
    }
}

impl Run for Peak {
    fn seconds(&mut self, calls: u32) -> Result<f64, Failure> {
        let isa = self.isa;
        let start = std::time::Instant::now();
        // Each thread makes all its calls at once, so that nothing waits in between.
        black_box(rayon::broadcast(|_| {
            (0..calls).map(|_| dispatch(isa, MultiplyAdds)).sum::<f32>()
        }));
        Ok(start.elapsed().as_secs_f64())
    }

    fn answer(&mut self) -> Result<Answer, Failure> {
        Ok(Vec::new())
    }
}

/// Independent registers: enough to hide the latency, few enough to fit.
struct MultiplyAdds;

impl Kernel for MultiplyAdds {
    /// A number that depends on all of them.
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        match S::LEVEL {
            Level::Avx512 => multiply_add::<S, 24>(simd),
            Level::Avx2 => multiply_add::<S, 6>(simd),
            Level::Scalar | Level::Portable => multiply_add::<S, 2>(simd),
        }
    }
}

#[inline(always)]
fn multiply_add<S: Simd, const N: usize>(simd: S) -> f32 {
    let (a, b) = (simd.splat(black_box(0.999)), simd.splat(black_box(0.001)));
    let mut sums = [simd.splat(black_box(0.5)); N];
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = simd.mul_add(*sum, a, b);
        }
    }
    let mut total = 0.0;
    for sum in sums {
        for x in simd.to_array(sum) {
            total += x;
        }
    }
    total
}
