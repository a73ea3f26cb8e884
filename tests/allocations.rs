//! A steady training step allocates nothing.

#![allow(
    unsafe_code,
    reason = "counting allocations takes an allocator of one's own"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use elision::train::{LayerConfig, Mlp, MlpConfig, Optimizer, Trainer};
use elision::{Activation, Key, Tensor};

/// The system's allocator, counting.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Windows of four steps until one in which the allocator was not called, at most 50; and its calls while
/// a tensor is made.
fn allocations(activation: Activation, input_p: f64) -> (usize, usize) {
    let layer = |units, p| LayerConfig {
        units,
        activation,
        p,
    };
    let layers = vec![
        layer(256, 0.5),
        layer(200, 0.5),
        LayerConfig {
            activation: Activation::Identity,
            ..layer(10, 0.0)
        },
    ];
    let config = MlpConfig {
        inputs: 100,
        input_p,
        layers,
    };
    let mlp = Mlp::new(&config, Key::new(1)).unwrap();
    let mut trainer = Trainer::new(mlp, Optimizer::sgd(0.01, 0.9).unwrap(), Key::new(2)).unwrap();
    let x = Tensor::full(&[128, 100], 0.5).unwrap();
    let labels: Vec<u32> = (0..128).map(|i| i % 10).collect();
    trainer.step(&x, &labels).unwrap();
    let mut window = || {
        let before = CALLS.load(Ordering::Relaxed);
        for _ in 0..4 {
            trainer.step(&x, &labels).unwrap();
        }
        CALLS.load(Ordering::Relaxed) - before
    };
    let windows = (0..50).take_while(|_| window() > 0).count();
    let before = CALLS.load(Ordering::Relaxed);
    std::hint::black_box(Tensor::zeros(&[64]).unwrap());
    (windows, CALLS.load(Ordering::Relaxed) - before)
}

/// One thread allocates nothing after its first step. Of several, each makes its scratch when it first gets
/// a part of the work, which the scheduler may delay.
#[test]
fn a_steady_training_step_allocates_nothing() {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.unwrap();
        let patience = if threads == 1 { 0 } else { 49 };
        for activation in [Activation::Relu, Activation::GeluTanh] {
            for input_p in [0.0, 0.2] {
                let (windows, control) = pool.install(|| allocations(activation, input_p));
                assert!(control > 0, "the allocator counts nothing");
                assert!(
                    windows <= patience,
                    "{threads} threads, {activation:?}, p {input_p}: {windows} windows allocated"
                );
            }
        }
    }
}
