//! What the benches share: where they run, how a case is checked and timed, and their inputs.
//!
//! A benchmark is named `operation/shape/instruction set/threads`. `ELISION_MAX_ISA` caps the instruction
//! sets. A case that the command line filters out is never built.
#![allow(dead_code, reason = "each bench uses a part of this")]

use std::fmt::Display;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use elision::{Isa, Level};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Something to time. Its memory is allocated when it is built and used again by every run.
pub(crate) trait Case: Send {
    /// Does the work once.
    fn run(&mut self);

    /// Panics unless the latest run gave the right answer.
    fn check(&self);
}

/// An instruction set and a number of threads.
pub(crate) struct Place {
    pub(crate) isa: Isa,
    pub(crate) is_best: bool,
    pool: ThreadPool,
}

impl Place {
    /// Whether this is a baseline that exists to be correct everywhere rather than fast.
    pub(crate) fn is_slow(&self) -> bool {
        !self.is_best && matches!(self.isa.level(), Level::Scalar | Level::Portable)
    }

    fn enter<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        // The instruction set belongs to a thread, so it is installed within the pool.
        self.pool.install(|| self.isa.install(f))
    }
}

/// One, and one for each physical core.
fn thread_counts() -> Vec<usize> {
    let mut counts = vec![1, num_cpus::get_physical()];
    counts.dedup();
    counts
}

/// Every place, from the slowest to the fastest.
pub(crate) fn places() -> Vec<Place> {
    let best = Isa::best().expect("ELISION_MAX_ISA names an instruction set");
    let isas = Isa::available().iter().filter(|&&isa| isa <= best);
    let places = isas.flat_map(|&isa| {
        thread_counts().into_iter().map(move |threads| Place {
            isa,
            is_best: isa == best,
            pool: ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("a few threads"),
        })
    });
    places.collect()
}

/// Criterion with short measurements: there are hundreds of cases, and a case is one loop whose time
/// varies with the machine's mood rather than with its own.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .sample_size(20)
        .nresamples(10_000)
        .configure_from_args()
}

/// What is timed, and how much work it is: elements, or floating-point operations of a product.
pub(crate) struct Name<O, S> {
    pub(crate) operation: O,
    pub(crate) shape: S,
    pub(crate) work: usize,
}

/// Builds the case, checks its answer, and times it.
pub(crate) fn time<C: Case>(
    criterion: &mut Criterion,
    place: &Place,
    name: Name<impl Display, impl Display>,
    build: impl Fn() -> C,
) {
    let threads = place.pool.current_num_threads();
    let id = BenchmarkId::new(format!("{}/{}", name.shape, place.isa), threads);
    let mut group = criterion.benchmark_group(name.operation.to_string());
    group.throughput(Throughput::Elements(name.work as u64));
    let mut case = None;
    // Criterion calls the closure once for each sample.
    group.bench_function(id, |bencher| {
        let case = case.get_or_insert_with(|| place.enter_checked(&build));
        place.enter(|| bencher.iter(|| black_box(&mut *case).run()));
    });
    group.finish();
}

impl Place {
    fn enter_checked<C: Case>(&self, build: impl Fn() -> C) -> C {
        let mut case = build();
        self.enter(|| case.run());
        case.check();
        case
    }
}

/// SplitMix64's output for a counter: inputs need no better source.
fn hash(i: usize) -> u64 {
    let mut z = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `n` numbers between -2 and 2, none of them zero; another `seed` gives others.
pub(crate) fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let number = |i| ((hash(seed << 32 | i) >> 41) as f32 + 0.5) / (1 << 21) as f32 - 2.0;
    (0..n).map(number).collect()
}

/// `n` integers between -4 and 4. Products of a few thousand of them are exact in f32 however they are
/// added, so that an answer can be compared exactly.
pub(crate) fn integers(n: usize, seed: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (hash(seed << 32 | i) % 9) as f32 - 4.0)
        .collect()
}
