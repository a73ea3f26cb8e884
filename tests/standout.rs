//! Standout against its formulas and its limits.

#[path = "support/learned.rs"]
mod learned;
mod support;

use elision::autograd::Tape;
use elision::nn::{Layer, Linear, Pass, Standout};
use elision::{Activation, Error, Key, Tensor};
use learned::{arguments, assert_all_close, assert_close, differences, linear, run, set, weighted};
use support::{bits, noise, on_every_isa, on_threads};

const RUN: Key = Key::new(7);

fn layer(inputs: usize, units: usize, activation: Activation) -> Standout {
    let layer = Standout::new(inputs, units, Key::new(1)).unwrap();
    let mut layer = layer.activation(activation);
    set(&mut layer, "weight", noise(&[units, inputs], 2));
    set(&mut layer, "bias", noise(&[units], 3));
    layer
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn bits_of(layer: &dyn Layer, x: &Tensor, pass: &Pass) -> Vec<u32> {
    let x = Tape::new().constant(x.clone());
    bits(layer.forward(&x, pass).unwrap().value().as_slice())
}

/// A logistic activation is nowhere 0, so that a 0 tells the mask.
#[test]
fn in_training_the_mask_is_a_constant() {
    for (rows, inputs, units) in [(3, 5, 4), (1, 1, 1), (7, 17, 3)] {
        let layer = layer(inputs, units, Activation::Sigmoid)
            .keep(1.5, 0.2)
            .unwrap();
        let x = noise(&[rows, inputs], 5);
        let pass = || Pass::train(RUN, 3).child("it");
        let mask: Vec<f64> = run(&layer, &x, &pass())
            .y
            .iter()
            .map(|y| f64::from(*y != 0.0))
            .collect();
        let at = arguments(&layer, &x);
        let naive = |at: &[Vec<f64>]| -> Vec<f64> {
            let z = linear(&at[0], &at[1], &at[2]);
            z.iter().zip(&mask).map(|(z, m)| m * sigmoid(*z)).collect()
        };
        let y = naive(&at);
        let wanted = differences(&at, |at| weighted(&naive(at), &[rows, units]));
        on_every_isa("standout in training", |_| {
            let found = run(&layer, &x, &pass());
            assert_close("output", &found.y, &y, 1e-5);
            assert_all_close(&found.gradients, &wanted, 1e-5);
            assert_eq!(found.penalty, 0.0);
        });
    }
}

#[test]
fn evaluation_takes_the_expectation_and_has_its_gradient() {
    let (rows, inputs, units) = (5, 6, 4);
    let layer = layer(inputs, units, Activation::Tanh)
        .keep(1.5, -0.2)
        .unwrap();
    let x = noise(&[rows, inputs], 5);
    let at = arguments(&layer, &x);
    let naive = |at: &[Vec<f64>]| -> Vec<f64> {
        let z = linear(&at[0], &at[1], &at[2]);
        z.iter()
            .map(|z| sigmoid(1.5 * z - 0.2) * z.tanh())
            .collect()
    };
    let y = naive(&at);
    let wanted = differences(&at, |at| weighted(&naive(at), &[rows, units]));
    on_every_isa("standout in evaluation", |_| {
        let found = run(&layer, &x, &Pass::eval());
        assert_close("output", &found.y, &y, 1e-5);
        assert_all_close(&found.gradients, &wanted, 1e-5);
    });
    // The mean of what training computes.
    let n = 4000;
    let mut sums = vec![0.0; rows * units];
    for i in 0..n {
        let pass = if i % 2 == 0 {
            Pass::train(RUN, i)
        } else {
            Pass::mc(RUN, i)
        };
        let drawn = run(&layer, &x, &pass).y;
        sums.iter_mut().zip(drawn).for_each(|(sum, y)| *sum += y);
    }
    for (sum, y) in sums.iter().zip(&y) {
        assert!((sum / n as f64 - y).abs() < 5.0 * 0.5 / (n as f64).sqrt());
    }
}

/// Scale 0: plain dropout with keep probability sigmoid(shift), and nothing is scaled up.
#[test]
fn without_a_scale_it_is_plain_dropout() {
    let x = noise(&[200, 6], 5);
    let plain = layer(6, 50, Activation::Tanh);
    let [_, w, bias] = &arguments(&plain, &x)[..] else {
        panic!()
    };
    let full: Vec<f64> = linear(&learned::f64s(x.as_slice()), w, bias)
        .iter()
        .map(|z| z.tanh())
        .collect();
    for shift in [-2.0, 0.0, 1.0] {
        let layer = plain.clone().keep(0.0, shift).unwrap();
        let y = run(&layer, &x, &Pass::train(RUN, 1)).y;
        let kept = y.iter().filter(|y| **y != 0.0).count() as f64 / y.len() as f64;
        let p = sigmoid(shift);
        assert!((kept - p).abs() < 5.0 * (p * (1.0 - p) / y.len() as f64).sqrt());
        for (y, full) in y.iter().zip(&full) {
            assert!(*y == 0.0 || (y - full).abs() < 1e-5);
        }
        let y = run(&layer, &x, &Pass::eval()).y;
        let wanted: Vec<f64> = full.iter().map(|y| p * y).collect();
        assert_close("evaluation", &y, &wanted, 1e-5);
    }
}

/// In the limit of a steep probability ReLU's own decisions are the mask's.
#[test]
fn a_steep_standout_of_relu_is_relu() {
    let x = noise(&[64, 6], 5);
    let layer = layer(6, 40, Activation::Relu).keep(1e30, 0.0).unwrap();
    let mut relu = Linear::new(6, 40, Key::new(1))
        .unwrap()
        .activation(Activation::Relu);
    for (name, own) in layer.parameters() {
        set(&mut relu, name, own.value().clone());
    }
    let wanted = bits_of(&relu, &x, &Pass::eval());
    for pass in [Pass::train(RUN, 0), Pass::mc(RUN, 1), Pass::eval()] {
        assert_eq!(bits_of(&layer, &x, &pass), wanted);
    }
    let train = run(&layer, &x, &Pass::train(RUN, 0)).gradients;
    assert_eq!(train, run(&relu, &x, &Pass::eval()).gradients);
}

#[test]
fn larger_inputs_are_kept_more_often() {
    let n = 20_000;
    let mut layer = Standout::new(1, 1, Key::new(1)).unwrap();
    layer = layer
        .keep(2.0, -1.0)
        .unwrap()
        .activation(Activation::Sigmoid);
    set(&mut layer, "weight", Tensor::full(&[1, 1], 1.0).unwrap());
    for x in [-1.0, 0.0, 0.5, 2.0] {
        let y = run(
            &layer,
            &Tensor::full(&[n, 1], x).unwrap(),
            &Pass::train(RUN, 0),
        )
        .y;
        let kept = y.iter().filter(|y| **y != 0.0).count() as f64 / n as f64;
        let p = sigmoid(2.0 * f64::from(x) - 1.0);
        assert!(
            (kept - p).abs() < 5.0 * (p * (1.0 - p) / n as f64).sqrt(),
            "{kept}, {p}"
        );
    }
}

#[test]
fn the_key_decides_the_mask_and_threads_do_not() {
    let (layer, x) = (layer(40, 30, Activation::Tanh), noise(&[300, 40], 5));
    let once = bits_of(&layer, &x, &Pass::train(RUN, 1));
    on_every_isa("mask of standout", |_| {
        let zeros = |y: &[u32]| y.iter().map(|y| *y == 0).collect::<Vec<_>>();
        // A product's rounding may turn a decision in a million, which is none of these.
        assert_eq!(
            zeros(&bits_of(&layer, &x, &Pass::train(RUN, 1))),
            zeros(&once)
        );
    });
    for threads in [1, 3] {
        let again = on_threads(threads, || bits_of(&layer, &x, &Pass::train(RUN, 1)));
        assert_eq!(again, once);
    }
    assert_ne!(bits_of(&layer, &x, &Pass::train(RUN, 2)), once);
    assert_ne!(bits_of(&layer, &x, &Pass::train(RUN, 1).child("it")), once);
    assert_ne!(
        bits_of(&layer, &x, &Pass::mc(RUN, 1)),
        bits_of(&layer, &x, &Pass::mc(RUN, 2))
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(
        Standout::new(0, 2, Key::new(1)).err(),
        Some(Error::Empty("a linear layer"))
    );
    for bad in [f64::NAN, f64::INFINITY, 1e300] {
        let layer = || layer(3, 2, Activation::Relu);
        assert!(matches!(layer().keep(bad, 0.0), Err(Error::Number { .. })));
        assert!(matches!(layer().keep(0.0, bad), Err(Error::Number { .. })));
    }
    let mut layer = layer(3, 2, Activation::Tanh);
    let tape = Tape::new();
    let wrong = tape.constant(Tensor::zeros(&[2, 4]).unwrap());
    let none = tape.constant(Tensor::zeros(&[0, 3]).unwrap());
    for pass in [Pass::train(RUN, 0), Pass::eval()] {
        assert!(matches!(
            layer.forward(&wrong, &pass),
            Err(Error::Shape { .. })
        ));
        assert_eq!(layer.forward(&none, &pass).unwrap().shape(), [0, 2]);
    }
    assert_eq!(layer.rate(), None);
    // Weights that went wrong are seen.
    set(&mut layer, "bias", Tensor::full(&[2], f32::NAN).unwrap());
    let x = Tape::new().constant(noise(&[2, 3], 1));
    for pass in [Pass::train(RUN, 0), Pass::eval()] {
        let y = layer.forward(&x, &pass).unwrap();
        assert!(y.view().iter().all(f32::is_nan));
    }
}
