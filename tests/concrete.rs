//! Concrete dropout against its formulas, and what it learns from few and from many rows.

#[path = "support/learned.rs"]
mod learned;
mod support;

use elision::autograd::Tape;
use elision::nn::{ConcreteDropout, ConcretePrior, Layer, Linear, Pass, Sequential};
use elision::reference::learned::concrete_drop;
use elision::train::{Fit, Loss, Optimizer, OptimizerConfig, Rule, Samples, Targets, Trainer};
use elision::{Activation, Error, Key, Tensor};
use learned::{assert_close, assert_is, linear, normals, run, uniforms};
use support::{bits, noise, on_threads};

const RUN: Key = Key::new(7);

/// Length scale 0.5, precision 4 and 10 rows: weight 1 / 160, rate 1 / 20.
fn prior() -> ConcretePrior {
    ConcretePrior::squared_error(0.5, 4.0, 10).unwrap()
}

fn layer(inputs: usize, units: usize, p: f64, temperature: f64) -> ConcreteDropout {
    let linear = Linear::new(inputs, units, Key::new(1)).unwrap();
    let linear = linear.activation(Activation::Tanh);
    let layer = ConcreteDropout::new(linear, prior()).unwrap();
    layer.dropout(p).unwrap().temperature(temperature).unwrap()
}

/// A layer that shows its mask: inputs of 1, and a product with ones and zeros.
fn mask(n: usize, p: f64, temperature: f64, pass: &Pass) -> Vec<f64> {
    let mut linear = Linear::new(1, 1, Key::new(1)).unwrap();
    let weight = &mut linear.parameters_mut()[0].1;
    weight.set(Tensor::full(&[1, 1], 1.0).unwrap()).unwrap();
    let layer = ConcreteDropout::new(linear, prior()).unwrap();
    let layer = layer.dropout(p).unwrap().temperature(temperature).unwrap();
    run(&layer, &Tensor::full(&[n, 1], 1.0).unwrap(), pass).y
}

/// Output and penalty in f64, given the uniform numbers.
fn naive(at: &[Vec<f64>], u: &[f64], temperature: f64) -> (Vec<f64>, f64) {
    let [x, logit, w, bias] = at else { panic!() };
    let p = 1.0 / (1.0 + (-logit[0]).exp());
    let keep = |(x, u): (&f64, &f64)| x * (1.0 - concrete_drop(*u, p, temperature)) / (1.0 - p);
    let dropped: Vec<f64> = x.iter().zip(u).map(keep).collect();
    let y = linear(&dropped, w, bias).iter().map(|y| y.tanh()).collect();
    let norm: f64 = w.iter().map(|w| w * w).sum();
    let inputs = (w.len() / bias.len()) as f64;
    let entropy = p * p.ln() + (1.0 - p) * (1.0 - p).ln();
    (y, norm / 160.0 / (1.0 - p) + inputs * entropy / 20.0)
}

#[test]
fn a_step_is_the_formula_and_its_gradients_are_differences() {
    for (rows, inputs, units) in [(3, 5, 4), (1, 1, 1), (4, 17, 3)] {
        for (p, temperature) in [(0.1, 0.5), (0.4, 2.0 / 3.0), (0.9, 1.0)] {
            let layer = layer(inputs, units, p, temperature);
            let x = noise(&[rows, inputs], 5);
            let pass = || Pass::train(RUN, 3).child("it");
            let u = uniforms(rows * inputs, pass().key());
            let naive = |at: &[Vec<f64>]| naive(at, &u, temperature);
            assert_is(
                "concrete dropout",
                (&layer, &x),
                pass,
                naive,
                [2e-5, 1e-6, 1e-4],
            );
        }
    }
}

/// The gradients of the regulariser, as closed forms: without data nothing else reaches the parameters.
#[test]
fn the_regulariser_has_its_gradients() {
    for p in [0.01, 0.1, 0.5, 0.8] {
        let layer = layer(6, 2, p, 0.1);
        let found = run(
            &layer,
            &Tensor::zeros(&[0, 6]).unwrap(),
            &Pass::train(RUN, 0),
        );
        let w = learned::f64s(layer.children()[0].1.parameters()[0].1.value().as_slice());
        let norm: f64 = w.iter().map(|w| w * w).sum();
        let logit = (p / (1.0 - p)).ln();
        let slope = norm / 160.0 * p / (1.0 - p) + 6.0 / 20.0 * p * (1.0 - p) * logit;
        assert_close("logit", &found.gradients[1], &[slope], 1e-6);
        let wanted: Vec<f64> = w.iter().map(|w| 2.0 * w / 160.0 / (1.0 - p)).collect();
        assert_close("weight", &found.gradients[2], &wanted, 1e-6);
        // The bias is no part of it.
        assert_eq!(found.gradients[3], [0.0; 2]);
    }
}

/// z > 1/2 is u > 1 - p: the same elements at every temperature, a share p of all.
#[test]
fn a_drop_has_probability_p_at_every_temperature() {
    let n = 100_000;
    for p in [0.05, 0.3, 0.5, 0.9] {
        let u = uniforms(n, Pass::mc(RUN, 1).key());
        let wanted: Vec<bool> = u.iter().map(|u| *u > 1.0 - p).collect();
        let count = wanted.iter().filter(|&&drop| drop).count() as f64 / n as f64;
        assert!((count - p).abs() < 5.0 * (p * (1.0 - p) / n as f64).sqrt());
        for temperature in [0.01, 0.1, 2.0 / 3.0, 5.0] {
            let y = mask(n, p, temperature, &Pass::mc(RUN, 1));
            for ((y, wanted), u) in y.iter().zip(&wanted).zip(&u) {
                // Within rounding of the border either will do.
                let z = 1.0 - y * (1.0 - p);
                assert!((z > 0.5) == *wanted || (u - (1.0 - p)).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn a_cold_mask_is_hard() {
    let n = 20_000;
    for p in [0.2, 0.5] {
        let y = mask(n, p, 1e-5, &Pass::train(RUN, 1));
        let hard = |y: &&f64| **y == 0.0 || (**y * (1.0 - p) - 1.0).abs() < 1e-6;
        let count = y.iter().filter(hard).count();
        assert!(count >= n - 10, "{count} of {n}");
        let mean = learned::mean(&y);
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
    }
}

#[test]
fn what_is_dropped_completely_is_zero() {
    let layer = layer(8, 1, 0.5, 1e-5);
    let u = uniforms(8, Pass::train(RUN, 0).key());
    let sick = u.iter().map(|u| if *u > 0.5 { f32::NAN } else { 1.0 });
    let x = Tensor::from_vec(sick.collect(), &[1, 8]).unwrap();
    assert!(x.as_slice().iter().any(|x| x.is_nan()));
    let found = run(&layer, &x, &Pass::train(RUN, 0));
    assert!(found.y[0].is_finite() && found.gradients[1][0].is_finite());
}

fn bits_of(layer: &dyn Layer, x: &Tensor, pass: &Pass) -> Vec<u32> {
    let x = Tape::new().constant(x.clone());
    bits(layer.forward(&x, pass).unwrap().value().as_slice())
}

#[test]
fn evaluation_and_probability_zero_are_the_linear_layer() {
    let mut layer = layer(9, 5, 0.3, 0.1);
    let x = noise(&[6, 9], 5);
    let linear = layer.children()[0].1.boxed();
    let wanted = bits_of(&*linear, &x, &Pass::eval());
    assert_eq!(bits_of(&layer, &x, &Pass::eval()), wanted);
    assert_ne!(bits_of(&layer, &x, &Pass::mc(RUN, 0)), wanted);
    assert_ne!(bits_of(&layer, &x, &Pass::train(RUN, 0)), wanted);
    layer.set_rate(0.0).unwrap();
    assert_eq!(layer.rate(), Some(0.0));
    let pass = Pass::train(RUN, 0);
    assert_eq!(bits_of(&layer, &x, &pass), wanted);
    assert!(pass.take_penalties().is_empty());
    layer.set_rate(0.3).unwrap();
    assert_ne!(bits_of(&layer, &x, &Pass::train(RUN, 0)), wanted);
}

#[test]
fn the_key_decides_the_mask_and_threads_do_not() {
    let (layer, x) = (layer(40, 30, 0.3, 0.1), noise(&[300, 40], 5));
    let of = |pass: Pass| run(&layer, &x, &pass);
    let once = of(Pass::train(RUN, 1));
    for threads in [1, 3] {
        let again = on_threads(threads, || of(Pass::train(RUN, 1)));
        assert_eq!((&again.y, &again.gradients), (&once.y, &once.gradients));
    }
    assert_ne!(of(Pass::train(RUN, 2)).y, once.y);
    assert_ne!(of(Pass::mc(RUN, 1)).y, of(Pass::mc(RUN, 2)).y);
}

#[test]
fn rates_are_logits_and_what_is_none_is_refused() {
    let mut layer = layer(3, 2, 0.1, 0.1);
    for p in [0.0, 1e-6, 0.1, 0.25, 0.5, 0.999] {
        layer.set_rate(p).unwrap();
        assert!((layer.rate().unwrap() - p).abs() < 1e-6);
    }
    for p in [-0.1, 1.0, 1.5, f64::NAN] {
        assert!(matches!(layer.set_rate(p), Err(Error::Probability(_))));
        assert!((layer.rate().unwrap() - 0.999).abs() < 1e-6);
    }
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
        let refused = layer.clone().temperature(temperature);
        assert!(matches!(refused, Err(Error::Number { .. })));
    }
    let rows = ConcretePrior::likelihood(1.0, 0).err();
    assert_eq!(rows, Some(Error::Empty("a training set")));
    for length in [-1.0, f64::NAN, f64::INFINITY] {
        let refused = ConcretePrior::likelihood(length, 5);
        assert!(matches!(refused, Err(Error::Number { .. })));
    }
    for precision in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-320] {
        let refused = ConcretePrior::squared_error(1.0, precision, 5);
        assert!(matches!(refused, Err(Error::Number { .. })));
    }
    let wrong = Tape::new().constant(Tensor::zeros(&[2, 4]).unwrap());
    for pass in [Pass::train(RUN, 0), Pass::eval()] {
        assert!(matches!(
            layer.forward(&wrong, &pass),
            Err(Error::Shape { .. })
        ));
    }
}

const UNITS: usize = 32;

/// y = 2 x + 8 + N(0, 1) for x ~ N(0, 1).
fn line(rows: usize) -> Samples {
    let [x, e] = [31, 32].map(|seed| normals(&[rows, 1], Key::new(seed)));
    let y = x.iter().zip(&e).map(|(x, e)| (2.0 * x + 8.0 + e) as f32);
    let y = Tensor::from_vec(y.collect(), &[rows, 1]).unwrap();
    let x = Tensor::from_vec(x.iter().map(|x| *x as f32).collect(), &[rows, 1]).unwrap();
    Samples::new(x, Targets::Values(y)).unwrap()
}

/// Two hidden layers, and a mean with the logarithm of a variance.
fn network(rows: usize) -> Sequential {
    let prior = ConcretePrior::likelihood(1e-2, rows).unwrap();
    let layer = |name: &str, inputs, units, activation| {
        let linear = Linear::new(inputs, units, Key::new(5).named(name))?;
        ConcreteDropout::new(linear.activation(activation), prior)
    };
    let build = || {
        Sequential::new()
            .with("first", layer("first", 1, UNITS, Activation::Relu)?)?
            .with("second", layer("second", UNITS, UNITS, Activation::Relu)?)?
            .with("output", layer("output", UNITS, 2, Activation::Identity)?)
    };
    build().unwrap()
}

/// The drop probability of the hidden units, and the deviation of the means of Monte-Carlo samples.
fn learned_from(rows: usize, steps: u64) -> (f64, f64) {
    let optimizer = Optimizer::new(OptimizerConfig::new(Rule::adam(), 0.01)).unwrap();
    let mut trainer = Trainer::new(network(rows), optimizer, Loss::GaussianNll, Key::new(2));
    let epoch = rows.div_ceil(20) as u64;
    let fit = Fit::new(steps.div_ceil(epoch), 20);
    trainer.fit(&line(rows), None, &fit, &mut ()).unwrap();
    let model = trainer.model();
    let hidden: Vec<f64> = model.children()[1..]
        .iter()
        .map(|(_, layer)| layer.rate().unwrap())
        .collect();
    let x = Tensor::from_vec((0..20).map(|i| i as f32 / 10.0 - 1.0).collect(), &[20, 1]).unwrap();
    let samples: Vec<Vec<f64>> = (0..100)
        .map(|i| {
            let y = run(model, &x, &Pass::mc(RUN, i)).y;
            y.iter().step_by(2).copied().collect()
        })
        .collect();
    let deviations = (0..20).map(|row| {
        let at: Vec<f64> = samples.iter().map(|sample| sample[row]).collect();
        learned::variance(&at).sqrt()
    });
    (learned::mean(&hidden), deviations.sum::<f64>() / 20.0)
}

/// What the model does not know falls with the rows it has seen, and with it the probability that it learns (the synthetic data of
/// Gal et al. 2017, in small).
#[test]
fn doubt_falls_with_the_number_of_rows() {
    let found = [10, 100, 2000].map(|rows| learned_from(rows, 1500));
    for pair in found.windows(2) {
        assert!(pair[1].0 < pair[0].0, "rates: {found:?}");
        assert!(pair[1].1 < pair[0].1, "deviations: {found:?}");
    }
}
