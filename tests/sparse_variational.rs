//! Sparse variational dropout against its formulas, and a training run that finds out which inputs matter.

#[path = "support/learned.rs"]
mod learned;
mod support;

use elision::autograd::Tape;
use elision::nn::{Layer, Linear, Pass, Sequential, SparseVariational, Sparsity, sparsity};
use elision::reference::learned::sparse_divergence;
use elision::train::{
    Fit, Loss, Optimizer, OptimizerConfig, Rule, Samples, Schedule, Targets, Trainer, WarmUp,
};
use elision::{Activation, Error, Key, Tensor};
use learned::{arguments, assert_is, linear, normals, run, set};
use support::{bits, noise, on_threads};

const RUN: Key = Key::new(7);
const ROWS: usize = 50;

/// Values of the divergence's approximation.
const KNOWN: [(f64, f64); 5] = [
    (-8.0, 4.63590),
    (-3.0, 2.11559),
    (0.0, 0.43124),
    (3.0, 0.025420),
    (8.0, 0.000168),
];

/// A layer with weights on both sides of either clip, one of them 0.
fn layer(inputs: usize, units: usize) -> SparseVariational {
    let layer = SparseVariational::new(inputs, units, ROWS, Key::new(1)).unwrap();
    let mut layer = layer.activation(Activation::Tanh);
    let shape = [units, inputs];
    let mut weight = noise(&shape, 2);
    weight.as_mut_slice()[0] = 0.0;
    let spread = noise(&shape, 3)
        .into_vec()
        .into_iter()
        .map(|x| 7.0 * x - 1.0);
    set(&mut layer, "weight", weight);
    set(
        &mut layer,
        "log_sigma2",
        Tensor::from_vec(spread.collect(), &shape).unwrap(),
    );
    set(&mut layer, "bias", noise(&[units], 4));
    layer
}

fn log_alpha(theta: f64, log_sigma2: f64) -> f64 {
    (log_sigma2 - (theta * theta).ln()).clamp(-8.0, 8.0)
}

/// Output and penalty in f64, given the noise.
fn naive(at: &[Vec<f64>], noise: &[f64]) -> (Vec<f64>, f64) {
    let [x, w, spread, bias] = at else { panic!() };
    let logs: Vec<f64> = w
        .iter()
        .zip(spread)
        .map(|(w, s)| log_alpha(*w, *s))
        .collect();
    let variance = logs.iter().zip(w).map(|(log, w)| log.exp() * w * w);
    let variance: Vec<f64> = variance.collect();
    let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
    let mean = linear(x, w, bias);
    let spread = linear(&squares, &variance, &vec![0.0; bias.len()]);
    let y = mean.iter().zip(&spread).zip(noise);
    let y = y.map(|((mean, spread), e)| (mean + (spread + 1e-8).sqrt() * e).tanh());
    let penalty: f64 = logs.iter().map(|log| sparse_divergence(*log)).sum();
    (y.collect(), penalty / ROWS as f64)
}

#[test]
fn the_divergence_has_its_known_values() {
    for (log, wanted) in KNOWN {
        assert!((sparse_divergence(log) - wanted).abs() < 1e-5);
        let mut layer = SparseVariational::new(3, 2, 1, Key::new(1)).unwrap();
        set(&mut layer, "weight", Tensor::full(&[2, 3], 1.0).unwrap());
        set(
            &mut layer,
            "log_sigma2",
            Tensor::full(&[2, 3], log as f32).unwrap(),
        );
        let found = run(&layer, &noise(&[2, 3], 1), &Pass::train(RUN, 0));
        let exact = sparse_divergence(log);
        assert!(
            (found.penalty / 6.0 - exact).abs() < 1e-6,
            "{}",
            found.penalty
        );
    }
}

#[test]
fn a_step_is_the_formula_and_its_gradients_are_differences() {
    for (rows, inputs, units) in [(3, 5, 4), (1, 1, 1), (6, 17, 3)] {
        let (layer, x) = (layer(inputs, units), noise(&[rows, inputs], 5));
        let pass = || Pass::train(RUN, 3).child("it");
        let e = normals(&[rows, units], pass().key());
        let naive = |at: &[Vec<f64>]| naive(at, &e);
        assert_is(
            "sparse variational",
            (&layer, &x),
            pass,
            naive,
            [1e-4, 1e-5, 2e-3],
        );
    }
}

/// A weight of 0, and those that the clip stops, have the gradients of constants.
#[test]
fn the_clip_stops_gradients() {
    let mut layer = SparseVariational::new(3, 1, 1, Key::new(1)).unwrap();
    let weight = Tensor::from_slice(&[0.0, 1e-3, 4.0], &[1, 3]).unwrap();
    set(&mut layer, "weight", weight);
    assert_eq!(layer.log_alpha().unwrap().as_slice()[..2], [8.0, 3.8155107]);
    assert_eq!(layer.log_alpha().unwrap().as_slice()[2], -8.0);
    let found = run(
        &layer,
        &Tensor::zeros(&[1, 3]).unwrap(),
        &Pass::train(RUN, 0),
    );
    let [_, weight, spread, _] = &found.gradients[..] else {
        panic!()
    };
    assert_eq!([weight[0], weight[2], spread[0], spread[2]], [0.0; 4]);
    assert!(weight[1] > 0.0 && spread[1] < 0.0);
}

#[test]
fn axes_before_the_last_are_rows() {
    let (layer, x) = (layer(5, 4), noise(&[6, 5], 5));
    let flat = run(&layer, &x, &Pass::train(RUN, 0));
    let x = x.reshape(&[2, 3, 5]).unwrap();
    let deep = run(&layer, &x, &Pass::train(RUN, 0));
    assert_eq!(flat.y, deep.y);
    let none = Tensor::zeros(&[0, 5]).unwrap();
    assert!(run(&layer, &none, &Pass::train(RUN, 0)).y.is_empty());
}

/// The mean and the variance of the outputs, and that of samples of Monte-Carlo dropout.
#[test]
fn noise_has_its_moments() {
    let mut layer = layer(5, 3).activation(Activation::Identity);
    set(
        &mut layer,
        "log_sigma2",
        Tensor::full(&[3, 5], -1.5).unwrap(),
    );
    let row = noise(&[1, 5], 6);
    let n = 20_000;
    let x: Vec<f32> = row.as_slice().repeat(n);
    let x = Tensor::from_vec(x, &[n, 5]).unwrap();
    let at = arguments(&layer, &row);
    let mean = linear(&at[0], &at[1], &at[3]);
    for pass in [Pass::train(RUN, 0), Pass::mc(RUN, 1)] {
        let y = run(&layer, &x, &pass).y;
        for unit in 0..3 {
            let own: Vec<f64> = y.iter().skip(unit).step_by(3).copied().collect();
            let weights = at[1][5 * unit..5 * unit + 5].iter().zip(&at[0]);
            let variance: f64 = weights
                .map(|(w, x)| log_alpha(*w, -1.5).exp() * w * w * x * x)
                .sum();
            let deviation = (variance / n as f64).sqrt();
            assert!((learned::mean(&own) - mean[unit]).abs() < 5.0 * deviation);
            let off = learned::variance(&own) / variance - 1.0;
            assert!(off.abs() < 5.0 * (2.0 / n as f64).sqrt(), "{off}");
        }
    }
}

#[test]
fn the_key_decides_the_noise_and_threads_do_not() {
    let (layer, x) = (layer(40, 30), noise(&[300, 40], 5));
    let of = |pass: Pass| run(&layer, &x, &pass);
    let once = of(Pass::train(RUN, 1));
    for threads in [1, 3] {
        let again = on_threads(threads, || of(Pass::train(RUN, 1)));
        assert_eq!((&again.y, &again.gradients), (&once.y, &once.gradients));
    }
    assert_ne!(of(Pass::train(RUN, 2)).y, once.y);
    assert_ne!(of(Pass::train(RUN, 1).child("it")).y, once.y);
    assert_ne!(of(Pass::mc(RUN, 1)).y, of(Pass::mc(RUN, 2)).y);
}

#[test]
fn evaluation_reads_what_is_kept_and_prune_writes_zeros() {
    let (layer, x) = (layer(9, 7), noise(&[4, 9], 5));
    let at = arguments(&layer, &x);
    let pruned: Vec<bool> = at[1]
        .iter()
        .zip(&at[2])
        .map(|(w, s)| log_alpha(*w, *s) >= 3.0)
        .collect();
    let count = pruned.iter().filter(|&&pruned| pruned).count();
    assert!(count > 5 && count < 58);
    let kept: Vec<bool> = pruned.iter().map(|pruned| !pruned).collect();
    assert_eq!(layer.kept().unwrap().to_bools(), kept);
    assert_eq!(
        layer.pruned_share().unwrap(),
        1.0 - (63 - count) as f64 / 63.0
    );
    assert_eq!(layer.compression().unwrap(), 63.0 / (63 - count) as f64);
    let sparse = layer.prune().unwrap();
    let zeros = sparse.parameters()[0].1.value().as_slice().iter();
    assert!(
        zeros
            .zip(&pruned)
            .all(|(w, pruned)| (w.to_bits() == 0) == *pruned)
    );
    let tape = Tape::new();
    let input = tape.constant(x.clone());
    let [found, wanted] = [&layer as &dyn Layer, &sparse].map(|layer| {
        let y = layer.forward(&input, &Pass::eval()).unwrap();
        bits(y.value().as_slice())
    });
    assert_eq!(found, wanted);
    // The gradients of evaluation are those of the weights that are kept.
    let found = run(&layer, &x, &Pass::eval());
    let wanted = run(&sparse, &x, &Pass::eval());
    assert_eq!(found.gradients[0], wanted.gradients[0]);
    for (i, pruned) in pruned.iter().enumerate() {
        let wanted = if *pruned { 0.0 } else { wanted.gradients[1][i] };
        assert_eq!(found.gradients[1][i], wanted);
    }
    let name = "first".to_owned();
    let model = Sequential::new().with("first", layer).unwrap();
    let model = model
        .with("second", Linear::new(7, 2, Key::new(1)).unwrap())
        .unwrap();
    let all = sparsity(&model).unwrap();
    let wanted = Sparsity {
        path: name,
        weights: 63,
        kept: 63 - count,
    };
    assert_eq!(all, [wanted]);
    assert!((all[0].pruned_share() - count as f64 / 63.0).abs() < 1e-12);
}

#[test]
fn what_does_not_fit_is_refused() {
    let new = |inputs, units, rows| SparseVariational::new(inputs, units, rows, Key::new(1)).err();
    assert_eq!(new(3, 2, 0), Some(Error::Empty("a training set")));
    assert_eq!(new(0, 2, 9), Some(Error::Empty("a linear layer")));
    assert_eq!(new(3, 0, 9), Some(Error::Empty("a linear layer")));
    let tape = Tape::new();
    let x = tape.constant(Tensor::zeros(&[2, 4]).unwrap());
    for pass in [Pass::train(RUN, 0), Pass::eval()] {
        assert!(matches!(
            layer(5, 2).forward(&x, &pass),
            Err(Error::Shape { .. })
        ));
    }
    // Weights that went wrong are seen.
    let mut sick = layer(4, 2);
    set(
        &mut sick,
        "weight",
        Tensor::full(&[2, 4], f32::NAN).unwrap(),
    );
    assert_eq!(sick.pruned_share().unwrap(), 0.0);
    let x = tape.constant(noise(&[2, 4], 1));
    for pass in [Pass::train(RUN, 0), Pass::eval()] {
        let y = sick.forward(&x, &pass).unwrap();
        assert!(y.view().iter().all(f32::is_nan));
    }
    // None of the weights is left.
    let mut empty = layer(4, 2);
    set(&mut empty, "weight", Tensor::zeros(&[2, 4]).unwrap());
    assert_eq!(empty.compression().unwrap(), f64::INFINITY);
}

/// 20 inputs, of which the first two decide the target; the variance of its noise is 1/2, for which the squared error is
/// the negative log likelihood.
fn samples(rows: usize) -> Samples {
    let x = normals(&[rows, 20], Key::new(31));
    let e = normals(&[rows], Key::new(32));
    let y = x
        .chunks(20)
        .zip(&e)
        .map(|(x, e)| (2.0 * x[0] - x[1] + 0.5f64.sqrt() * e) as f32);
    let y = Tensor::from_vec(y.collect(), &[rows, 1]).unwrap();
    let x = x.iter().map(|x| *x as f32).collect();
    Samples::new(
        Tensor::from_vec(x, &[rows, 20]).unwrap(),
        Targets::Values(y),
    )
    .unwrap()
}

#[test]
fn training_prunes_inputs_that_say_nothing() {
    let rows = 300;
    let layer = SparseVariational::new(20, 1, rows, Key::new(1)).unwrap();
    let config = OptimizerConfig {
        schedule: Schedule::cosine(3000, 0.0).unwrap(),
        ..OptimizerConfig::new(Rule::adam(), 0.02)
    };
    let optimizer = Optimizer::new(config).unwrap();
    let mut trainer = Trainer::new(layer, optimizer, Loss::MeanSquaredError, Key::new(2));
    let fit = Fit::new(1000, 100);
    let mut warm_up = WarmUp::epochs(5, 20, 3).unwrap();
    trainer
        .fit(&samples(rows), None, &fit, &mut warm_up)
        .unwrap();
    let logs = trainer.model().log_alpha().unwrap();
    let (told, silent) = logs.as_slice().split_at(2);
    assert!(told.iter().all(|&log| log < -3.0), "{told:?}");
    // An input that chance has tied to the target keeps some of its weight.
    let pruned = silent.iter().filter(|&&log| log >= 3.0).count();
    assert!(pruned >= 8, "{pruned} of 18 pruned");
    let silent = learned::mean(&learned::f64s(silent));
    assert!(silent > 1.5, "{silent}");
    let loss = trainer.evaluate(&samples(rows)).unwrap().loss;
    assert!((loss - 0.5).abs() < 0.15, "{loss}");
    assert!(trainer.penalty() > 0.0);
}
