//! What a graph promises besides its numbers: its life and its errors.

mod support;

use elision::autograd::{Fused, Gradients, Parameter, Tape, Var};
use elision::{Activation, Dropout, Error, Key, Result};
use support::noise;

fn variable(tape: &Tape, shape: &[usize], seed: u64) -> Var {
    tape.variable(noise(shape, seed))
}

fn gradient(gradients: &Gradients, of: &Var) -> Option<Vec<f32>> {
    gradients.of(of).map(|g| g.iter().collect())
}

#[test]
fn gradients_of_two_passes_add_up() {
    let (tape, w) = (Tape::new(), Parameter::new(noise(&[7], 1)));
    let one = {
        let w = tape.parameter(&w).unwrap();
        w.mul(&w).unwrap().sum().unwrap().backward().unwrap()
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
    let first: Vec<f32> = one.get(&w).unwrap().iter().collect();
    drop(one);
    let doubled: Vec<f32> = first.iter().map(|g| 2.0 * g).collect();
    assert_eq!(
        both.get(&w).unwrap().to_tensor().unwrap().as_slice(),
        doubled
    );
    both.scale(0.5).unwrap();
    assert_eq!(both.get(&w).unwrap().to_tensor().unwrap().as_slice(), first);
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
    assert_eq!(gradient(&found, &second), Some(doubled));
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
