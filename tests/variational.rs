//! Variational dropout against its formulas, and the variance of its gradients.

#[path = "support/learned.rs"]
mod learned;
mod support;

use elision::autograd::Tape;
use elision::nn::{AlphaSharing, Layer, Linear, Pass, VariationalLinear, VariationalNoise};
use elision::reference::learned::variational_divergence;
use elision::{Activation, Error, Key, Tensor};
use learned::{
    arguments, assert_close, assert_is, differences, linear, normals, run, set, weighted,
};
use support::{bits, noise, on_threads};

const RUN: Key = Key::new(7);
const ROWS: usize = 50;

const KINDS: [(VariationalNoise, AlphaSharing); 5] = [
    (VariationalNoise::Inputs, AlphaSharing::Layer),
    (VariationalNoise::Inputs, AlphaSharing::Unit),
    (VariationalNoise::Weights, AlphaSharing::Layer),
    (VariationalNoise::Weights, AlphaSharing::Unit),
    (VariationalNoise::Weights, AlphaSharing::Weight),
];

fn layer(
    [inputs, units]: [usize; 2],
    (on, sharing): (VariationalNoise, AlphaSharing),
) -> VariationalLinear {
    let layer = VariationalLinear::new(inputs, units, ROWS, Key::new(1)).unwrap();
    let mut layer = layer
        .activation(Activation::Tanh)
        .noise(on, sharing)
        .unwrap();
    let shape = layer.parameters()[1].1.value().shape().to_vec();
    let logs = noise(&shape, 3).into_vec().into_iter().map(|x| x - 1.1);
    set(&mut layer, "weight", noise(&[units, inputs], 2));
    set(
        &mut layer,
        "log_alpha",
        Tensor::from_vec(logs.collect(), &shape).unwrap(),
    );
    set(&mut layer, "bias", noise(&[units], 4));
    layer
}

/// Output and penalty in f64, given the noise.
fn naive(at: &[Vec<f64>], on: VariationalNoise, e: &[f64]) -> (Vec<f64>, f64) {
    let [x, w, logs, bias] = at else { panic!() };
    let inputs = w.len() / bias.len();
    let alpha = |i: usize| {
        logs[if logs.len() == 1 { 0 } else { i % logs.len() }]
            .min(0.0)
            .exp()
    };
    let noises = match on {
        VariationalNoise::Inputs => inputs,
        VariationalNoise::Weights => w.len(),
    };
    let divergences: f64 = logs.iter().map(|log| variational_divergence(*log)).sum();
    let penalty = divergences * (noises / logs.len()) as f64 / ROWS as f64;
    let z = match on {
        VariationalNoise::Inputs => {
            let noisy = x.iter().zip(e).enumerate();
            let noisy = noisy.map(|(i, (x, e))| x * (1.0 + alpha(i % inputs).sqrt() * e));
            linear(&noisy.collect::<Vec<_>>(), w, bias)
        }
        VariationalNoise::Weights => {
            let variance: Vec<f64> = w
                .iter()
                .enumerate()
                .map(|(i, w)| alpha(i) * w * w)
                .collect();
            let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
            let spread = linear(&squares, &variance, &vec![0.0; bias.len()]);
            let z = linear(x, w, bias).into_iter().zip(spread).zip(e);
            z.map(|((mean, spread), e)| mean + (spread + 1e-8).sqrt() * e)
                .collect()
        }
    };
    (z.iter().map(|z| z.tanh()).collect(), penalty)
}

#[test]
fn a_step_is_the_formula_and_its_gradients_are_differences() {
    for [rows, inputs, units] in [[3, 5, 4], [1, 1, 1], [4, 17, 3]] {
        for kind in KINDS {
            let (layer, x) = (layer([inputs, units], kind), noise(&[rows, inputs], 5));
            let pass = || Pass::train(RUN, 3).child("it");
            let columns = match kind.0 {
                VariationalNoise::Inputs => inputs,
                VariationalNoise::Weights => units,
            };
            let e = normals(&[rows, columns], pass().key());
            let naive = |at: &[Vec<f64>]| naive(at, kind.0, &e);
            assert_is(
                "variational dropout",
                (&layer, &x),
                pass,
                naive,
                [2e-5, 1e-5, 2e-4],
            );
        }
    }
}

/// The larger the noise, the smaller the divergence, up to alpha = 1: it has the sign that makes noise grow.
#[test]
fn the_divergence_falls_as_noise_grows() {
    let of = |p: f64| {
        let layer = layer([5, 4], KINDS[2]).dropout(p).unwrap();
        let found = run(&layer, &noise(&[2, 5], 1), &Pass::train(RUN, 0));
        let log = (p / (1.0 - p)).ln();
        assert!((found.penalty - 0.4 * variational_divergence(log)).abs() < 1e-6);
        found.penalty
    };
    let found: Vec<f64> = [0.01, 0.1, 0.2, 0.3, 0.4, 0.5].map(of).to_vec();
    assert!(found.windows(2).all(|pair| pair[1] < pair[0]), "{found:?}");
    // At alpha = 1 the polynomial is the sum of its constants.
    assert!((variational_divergence(0.0) + 0.245_709_27).abs() < 1e-8);
    assert_eq!(variational_divergence(3.0), variational_divergence(0.0));
}

/// Above the limit alpha is 1; a gradient that would raise it does not pass, one that lowers it does.
#[test]
fn alpha_stays_at_the_limit_until_a_gradient_leads_back() {
    let mut layer = layer([5, 4], KINDS[2]).activation(Activation::Identity);
    let x = noise(&[6, 5], 5);
    let mut signs = [0, 0];
    for log in [0.0, 2.0] {
        set(&mut layer, "log_alpha", Tensor::full(&[1], log).unwrap());
        for step in 0..40 {
            let pass = || Pass::train(RUN, step);
            let e = normals(&[6, 4], pass().key());
            let at = arguments(&layer, &x);
            let (y, _) = naive(&at, VariationalNoise::Weights, &e);
            assert_close(
                "output",
                &run(&layer, &x, &pass())
                    .y
                    .iter()
                    .map(|y| y.tanh())
                    .collect::<Vec<_>>(),
                &y,
                2e-5,
            );
            let mut below = at.clone();
            below[2][0] = 0.0;
            // From below, where the clamp is not: of the same function with a limit that is out of reach.
            let slope = differences(&below, |at| {
                let scale = (0.5 * at[2][0]).exp();
                let scaled: Vec<f64> = e.iter().map(|e| e * scale).collect();
                let mut fixed = at.to_vec();
                fixed[2][0] = 0.0;
                let (y, _) = naive(&fixed, VariationalNoise::Weights, &scaled);
                let y: Vec<f64> = y.iter().map(|y| y.atanh()).collect();
                let alpha = at[2][0].exp();
                let bracket = 0.5 * at[2][0] + 1.161_451_24 * alpha - 1.502_041_18 * alpha.powi(2)
                    + 0.586_299_21 * alpha.powi(3);
                weighted(&y, &[6, 4]) - bracket * 20.0 / ROWS as f64
            })[2][0];
            let found = run(&layer, &x, &pass()).gradients[2][0];
            assert!((found - slope.max(0.0)).abs() < 1e-3, "{found}, {slope}");
            signs[usize::from(slope > 0.0)] += 1;
        }
    }
    assert!(signs.iter().all(|&count| count > 10), "{signs:?}");
}

#[test]
fn noise_has_its_moments() {
    let n = 20_000;
    let row = noise(&[1, 5], 6);
    let x = Tensor::from_vec(row.as_slice().repeat(n), &[n, 5]).unwrap();
    for kind in KINDS {
        let layer = layer([5, 1], kind).activation(Activation::Identity);
        let [x1, w, logs, bias] = &arguments(&layer, &row)[..] else {
            panic!()
        };
        let terms = x1.iter().zip(w).enumerate();
        let variance: f64 = terms
            .map(|(i, (x, w))| logs[i % logs.len()].exp() * (x * w).powi(2))
            .sum();
        let y = run(&layer, &x, &Pass::mc(RUN, 1)).y;
        let mean = linear(x1, w, bias)[0];
        assert!((learned::mean(&y) - mean).abs() < 5.0 * (variance / n as f64).sqrt());
        let off = learned::variance(&y) / variance - 1.0;
        assert!(off.abs() < 5.0 * (2.0 / n as f64).sqrt(), "{off}");
    }
}

const SAMPLES: u64 = 600;
const BATCH: usize = 20;
const INPUTS: usize = 6;

/// The sum of the variances of a vector's elements over samples.
fn spread(samples: &[Vec<f64>]) -> f64 {
    let element = |i: usize| samples.iter().map(|x| x[i]).collect::<Vec<_>>();
    (0..samples[0].len())
        .map(|i| learned::variance(&element(i)))
        .sum()
}

/// The gradients of (weights, ln alpha) of half the squared output summed over a batch, with the noise of weights
/// drawn: anew for each row, or once for all.
fn by_weights(x: &[f64], w: &[f64], log_alpha: f64, e: &[f64]) -> Vec<f64> {
    let deviation = (0.5 * log_alpha).exp();
    let mut gradient = vec![0.0; w.len() + 1];
    for (m, x) in x.chunks(INPUTS).enumerate() {
        let e = &e[m * INPUTS % e.len()..][..INPUTS];
        let noisy = w.iter().zip(e).map(|(w, e)| w * (1.0 + deviation * e));
        let y: f64 = noisy.zip(x).map(|(w, x)| w * x).sum();
        for i in 0..w.len() {
            gradient[i] += y * x[i] * (1.0 + deviation * e[i]);
            gradient[w.len()] += y * x[i] * w[i] * 0.5 * deviation * e[i];
        }
    }
    gradient
}

/// The order that Kingma et al. 2015 measured: noise of the outputs gives gradients with the least variance, one draw of the weights for a whole
/// batch the largest; all have the same mean.
#[test]
fn local_noise_has_the_quietest_gradients() {
    let mut layer = VariationalLinear::new(INPUTS, 1, usize::MAX, Key::new(1)).unwrap();
    set(&mut layer, "weight", noise(&[1, INPUTS], 2));
    // Rows that are alike, as those of one task are.
    let x = noise(&[BATCH, INPUTS], 5)
        .into_vec()
        .into_iter()
        .map(|x| 1.0 + 0.5 * x);
    let x = Tensor::from_vec(x.collect(), &[BATCH, INPUTS]).unwrap();
    let [data, w, log, _] = &arguments(&layer, &x)[..] else {
        panic!()
    };
    let tape = Tape::new();
    let local = |step| {
        let y = layer
            .forward(&tape.constant(x.clone()), &Pass::mc(RUN, step))
            .unwrap();
        let loss = y.mul(&y).unwrap().sum().unwrap().scale(0.5).unwrap();
        let all = loss.backward().unwrap();
        let of = |i: usize| learned::f64s(all.get(layer.parameters()[i].1).unwrap().data());
        [of(0), of(1)].concat()
    };
    let drawn = |rows: usize, step| {
        by_weights(
            data,
            w,
            log[0],
            &normals(&[rows, INPUTS], Key::new(9).fold_in(step)),
        )
    };
    let local: Vec<_> = (0..SAMPLES).map(local).collect();
    let separate: Vec<_> = (0..SAMPLES).map(|step| drawn(BATCH, step)).collect();
    let single: Vec<_> = (0..SAMPLES).map(|step| drawn(1, step)).collect();
    let found = [&local, &separate, &single].map(|samples| spread(samples));
    assert!(
        found[0] < 0.9 * found[1] && found[1] < 0.5 * found[2],
        "{found:?}"
    );
    for i in 0..=INPUTS {
        let of = |samples: &[Vec<f64>]| samples.iter().map(|x| x[i]).collect::<Vec<_>>();
        let (a, b) = (of(&local), of(&separate));
        let error = ((learned::variance(&a) + learned::variance(&b)) / SAMPLES as f64).sqrt();
        assert!((learned::mean(&a) - learned::mean(&b)).abs() < 5.0 * error);
    }
}

fn bits_of(layer: &dyn Layer, x: &Tensor, pass: &Pass) -> Vec<u32> {
    let x = Tape::new().constant(x.clone());
    bits(layer.forward(&x, pass).unwrap().value().as_slice())
}

#[test]
fn evaluation_and_probability_zero_are_the_linear_layer() {
    for kind in KINDS {
        let mut layer = layer([9, 5], kind);
        let x = noise(&[6, 9], 5);
        let mut linear = Linear::new(9, 5, Key::new(1))
            .unwrap()
            .activation(Activation::Tanh);
        for i in [0, 2] {
            let (name, own) = layer.parameters()[i];
            set(&mut linear, name, own.value().clone());
        }
        let wanted = bits_of(&linear, &x, &Pass::eval());
        assert_eq!(bits_of(&layer, &x, &Pass::eval()), wanted);
        assert_ne!(bits_of(&layer, &x, &Pass::mc(RUN, 0)), wanted);
        layer.set_rate(0.0).unwrap();
        assert_eq!(layer.rate(), Some(0.0));
        let pass = Pass::train(RUN, 0);
        assert_eq!(bits_of(&layer, &x, &pass), wanted);
        assert!(pass.take_penalties().is_empty());
        layer.set_rate(0.3).unwrap();
        assert!((layer.rate().unwrap() - 0.3).abs() < 1e-6);
        assert_ne!(bits_of(&layer, &x, &Pass::train(RUN, 0)), wanted);
    }
}

#[test]
fn the_key_decides_the_noise_and_threads_do_not() {
    for kind in KINDS {
        let (layer, x) = (layer([40, 30], kind), noise(&[300, 40], 5));
        let of = |pass: Pass| run(&layer, &x, &pass);
        let once = of(Pass::train(RUN, 1));
        for threads in [1, 3] {
            let again = on_threads(threads, || of(Pass::train(RUN, 1)));
            assert_eq!((&again.y, &again.gradients), (&once.y, &once.gradients));
        }
        assert_ne!(of(Pass::train(RUN, 2)).y, once.y);
        assert_ne!(of(Pass::mc(RUN, 1)).y, of(Pass::mc(RUN, 2)).y);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let new = |inputs, rows| VariationalLinear::new(inputs, 2, rows, Key::new(1)).err();
    assert_eq!(new(3, 0), Some(Error::Empty("a training set")));
    assert_eq!(new(0, 9), Some(Error::Empty("a linear layer")));
    let mut layer = layer([3, 2], KINDS[4]);
    let refused = layer
        .clone()
        .noise(VariationalNoise::Inputs, AlphaSharing::Weight);
    assert!(matches!(refused, Err(Error::Unsupported(_))));
    let before = layer.rate();
    for p in [-0.1, 0.51, 1.0, f64::NAN] {
        assert!(matches!(layer.set_rate(p), Err(Error::Number { .. })));
        assert!(layer.clone().dropout(p).is_err());
    }
    assert_eq!(layer.rate(), before);
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
}
