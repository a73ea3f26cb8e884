//! A steady training step allocates nothing, and a tape holds little more than twice what it needs.

#![allow(
    unsafe_code,
    reason = "counting allocations takes an allocator of one's own"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use elision::autograd::{Fused, Parameter, Tape};
use elision::train::{LayerConfig, Mlp, MlpConfig, Optimizer, Trainer};
use elision::{Activation, Key, Tensor};

/// The system's allocator, counting.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Calls for 8 KiB or more: the memory of values, not of notes.
static LARGE: AtomicUsize = AtomicUsize::new(0);
/// Bytes that are held.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// The counts are those of the whole process, so one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        LARGE.fetch_add(usize::from(layout.size() >= 8192), Ordering::Relaxed);
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
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
    let _alone = ALONE.lock();
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

/// One step on a tape: a few layers of two widths, with everything that keeps state.
fn tape_step(tape: &Tape, parameters: &[Parameter], x: &Tensor) {
    let mut h = tape.constant(x.clone());
    for (i, w) in parameters.iter().enumerate() {
        let dropout = elision::Dropout::new(Key::new(i as u64), 0.5).unwrap();
        let activation = Activation::ALL[i % Activation::ALL.len()];
        let fused = Fused {
            activation,
            dropout: Some(dropout),
        };
        h = h.linear(&tape.parameter(w).unwrap(), None, &fused).unwrap();
        h = h.softmax(1).unwrap();
    }
    h.mul(&h).unwrap().mean().unwrap().backward().unwrap();
}

#[test]
fn a_tape_holds_what_a_step_needs() {
    let _alone = ALONE.lock();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.unwrap().install(|| {
        let shapes = (0..8).map(|i| if i % 2 == 0 { [300, 200] } else { [200, 300] });
        let parameters: Vec<_> = shapes
            .map(|shape| Parameter::new(Tensor::full(&shape, 0.01).unwrap()))
            .collect();
        for rows in [16, 128, 400] {
            let (tape, x) = (Tape::new(), Tensor::full(&[rows, 200], 0.5).unwrap());
            let window = || {
                let before = LARGE.load(Ordering::Relaxed);
                tape_step(&tape, &parameters, &x);
                LARGE.load(Ordering::Relaxed) - before
            };
            let calls = [0; 4].map(|_| window());
            // The clone of the data is the caller's.
            assert!(calls[0] > 20, "the first step takes memory: {calls:?}");
            assert_eq!(calls[2..], [1, 1], "{rows} rows: {calls:?}");
        }
        // Batches of all sizes. The scratch of the thread is not the tape's.
        let tape = Tape::new();
        tape_step(&tape, &parameters, &Tensor::full(&[400, 200], 0.5).unwrap());
        drop(tape);
        let (before, tape) = (HELD.load(Ordering::Relaxed), Tape::new());
        for i in 0..60 {
            let rows = 1 + i * 37 % 256;
            tape_step(
                &tape,
                &parameters,
                &Tensor::full(&[rows, 200], 0.5).unwrap(),
            );
            let held = HELD.load(Ordering::Relaxed) - before;
            // Smooth layers' sums keep room for the largest batch, which is not counted.
            let most = 5 * tape.peak_bytes() / 2;
            assert!(
                held <= most,
                "step {i}: {held} bytes are held, at most {most}"
            );
        }
    });
}
