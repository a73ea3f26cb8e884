//! A tape holds little more than twice what a step needs.

#![allow(
    unsafe_code,
    reason = "counting allocations takes an allocator of one's own"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use elision::autograd::{Fused, Parameter, Tape};
use elision::{Activation, Key, Tensor};

/// The system's allocator, counting.
struct Counting;

/// Calls for 8 KiB or more: the memory of values, not of notes.
static LARGE: AtomicUsize = AtomicUsize::new(0);
/// Bytes that are held.
static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
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

fn a_tape_holds_what_a_step_needs() {
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

/// The counts are those of the whole process, so there is one test.
#[test]
fn steps_use_memory_again() {
    a_tape_holds_what_a_step_needs();
}
