//! The memory of a tape: what operations keep, and what a step needs at most.

mod support;

use elision::autograd::{Fused, Note, Parameter, Tape, Var};
use elision::ops::{Conv2d, Window};
use elision::{Activation, Dropout, Error, Key, Result, Tensor};
use support::noise;

fn variable(tape: &Tape, shape: &[usize], seed: u64) -> Var {
    tape.variable(noise(shape, seed))
}

fn relu_and_dropout(seed: u64) -> Fused {
    let dropout = Some(Dropout::new(Key::new(seed), 0.5).unwrap());
    Fused {
        activation: Activation::Relu,
        dropout,
    }
}

#[test]
fn a_buffer_may_be_replaced() {
    let tape = Tape::new();
    let mut buffer = tape.buffer(&[3]).unwrap();
    *buffer = Tensor::zeros(&[100]).unwrap();
    drop(buffer);
    assert_eq!(tape.live_bytes(), 0);
    assert!(tape.buffer(&[100]).is_ok());
    assert!(matches!(
        tape.buffer(&[usize::MAX, 2]),
        Err(Error::Overflow(_))
    ));
}

/// What the last note keeps: its own bytes, and those of values.
fn kept(tape: &Tape) -> (usize, usize) {
    let Note { kept, .. } = tape.notes().pop().expect("a note");
    (kept.own_bytes(), kept.value_bytes())
}

#[test]
fn operations_keep_what_they_say() {
    // 64 x 64 elements: 512 bytes of bits, 16 KiB of values.
    const BITS: usize = 512;
    const VALUE: usize = 16 << 10;
    let shape = [64, 64];
    let fused = relu_and_dropout(1);
    let dropout = fused.dropout.unwrap();
    let smooth = Fused {
        activation: Activation::GeluTanh,
        ..fused
    };
    let keyed = Fused {
        activation: Activation::Identity,
        ..fused
    };
    for recomputing in [false, true] {
        let tape = Tape::new();
        tape.set_recomputing(recomputing);
        let bits = if recomputing { 0 } else { BITS };
        // Values of the tape's own memory count, a caller's tensors do not.
        let x = variable(&tape, &shape, 1).scale(1.0).unwrap();
        let w = tape.parameter(&Parameter::new(noise(&shape, 2))).unwrap();
        let check = |what: &str, y: Result<Var>, own: usize, values: usize| {
            let y = y.unwrap();
            assert_eq!(
                kept(&tape),
                (own, values),
                "{what}, recomputing {recomputing}"
            );
            y
        };
        let y = check("relu", x.relu(), BITS, 0);
        check("add", x.add(&y), 0, 0);
        check("sub", x.sub(&y), 0, 0);
        check("scale", x.scale(2.0), 0, 0);
        check("sum", x.sum(), 0, 0);
        check("mean", x.mean_axes(&[1]), 0, 0);
        check("transpose", x.transpose(0, 1), 0, 0);
        check("reshape", x.reshape(&[4096]), 0, 0);
        check("dropout", x.dropout(&dropout), bits, 0);
        check("mul", x.mul(&y), 0, 2 * VALUE);
        check("square", x.mul(&x), 0, VALUE);
        check("div", x.div(&y), 0, 2 * VALUE);
        check("exp", x.exp(), 0, VALUE);
        check("ln", x.ln(), 0, VALUE);
        check("tanh", x.activate(Activation::Tanh), 0, VALUE);
        check("softmax", x.softmax(1), 0, VALUE);
        check("log softmax", x.log_softmax(1), 0, VALUE);
        check("matmul", x.matmul(&y), 0, 2 * VALUE);
        check("checkpoint", x.checkpoint(Var::exp), 0, VALUE);
        // Recomputing, ReLU's bits are read from the output.
        let output = if recomputing { VALUE } else { 0 };
        check("linear", x.linear(&w, None, &fused), bits, VALUE + output);
        check(
            "plain linear",
            x.linear(&w, None, &Fused::default()),
            0,
            VALUE,
        );
        check("dropped linear", x.linear(&w, None, &keyed), bits, VALUE);
        check(
            "smooth linear",
            x.linear(&w, None, &smooth),
            bits + VALUE,
            VALUE,
        );
        check(
            "residual",
            x.linear_residual(&w, None, &keyed, &y),
            bits,
            VALUE,
        );
        check(
            "relu residual",
            x.linear_residual(&w, None, &fused, &y),
            BITS,
            VALUE,
        );
    }
}

fn kept_by(tape: &Tape, y: Result<Var>) -> (usize, usize) {
    y.unwrap();
    kept(tape)
}

#[test]
fn operations_on_images_and_words_keep_what_they_say() {
    // 2048 elements: 256 bytes of bits, 8 KiB of values.
    const BITS: usize = 256;
    const VALUE: usize = 8 << 10;
    let fused = Fused {
        activation: Activation::Relu,
        dropout: Some(Dropout::new(Key::new(1), 0.5).unwrap()),
    };
    let conv = Conv2d::new(Window::new([3, 3]).padding([1, 1]));
    let halved = Window::new([2, 2]).stride([2, 2]);
    for recomputing in [false, true] {
        let tape = Tape::new();
        tape.set_recomputing(recomputing);
        let x = tape.variable(noise(&[2, 8, 8, 16], 1)).scale(1.0).unwrap();
        let w = tape.variable(noise(&[16, 3, 3, 16], 2));
        let table = tape.variable(noise(&[5, 16], 3));
        let found = kept_by(&tape, x.conv2d(&w, None, &conv, &fused));
        // Recomputing, ReLU's bits are read from the output.
        let wanted = match recomputing {
            true => (0, 2 * VALUE),
            false => (BITS, VALUE),
        };
        assert_eq!(found, wanted, "recomputing {recomputing}");
        assert_eq!(
            kept_by(&tape, x.conv2d(&w, None, &conv, &Fused::default())),
            (0, VALUE)
        );
        assert_eq!(kept_by(&tape, x.max_pool2d(&halved)), (2048 / 4, 0));
        assert_eq!(kept_by(&tape, x.avg_pool2d(&halved)), (0, 0));
        assert_eq!(kept_by(&tape, table.embedding(&[1, 0, 1])), (12, 0));
        assert_eq!(kept_by(&tape, x.mean_squared_error(&x)), (0, VALUE));
    }
}

#[test]
fn memory_is_counted() {
    let tape = Tape::new();
    let x = variable(&tape, &[64, 64], 1);
    let y = x.scale(2.0).unwrap().relu().unwrap();
    // One value is alive, the other one has left its bits.
    assert_eq!(tape.live_bytes(), (16 << 10) + 512);
    let kept = tape.kept();
    assert_eq!((kept.own_bytes(), kept.value_bytes()), (512, 0));
    assert_eq!(tape.peak_bytes(), (32 << 10) + 512);
    let loss = y.sum().unwrap();
    let gradients = loss.backward().unwrap();
    drop((y, loss));
    assert_eq!(tape.live_bytes(), 16 << 10, "the gradient of the leaf");
    drop(gradients);
    assert_eq!(tape.live_bytes(), 0);
    tape.reset_peak();
    assert_eq!(tape.peak_bytes(), 0);
}

/// A few layers of `width` units, of which each is a segment if `checkpointed`.
fn network(x: &Var, parameters: &[Parameter], checkpointed: bool) -> Result<Var> {
    let mut x = x.clone();
    for (seed, w) in (0..).zip(parameters) {
        let w = w.clone();
        let layer = move |x: &Var| {
            let w = x.tape().parameter(&w)?;
            let h = x.linear(&w, None, &relu_and_dropout(seed))?.exp()?;
            h.scale(0.1)?.softmax(1)
        };
        x = if checkpointed {
            x.checkpoint(layer)?
        } else {
            layer(&x)?
        };
    }
    x.mul(&x)?.sum()
}

fn parameters() -> Vec<Parameter> {
    (0..6)
        .map(|seed| Parameter::new(noise(&[32, 32], seed)))
        .collect()
}

/// One step: the bits of the gradients, and the tape's peak.
fn step(
    tape: &Tape,
    parameters: &[Parameter],
    rows: usize,
    checkpointed: bool,
) -> (Vec<u32>, usize) {
    tape.reset_peak();
    let x = tape.constant(noise(&[rows, 32], 9));
    let loss = network(&x, parameters, checkpointed).unwrap();
    let gradients = loss.backward().unwrap();
    let of = |w: &Parameter| gradients.get(w).expect("a gradient").to_tensor().unwrap();
    let bits = parameters
        .iter()
        .flat_map(|w| support::bits(of(w).as_slice()));
    (bits.collect(), tape.peak_bytes())
}

#[test]
fn steps_of_one_shape_are_alike() {
    let (tape, parameters) = (Tape::new(), parameters());
    let first = step(&tape, &parameters, 50, false);
    assert_eq!(tape.live_bytes(), 0);
    for _ in 0..3 {
        assert_eq!(step(&tape, &parameters, 50, false), first);
    }
    for rows in [50, 3, 17, 50, 0, 1] {
        let fresh = step(&Tape::new(), &parameters, rows, false);
        assert_eq!(
            step(&tape, &parameters, rows, false),
            fresh,
            "{rows} rows on used memory"
        );
    }
    assert_eq!(tape.live_bytes(), 0);
}

#[test]
fn used_memory_is_poisoned_where_assertions_are_on() {
    let tape = Tape::new();
    drop(tape.buffer(&[100]).unwrap());
    let again = tape.buffer(&[10, 10]).unwrap();
    assert_eq!(
        again.as_slice().iter().all(|x| x.is_nan()),
        cfg!(debug_assertions)
    );
}

#[test]
fn checkpointing_lowers_the_peak_and_leaves_the_gradients() {
    let parameters = parameters();
    let (plain, most) = step(&Tape::new(), &parameters, 50, false);
    let (checkpointed, less) = step(&Tape::new(), &parameters, 50, true);
    assert_eq!(checkpointed, plain);
    assert!(3 * less < 2 * most, "{less} of {most} bytes");
}

/// The output of each layer is the next one's input, which is kept anyway and tells what ReLU let through.
#[test]
fn recomputing_keeps_no_bits_and_leaves_the_gradients() {
    let parameters = parameters();
    let step = |recomputing| {
        let tape = Tape::new();
        tape.set_recomputing(recomputing);
        let mut x = tape.constant(noise(&[50, 32], 9));
        for (seed, w) in (0..).zip(&parameters) {
            let w = tape.parameter(w).unwrap();
            x = x.linear(&w, None, &relu_and_dropout(seed)).unwrap();
        }
        let forward = tape.live_bytes();
        let gradients = x.backward_from(noise(&[50, 32], 8)).unwrap();
        let of = |w| gradients.get(w).expect("a gradient").to_tensor().unwrap();
        let all: Vec<Tensor> = parameters.iter().map(of).collect();
        (all, forward)
    };
    let ((plain, most), (recomputed, less)) = (step(false), step(true));
    assert_eq!(recomputed, plain);
    assert_eq!(most - less, 6 * 50 * 32 / 8);
}
