//! Shakeout: inputs whose contribution is reversed instead of dropped.

#[path = "support/differences.rs"]
mod differences;
mod support;
#[path = "support/zoo.rs"]
mod zoo;

use differences::{check_differences, wide};
use elision::autograd::{Fused, Tape};
use elision::nn::{Layer, Linear, Mode, Pass, Shakeout};
use elision::reference::weights;
use elision::{Activation, Dropout, Error, Mask, Tensor};
use support::{bits, noise, on_every_isa};
use zoo::{RUN, forward, output, randomize};

const SIZES: [usize; 3] = [3, 7, 5];

fn linear() -> Linear {
    let mut linear = Linear::new(7, 5, RUN).unwrap();
    randomize(&mut linear);
    linear
}

/// The decisions for three rows of seven inputs in a pass.
fn kept(pass: &Pass, p: f64) -> Vec<bool> {
    let dropout = Dropout::new(pass.key(), p).unwrap();
    Mask::draw(&dropout, 21).unwrap().to_bools()
}

#[test]
fn outputs_and_gradients_of_inputs_are_those_of_the_formula() {
    let (x, linear) = (noise(&[3, 7], 1), linear());
    let [w, b] = [0, 1].map(|i| wide(linear.parameters()[i].1.value()));
    on_every_isa("shakeout", |isa| {
        for (p, c) in [(0.5, 0.1), (0.3, 0.0), (0.8, 2.0)] {
            let layer = Shakeout::new(linear.clone(), p, c).unwrap();
            for pass in [Pass::train(RUN, 2), Pass::mc(RUN, 2)] {
                let kept = kept(&pass, p);
                check_differences(
                    &format!("{isa} {p} {c} {}", pass.mode()),
                    std::slice::from_ref(&x),
                    |v| layer.forward(&v[0], &pass),
                    |at| {
                        let rates = [p, f64::from(c)];
                        let y = weights::shakeout(&at[0], &w, &kept, rates, SIZES);
                        let y = y.iter().enumerate();
                        y.map(|(i, y)| y + b[i % 5]).collect()
                    },
                );
            }
        }
    });
}

/// The path through the weights, and c times that through their signs times s (1 - tanh^2(s w)).
#[test]
fn gradients_of_weights_are_those_of_the_formula() {
    let (x, linear) = (noise(&[3, 7], 1), linear());
    let (p, c, s, pass) = (0.4, 0.5, 3.0, Pass::train(RUN, 2));
    let layer = Shakeout::new(linear.clone(), p, c as f32).unwrap();
    let layer = layer.steepness(s as f32).unwrap();
    let kept = kept(&pass, p);
    let tape = Tape::new();
    let y = layer.forward(&tape.constant(x.clone()), &pass).unwrap();
    let dy = noise(y.shape(), 77);
    let found = y.backward_from(dy.clone()).unwrap();
    let (x, dy) = (wide(&x), wide(&dy));
    let own = linear.parameters();
    let w = wide(own[0].1.value());
    let dw = found.get(own[0].1).unwrap().to_tensor().unwrap();
    for unit in 0..5 {
        for input in 0..7 {
            let (mut plain, mut signs) = (0.0, 0.0);
            for row in 0..3 {
                let m = if kept[7 * row + input] {
                    1.0 / (1.0 - p)
                } else {
                    0.0
                };
                let g = dy[5 * row + unit] * x[7 * row + input];
                plain += g * m;
                signs += g * (m - 1.0);
            }
            let at = 7 * unit + input;
            let want = plain + c * signs * s * (1.0 - (s * w[at]).tanh().powi(2));
            let off = (f64::from(dw.as_slice()[at]) - want).abs();
            assert!(off < 1e-5, "{unit} {input}: {off}");
        }
    }
    let db = found.get(own[1].1).unwrap().to_tensor().unwrap();
    for (unit, &db) in db.as_slice().iter().enumerate() {
        let want: f64 = (0..3).map(|row| dy[5 * row + unit]).sum();
        assert!((f64::from(db) - want).abs() < 1e-5);
    }
}

#[test]
fn the_mean_over_all_masks_is_the_plain_layer() {
    let (x, w) = (wide(&noise(&[1, 6], 1)), wide(&noise(&[2, 6], 2)));
    let want = weights::product(&x, &w, [1, 6, 2]);
    for (p, c) in [(0.5_f64, 0.1), (0.2, 3.0)] {
        let mut mean = [0.0; 2];
        for mask in 0..64 {
            let kept: Vec<bool> = (0..6).map(|i| mask >> i & 1 == 1).collect();
            let count = kept.iter().filter(|&&kept| kept).count() as i32;
            let chance = (1.0 - p).powi(count) * p.powi(6 - count);
            let y = weights::shakeout(&x, &w, &kept, [p, c], [1, 6, 2]);
            (0..2).for_each(|i| mean[i] += chance * y[i]);
        }
        let off = mean.iter().zip(&want).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f64::max) < 1e-12);
    }
}

#[test]
fn without_strength_it_is_dropout_of_the_inputs() {
    let linear = linear();
    // Dropped infinities do not matter then; the sign's path would see them.
    let mut x = noise(&[3, 7], 1);
    let (p, pass) = (0.5, Pass::train(RUN, 2));
    for (x, kept) in x.as_mut_slice().iter_mut().zip(kept(&pass, p)) {
        if !kept {
            *x = f32::INFINITY;
        }
    }
    let layer = Shakeout::new(linear.clone(), p, 0.0).unwrap();
    let tape = Tape::new();
    let [w, b] = [0, 1].map(|i| tape.parameter(linear.parameters()[i].1).unwrap());
    let dropped = tape
        .constant(x.clone())
        .dropout(&Dropout::new(pass.key(), p).unwrap());
    let want = dropped
        .unwrap()
        .linear(&w, None, &Fused::default())
        .unwrap();
    let want = want.add(&b).unwrap();
    assert_eq!(
        bits(forward(&layer, &x, &pass).as_slice()),
        bits(want.value().as_slice())
    );
}

#[test]
fn it_acts_in_training_alone() {
    let (x, linear) = (noise(&[3, 7], 1), linear().activation(Activation::Tanh));
    let layer = Shakeout::new(linear.clone(), 0.5, 0.3).unwrap();
    let plain = output(&linear, &x, Mode::Eval, 0);
    assert_eq!(output(&layer, &x, Mode::Eval, 4), plain);
    for mode in [Mode::Train, Mode::Mc] {
        assert_ne!(output(&layer, &x, mode, 4), plain);
        assert_ne!(output(&layer, &x, mode, 4), output(&layer, &x, mode, 5));
    }
    let still = Shakeout::new(linear.clone(), 0.0, 0.3).unwrap();
    assert_eq!(output(&still, &x, Mode::Train, 4), plain);
    let square = Linear::new(7, 7, RUN).unwrap().residual();
    let block = Shakeout::new(square, 0.5, 0.3).unwrap();
    assert_eq!(forward(&block, &x, &Pass::train(RUN, 0)).shape(), [3, 7]);
    // With nothing kept all contributions are reversed.
    let all = Shakeout::new(
        linear.without_bias().activation(Activation::Identity),
        1.0,
        0.5,
    );
    let y = forward(
        &all.unwrap(),
        &Tensor::full(&[1, 7], 1.0).unwrap(),
        &Pass::train(RUN, 0),
    );
    assert!(
        y.as_slice()
            .iter()
            .all(|y| y.abs() <= 3.5 && (2.0 * y).fract() == 0.0)
    );
}

#[test]
fn signs_keep_zeros_and_nan() {
    let special = Tensor::from_slice(&support::SPECIAL, &[12]).unwrap();
    let y = Tape::new().variable(special).sign(1.0).unwrap();
    let y = y.to_tensor().unwrap();
    assert!(y.as_slice()[0].is_nan());
    let rest = [1.0, -1.0, 0.0, 0.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0];
    assert_eq!(y.as_slice()[1..], rest);
}

#[test]
fn faults_are_named() {
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(
            Shakeout::new(linear(), p, 0.1),
            Err(Error::Probability(_))
        ));
        let mut layer = Shakeout::new(linear(), 0.5, 0.1).unwrap();
        assert!(matches!(layer.set_rate(p), Err(Error::Probability(_))));
    }
    for c in [-0.1, f32::NAN, f32::INFINITY] {
        assert!(matches!(
            Shakeout::new(linear(), 0.5, c),
            Err(Error::Number { .. })
        ));
    }
    let x = Tape::new().variable(noise(&[2], 1));
    for s in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let layer = Shakeout::new(linear(), 0.5, 0.1).unwrap();
        assert!(matches!(layer.steepness(s), Err(Error::Number { .. })));
        assert!(matches!(x.sign(s), Err(Error::Number { .. })));
    }
    let dropping = [linear().dropout(0.5), linear().unit_dropout(0.5)];
    for linear in dropping {
        let wrong = Shakeout::new(linear.unwrap(), 0.5, 0.1);
        assert!(matches!(wrong, Err(Error::Unsupported(_))));
    }
}
