//! A steady training step allocates no tensors.

#![allow(
    unsafe_code,
    reason = "counting allocations takes an allocator of one's own"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use elision::nn::{Dropout, Linear, Sequential};
use elision::train::{Loss, Optimizer, OptimizerConfig, Rule, Target, Trainer};
use elision::{Activation, Key, Tensor};

/// The system's allocator, counting.
struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
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

/// What a step may allocate: names, notes of the graph, the lists of its gradients. A quarter of one layer's output.
const BOOKKEEPING: usize = 32 << 10;

const ROWS: usize = 128;

fn network(width: usize, activation: Activation, input_p: f64) -> elision::Result<Sequential> {
    let key = Key::new(1);
    let hidden = |name: &str, inputs| {
        let layer = Linear::new(inputs, width, key.named(name))?;
        layer.activation(activation).dropout(0.5)
    };
    Sequential::new()
        .with("input", Dropout::new(input_p)?)?
        .with("first", hidden("first", 100)?)?
        .with("second", hidden("second", width)?)?
        .with("output", Linear::new(width, 10, key.named("output"))?)
}

/// The least number of bytes that each of four steps in a row allocated on average, over at most 50 such windows,
/// the first of which that is within the bound ends the search; and the bytes of a tensor while one is made.
fn allocated(model: Sequential) -> (usize, usize) {
    let optimizer = Optimizer::new(OptimizerConfig::new(Rule::sgd(0.9), 0.01)).unwrap();
    let loss = Loss::CrossEntropy { smoothing: 0.0 };
    let mut trainer = Trainer::new(model, optimizer, loss, Key::new(2));
    let x = Tensor::full(&[ROWS, 100], 0.5).unwrap();
    let labels: Vec<u32> = (0..ROWS as u32).map(|i| i % 10).collect();
    let target = Target::Labels(&labels);
    trainer.step(&x, &target).unwrap();
    let mut window = || {
        let before = BYTES.load(Ordering::Relaxed);
        for _ in 0..4 {
            trainer.step(&x, &target).unwrap();
        }
        (BYTES.load(Ordering::Relaxed) - before) / 4
    };
    let mut least = window();
    for _ in 1..50 {
        if least <= BOOKKEEPING {
            break;
        }
        least = least.min(window());
    }
    let before = BYTES.load(Ordering::Relaxed);
    std::hint::black_box(Tensor::zeros(&[64]).unwrap());
    (least, BYTES.load(Ordering::Relaxed) - before)
}

/// Of several threads each makes its scratch when it first gets a part of the work, which the scheduler may delay:
/// hence the windows.
#[test]
fn a_steady_training_step_allocates_no_tensors() {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.unwrap();
        for activation in [Activation::Relu, Activation::GeluTanh] {
            for (width, input_p) in [(256, 0.0), (256, 0.2), (1024, 0.2)] {
                let model = network(width, activation, input_p).unwrap();
                let (bytes, control) = pool.install(|| allocated(model));
                assert!(control >= 256, "the allocator counts nothing");
                assert!(
                    bytes <= BOOKKEEPING,
                    "{threads} threads, {activation:?}, {width} wide, p {input_p}: {bytes} bytes a step"
                );
            }
        }
    }
}
