//! What a graph promises besides its numbers: its life, its errors, and its memory.

mod support;

use elision::autograd::{Fused, Gradients, Note, Parameter, Tape, Var};
use elision::{Activation, Dropout, Error, Key, Result, Tensor};
use support::noise;

fn variable(tape: &Tape, shape: &[usize], seed: u64) -> Var {
    tape.variable(noise(shape, seed))
}

fn gradient(gradients: &Gradients, of: &Var) -> Option<Vec<f32>> {
    gradients.of(of).map(|g| g.iter().collect())
}

fn relu_and_dropout(seed: u64) -> Fused {
    let dropout = Some(Dropout::new(Key::new(seed), 0.5).unwrap());
    Fused {
        activation: Activation::Relu,
        dropout,
    }
}

#[test]
fn gradients_of_two_passes_add_up() {
    let (tape, w) = (Tape::new(), Parameter::new(noise(&[7], 1)));
    let one: Vec<f32> = {
        let v = tape.parameter(&w).unwrap();
        let gradients = v.mul(&v).unwrap().sum().unwrap().backward().unwrap();
        gradients.get(&w).unwrap().iter().collect()
    };
    let mut both = Gradients::default();
    assert!(both.is_empty());
    for _ in 0..2 {
        let v = tape.parameter(&w).unwrap();
        v.mul(&v)
            .unwrap()
            .sum()
            .unwrap()
            .backward_into(&mut both)
            .unwrap();
    }
    let doubled: Vec<f32> = one.iter().map(|g| 2.0 * g).collect();
    assert_eq!(
        both.get(&w).unwrap().to_tensor().unwrap().as_slice(),
        doubled
    );
    both.scale(0.5).unwrap();
    assert_eq!(both.get(&w).unwrap().to_tensor().unwrap().as_slice(), one);
    both.get_mut(&w).unwrap().unwrap().as_mut_slice().unwrap()[0] = 9.0;
    assert_eq!(both.get(&w).unwrap().get(&[0]), Some(9.0));
    both.clear();
    assert!(both.is_empty() && both.get(&w).is_none() && both.get_mut(&w).unwrap().is_none());
    assert_eq!(tape.live_bytes(), 0);
}

#[test]
fn gradients_that_share_memory_are_changed_one_by_one() {
    let tape = Tape::new();
    let [a, b] = [1, 2].map(|seed| Parameter::new(noise(&[3], seed)));
    let sum = tape
        .parameter(&a)
        .unwrap()
        .add(&tape.parameter(&b).unwrap())
        .unwrap();
    let mut gradients = sum.sum().unwrap().backward().unwrap();
    gradients
        .get_mut(&a)
        .unwrap()
        .unwrap()
        .as_mut_slice()
        .unwrap()
        .fill(5.0);
    assert_eq!(
        gradients.get(&b).unwrap().iter().collect::<Vec<_>>(),
        [1.0; 3]
    );
    gradients.scale(2.0).unwrap();
    assert_eq!(
        gradients.get(&a).unwrap().iter().collect::<Vec<_>>(),
        [10.0; 3]
    );
    assert_eq!(
        gradients.get(&b).unwrap().iter().collect::<Vec<_>>(),
        [2.0; 3]
    );
}

#[test]
fn nothing_is_noted_without_grad() {
    let tape = Tape::new();
    let x = variable(&tape, &[3], 1);
    let y = tape.no_grad(|| {
        assert!(!tape.is_recording());
        let inner = tape.no_grad(|| x.exp().unwrap());
        assert!(!tape.is_recording(), "the outer one still holds");
        inner.add(&variable(&tape, &[3], 2)).unwrap()
    });
    assert!(tape.is_recording() && !y.requires_grad());
    assert_eq!(tape.notes().len(), 1, "the leaf");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tape.no_grad(|| panic!("on purpose"))
    }));
    assert!(panicked.is_err() && tape.is_recording());
}

#[test]
fn constants_are_not_noted_and_have_no_gradient() {
    let tape = Tape::new();
    let c = tape.constant(noise(&[3], 1));
    let y = c.exp().unwrap().sum().unwrap();
    assert!(tape.notes().is_empty());
    assert!(matches!(y.backward(), Err(Error::Unsupported(_))));
    let x = variable(&tape, &[3], 2);
    let y = x.mul(&c).unwrap().mul(&x.detach()).unwrap();
    let found = y.sum().unwrap().backward().unwrap();
    assert_eq!(gradient(&found, &c), None);
    let expected: Vec<f32> = c
        .view()
        .iter()
        .zip(x.view().iter())
        .map(|(c, x)| c * x)
        .collect();
    assert_eq!(
        gradient(&found, &x),
        Some(expected),
        "a detached factor is a number"
    );
    assert_eq!(gradient(&found, &x.detach()), None);
}

#[test]
fn a_graph_is_used_once() {
    let tape = Tape::new();
    let x = variable(&tape, &[3], 1);
    let (y, early) = (x.exp().unwrap(), x.scale(2.0).unwrap().sum().unwrap());
    let loss = y.sum().unwrap();
    loss.backward().unwrap();
    for again in [&loss, &early] {
        assert_eq!(again.backward().err(), Some(Error::Freed));
    }
    assert_eq!(x.add(&y).err(), Some(Error::Freed));
    let fresh = variable(&tape, &[3], 2);
    assert_eq!(fresh.add(&y).err(), Some(Error::Freed));
    assert_eq!(y.checkpoint(Var::exp).err(), Some(Error::Freed));
    assert!(
        fresh
            .add(&y.detach())
            .unwrap()
            .sum()
            .unwrap()
            .backward()
            .is_ok(),
        "its value lives"
    );
    let cleared = variable(&tape, &[3], 3).sum().unwrap();
    tape.clear();
    assert_eq!(cleared.backward().err(), Some(Error::Freed));
}

#[test]
fn a_backward_pass_starts_from_one_number() {
    let tape = Tape::new();
    let x = variable(&tape, &[2], 1);
    assert!(matches!(x.backward(), Err(Error::Shape { .. })));
    assert!(matches!(
        variable(&tape, &[0], 1).backward(),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        x.backward_from(noise(&[3], 1)),
        Err(Error::Shape { .. })
    ));
    let found = x
        .backward_from(noise(&[2], 5))
        .expect("a failed call freed nothing");
    assert_eq!(
        gradient(&found, &x).as_deref(),
        Some(noise(&[2], 5).as_slice())
    );
    let one = variable(&tape, &[1, 1], 1);
    assert_eq!(gradient(&one.backward().unwrap(), &one), Some(vec![1.0]));
}

#[test]
fn variables_of_two_tapes_do_not_mix() {
    let (left, right) = (Tape::new(), Tape::new());
    let (a, b) = (
        variable(&left, &[2, 2], 1),
        right.constant(noise(&[2, 2], 2)),
    );
    let plain = Fused::default();
    let attempts = [
        a.add(&b),
        b.mul(&a),
        a.matmul(&b),
        a.linear(&b, None, &plain),
        a.linear_residual(&a, None, &plain, &b),
        a.checkpoint(move |x| x.add(&b)),
    ];
    for attempt in attempts {
        assert!(matches!(attempt, Err(Error::Unsupported(_))));
    }
    assert_eq!(left.notes().len(), 1);
    assert_eq!((left.live_bytes(), right.live_bytes()), (0, 0));
}

#[test]
fn a_parameter_is_one_leaf_of_one_version() {
    let (tape, mut w) = (Tape::new(), Parameter::new(noise(&[3], 1)));
    let [first, second] = [0, 1].map(|_| tape.parameter(&w).unwrap());
    assert_eq!(tape.notes().len(), 1);
    let before = w.value().as_slice().to_vec();
    w.value_mut().as_mut_slice().fill(7.0);
    assert!(matches!(tape.parameter(&w), Err(Error::Unsupported(_))));
    let now = tape
        .no_grad(|| tape.parameter(&w))
        .expect("no graph, no second version");
    assert_eq!(now.value().as_slice(), [7.0; 3]);
    // The graph keeps what it has read.
    let found = first
        .mul(&second)
        .unwrap()
        .sum()
        .unwrap()
        .backward()
        .unwrap();
    let doubled: Vec<f32> = before.iter().map(|w| 2.0 * w).collect();
    assert_eq!(found.get(&w).unwrap().iter().collect::<Vec<_>>(), doubled);
    assert!(
        tape.parameter(&w).is_ok(),
        "the next graph reads the new one"
    );
}

#[test]
fn frozen_parameters_are_constants() {
    let (tape, mut w) = (Tape::new(), Parameter::new(noise(&[3], 1)));
    let mut state = Parameter::state(noise(&[3], 2));
    w.set_trainable(false);
    for _ in 0..2 {
        let y = tape
            .parameter(&w)
            .unwrap()
            .add(&tape.parameter(&state).unwrap())
            .unwrap();
        assert!(!y.requires_grad());
        // They may change between the passes of one graph.
        state.value_mut().as_mut_slice().fill(1.0);
    }
    assert!(tape.notes().is_empty());
    w.set_trainable(true);
    assert!(tape.parameter(&w).unwrap().requires_grad());
    assert!(matches!(w.set(noise(&[4], 1)), Err(Error::Shape { .. })));
}

#[test]
fn a_clone_of_a_parameter_shares_memory_until_one_is_trained() {
    let mut w = Parameter::new(noise(&[3], 1));
    let copy = w.clone();
    let place = |w: &Parameter| w.value().as_slice().as_ptr();
    assert_eq!((place(&w), w.id()), (place(&copy), copy.id()));
    w.value_mut().as_mut_slice()[0] = 5.0;
    assert_ne!(place(&w), place(&copy));
    assert_eq!(copy.value(), &noise(&[3], 1));
    // Alone again, it is changed where it is.
    let at = place(&w);
    w.value_mut().as_mut_slice()[0] = 6.0;
    assert_eq!(place(&w), at);
    let tape = Tape::new();
    let loss = tape.parameter(&w).unwrap().sum().unwrap();
    drop(loss.backward().unwrap());
    drop(loss);
    w.value_mut().as_mut_slice()[0] = 7.0;
    assert_eq!(place(&w), at, "no graph reads it any more");
}

#[test]
fn a_failed_operation_records_nothing() {
    let tape = Tape::new();
    let (x, y) = (variable(&tape, &[2, 3], 1), variable(&tape, &[4], 2));
    let (w, scalar) = (variable(&tape, &[5, 3], 3), variable(&tape, &[], 4));
    let far = Dropout::new(Key::new(1), 0.5)
        .unwrap()
        .with_offset(u64::MAX);
    let fused = Fused {
        activation: Activation::Relu,
        dropout: Some(far),
    };
    let plain = Fused::default();
    let attempts: Vec<(&str, Result<Var>)> = vec![
        ("add", x.add(&y)),
        ("sub", x.sub(&y)),
        ("mul", x.mul(&y)),
        ("div", x.div(&y)),
        ("matmul of matrices", x.matmul(&x)),
        ("matmul of a vector", x.matmul(&y)),
        ("linear", w.linear(&y, None, &plain)),
        ("linear of a scalar", scalar.linear(&w, None, &plain)),
        ("weights of linear", y.linear(&w, None, &plain)),
        ("bias of linear", x.linear(&w, Some(&y), &plain)),
        (
            "residual of linear",
            x.linear_residual(&w, None, &plain, &x),
        ),
        ("dropout of linear", x.linear(&w, None, &fused)),
        ("dropout", x.dropout(&far)),
        ("softmax", x.softmax(2)),
        ("log softmax", scalar.log_softmax(0)),
        ("sum", x.sum_axes(&[2])),
        ("mean", x.mean_axes(&[0, 0])),
        ("mean of nothing", variable(&tape, &[0], 5).mean()),
        ("reshape", x.reshape(&[5])),
        ("reshape to too many axes", x.reshape(&[1; 9])),
        ("flatten", scalar.flatten()),
        ("transpose", x.transpose(0, 2)),
        ("checkpoint", x.checkpoint(|x| x.exp()?.softmax(2))),
    ];
    for (what, attempt) in attempts {
        let error = attempt.expect_err(what);
        assert!(!matches!(error, Error::Freed), "{what}: {error}");
    }
    assert_eq!(tape.notes().len(), 5, "the leaves");
    assert_eq!(tape.live_bytes(), 0);
    assert!(matches!(x.item(), Err(Error::Length { .. })));
}

#[test]
fn axes_named_often_do_not_overflow() {
    let tape = Tape::new();
    let x = variable(&tape, &[1 << 16], 1);
    assert!(matches!(x.mean_axes(&[0; 6]), Err(Error::RepeatedAxis(0))));
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

/// Where the next layer reads a layer's output, which is then alive anyway.
#[test]
fn recomputing_lowers_the_peak_and_leaves_the_gradients() {
    let parameters = parameters();
    let run = |recomputing| {
        let tape = Tape::new();
        tape.set_recomputing(recomputing);
        let mut x = tape.constant(noise(&[500, 32], 9));
        for (seed, w) in (0..).zip(&parameters) {
            let w = tape.parameter(w).unwrap();
            x = x.linear(&w, None, &relu_and_dropout(seed)).unwrap();
        }
        let kept = tape.kept();
        let gradients = x.mul(&x).unwrap().sum().unwrap().backward().unwrap();
        let of = |w: &Parameter| gradients.get(w).unwrap().to_tensor().unwrap();
        let gradients: Vec<Tensor> = parameters.iter().map(of).collect();
        (
            gradients,
            kept.own_bytes(),
            kept.value_bytes(),
            tape.peak_bytes(),
        )
    };
    let ((plain, bits, _, most), (recomputed, none, values, less)) = (run(false), run(true));
    assert_eq!(recomputed, plain);
    assert_eq!(
        (bits, none, values),
        (6 * 500 * 32 / 8, 0, 6 * 500 * 32 * 4)
    );
    assert!(less < most, "{less} of {most} bytes");
}

#[test]
fn a_checkpointed_constant_has_no_gradient() {
    let tape = Tape::new();
    let x = variable(&tape, &[3], 1);
    let y = x.checkpoint(|x| x.exp().map(|y| y.detach())).unwrap();
    let found = y.add(&x).unwrap().sum().unwrap().backward().unwrap();
    assert_eq!(gradient(&found, &x), Some(vec![1.0; 3]));
    // The identity, and a number that does not depend on the variable.
    let x = variable(&tape, &[3], 1);
    let y = x.checkpoint(|x| Ok(x.clone())).unwrap();
    assert_eq!(
        gradient(&y.sum().unwrap().backward().unwrap(), &x),
        Some(vec![1.0; 3])
    );
}

#[test]
fn a_segment_reads_the_parameter_that_it_was_given() {
    let (tape, mut w) = (Tape::new(), Parameter::new(noise(&[3], 1)));
    let x = variable(&tape, &[3], 2);
    let segment = {
        let w = w.clone();
        move |x: &Var| x.mul(&x.tape().parameter(&w)?)
    };
    let y = x.checkpoint(segment).unwrap();
    w.value_mut().as_mut_slice().fill(100.0);
    let found = y.sum().unwrap().backward().unwrap();
    assert_eq!(
        gradient(&found, &x).as_deref(),
        Some(noise(&[3], 1).as_slice())
    );
}

#[test]
fn what_is_below_is_freed_when_a_tape_is_dropped() {
    let w = Parameter::new(noise(&[3], 1));
    let tape = Tape::new();
    let y = tape.parameter(&w).unwrap().exp().unwrap();
    drop(tape);
    assert_eq!(y.tape().live_bytes(), 12);
    let found = y.sum().unwrap().backward().unwrap();
    assert!(found.get(&w).is_some(), "a variable holds its tape");
}
