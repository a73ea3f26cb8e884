//! Alpha dropout: exact values, moments, bits, gradients.

mod support;
#[path = "support/twins.rs"]
mod twins;

use elision::autograd::{Tape, Var};
use elision::reference::tape;
use elision::{AlphaDropout, Error, Key, Mask, Tensor, ops};
use support::{SPECIAL, bits, noise as values, on_every_isa, on_threads};

fn alpha(p: f64) -> AlphaDropout {
    AlphaDropout::new(Key::new(3).fold_in(1), p).unwrap()
}

fn near(found: f64, wanted: f64, tolerance: f64) {
    assert!(
        (found - wanted).abs() <= tolerance,
        "{found} instead of {wanted}"
    );
}

#[test]
fn the_affine_function_is_the_papers() {
    let half = alpha(0.5);
    near(half.scale(), 0.8864048946659319, 1e-15);
    near(half.shift(), 0.7791939305180315, 1e-15);
    near(half.scale() + half.shift(), 1.6655988251839635, 1e-15);
    near(half.shift() - half.scale(), -0.10721096414790032, 1e-15);
    near(half.dropped(), -0.7791939305180315, 1e-15);
    near(alpha(0.1).scale(), 0.9212845161497115, 1e-15);
    near(alpha(0.1).shift(), 0.16197097005757022, 1e-15);
    near(alpha(0.05).scale(), 0.954844476005031, 1e-15);
    near(alpha(0.05).shift(), 0.0839355721938, 1e-12);
    for p in [0.0, 0.05, 0.3, 0.5, 0.99] {
        let a = alpha(p);
        let saturation = -1.7580993408473766;
        near(a.dropped(), a.scale() * saturation + a.shift(), 1e-14);
    }
}

#[test]
fn elements_become_what_the_formula_says() {
    on_every_isa("alpha dropout", |_| {
        let x = Tensor::from_slice(&[1.0, -1.0].repeat(500), &[1000]).unwrap();
        let (y, mask) = ops::alpha_dropout(&x, &alpha(0.5)).unwrap();
        for (i, (&x, &y)) in x.as_slice().iter().zip(y.as_slice()).enumerate() {
            let wanted = match (mask.get(i), x > 0.0) {
                (Some(false), _) => -0.7791939305180315,
                (_, true) => 1.6655988251839635,
                (_, false) => -0.10721096414790032,
            };
            near(y.into(), wanted, 1e-7);
        }
    });
}

/// One element at a time, in f32.
fn naively(x: &[f32], mask: &Mask, alpha: &AlphaDropout) -> Vec<f32> {
    let (a, b) = (alpha.scale() as f32, alpha.shift() as f32);
    let element = |(i, &x)| match mask.get(i) {
        Some(true) => x * a + b,
        _ => alpha.dropped() as f32,
    };
    x.iter().enumerate().map(element).collect()
}

#[test]
fn bits_are_those_of_dropout_on_every_road() {
    for n in [0, 1, 15, 17, 63, 65, 4097, 100_003] {
        let x = values(&[n], 1);
        for p in [0.1, 0.5, 1.0] {
            let alpha = alpha(p);
            let mask = Mask::draw(alpha.dropout(), n).unwrap();
            let expected = bits(&naively(x.as_slice(), &mask, &alpha));
            on_every_isa("bits of alpha dropout", |isa| {
                let (y, found) = ops::alpha_dropout(&x, &alpha).unwrap();
                assert!(
                    bits(y.as_slice()) == expected,
                    "{isa}, {n} elements, p = {p}"
                );
                assert!(found == mask);
            });
            let (y, _) = on_threads(3, || ops::alpha_dropout(&x, &alpha).unwrap());
            assert!(bits(y.as_slice()) == expected, "three threads");
        }
    }
    let x = values(&[7, 33], 1);
    let turned = x.view().transpose(0, 1).unwrap().to_tensor().unwrap();
    let back = turned.view().transpose(0, 1).unwrap();
    let (y, mask) = ops::alpha_dropout(&x, &alpha(0.3)).unwrap();
    assert_eq!(
        ops::alpha_dropout(back, &alpha(0.3)).unwrap(),
        (y.clone(), mask.clone())
    );
    let mut out = Tensor::zeros(&[33, 7]).unwrap();
    let view = out.view_mut().transpose(0, 1).unwrap();
    ops::alpha_dropout_into(&x, &alpha(0.3), &mask, view).unwrap();
    assert_eq!(out.view().transpose(0, 1).unwrap().to_tensor().unwrap(), y);
}

#[test]
fn the_rates_0_and_1() {
    let x = Tensor::from_slice(&SPECIAL, &[12]).unwrap();
    let (y, _) = ops::alpha_dropout(&x, &alpha(0.0)).unwrap();
    assert_eq!(bits(y.as_slice()), bits(x.as_slice()));
    let (y, _) = ops::alpha_dropout(&x, &alpha(1.0)).unwrap();
    assert_eq!(bits(y.as_slice()), [0; 12], "zeros, NaN included");
    let general = alpha(1.0).with_moments(0.25, 2.0).unwrap();
    let (y, _) = ops::alpha_dropout(&x, &general).unwrap();
    assert_eq!(y.as_slice(), [0.25; 12]);
    // The limit: what a dropped element becomes tends to the mean.
    near(alpha(1.0 - 1e-12).dropped(), 0.0, 2e-6);
}

#[test]
fn a_dropped_nan_is_gone() {
    let x = Tensor::full(&[1000], f32::NAN).unwrap();
    let (y, mask) = ops::alpha_dropout(&x, &alpha(0.5)).unwrap();
    for (i, y) in y.as_slice().iter().enumerate() {
        assert_eq!(mask.get(i), Some(y.is_nan()));
    }
}

#[test]
fn moments_come_back() {
    let n = 1 << 22;
    let standard = ops::normal(Key::new(8), &[n]).unwrap();
    for (p, mean, variance) in [
        (0.05, 0.0, 1.0),
        (0.5, 0.0, 1.0),
        (0.3, 0.7, 2.5),
        (0.8, -3.0, 0.5),
    ] {
        let x: Vec<f32> = standard
            .as_slice()
            .iter()
            .map(|x| mean as f32 + x * f64::sqrt(variance) as f32)
            .collect();
        let alpha = alpha(p).with_moments(mean, variance).unwrap();
        let (y, _) = ops::alpha_dropout(&Tensor::from_vec(x, &[n]).unwrap(), &alpha).unwrap();
        let y = y.as_slice().iter().copied().map(f64::from);
        let found = y.clone().sum::<f64>() / n as f64;
        let spread = y.map(|y| (y - found).powi(2)).sum::<f64>() / n as f64;
        let error = 5.0 / (n as f64).sqrt();
        near(found, mean, error * f64::sqrt(variance));
        near(spread, variance, 3.0 * error * variance);
    }
}

#[test]
fn general_moments_meet_the_special_case() {
    let general = alpha(0.3).with_moments(0.0, 1.0).unwrap();
    assert_eq!(general, alpha(0.3));
    let other = alpha(0.3).with_saturation(-1.0).unwrap();
    near(other.scale(), 1.0 / (0.7f64 * 1.3).sqrt(), 1e-15);
    near(other.shift(), 0.3 * other.scale(), 1e-15);
}

#[test]
fn gradients_are_those_of_the_naive_tape() {
    let x = values(&[6, 5, 7], 8);
    for (p, groups) in [
        (0.5, [6, 5, 7]),
        (0.5, [6, 1, 7]),
        (0.2, [1, 5, 1]),
        (1.0, [6, 5, 7]),
    ] {
        let alpha = alpha(p);
        let n = groups.iter().product();
        let mask = Mask::draw(alpha.dropout(), n).unwrap();
        let mask = mask.broadcast(&groups, &[6, 5, 7]).unwrap();
        on_every_isa("gradients of alpha dropout", |_| {
            twins::check(
                &format!("alpha dropout of {groups:?} at {p}"),
                std::slice::from_ref(&x),
                |inputs: &[Var]| inputs[0].alpha_dropout_shared(&groups, &alpha),
                |tape, inputs| frozen(tape, inputs[0], &mask, &alpha),
            );
        });
    }
}

/// `x m a + c` on the naive tape.
fn frozen(tape: &mut tape::Tape, x: tape::Value, mask: &Mask, alpha: &AlphaDropout) -> tape::Value {
    let kept = mask.to_bools();
    let choose = |a: f64, b: f64| kept.iter().map(|&kept| if kept { a } else { b }).collect();
    let shape = tape.value(x).shape.clone();
    let factors = tape.leaf(tape::Array::new(choose(alpha.scale(), 0.0), &shape));
    let terms = tape.leaf(tape::Array::new(
        choose(alpha.shift(), alpha.dropped()),
        &shape,
    ));
    let product = tape.mul(x, factors);
    tape.add(product, terms)
}

#[test]
fn whole_features_share_a_fate() {
    let tape = Tape::new();
    let x = tape.constant(Tensor::full(&[4, 6, 6, 5], 1.0).unwrap());
    let y = x.alpha_dropout_shared(&[4, 1, 1, 5], &alpha(0.5)).unwrap();
    let y = y.to_tensor().unwrap();
    for sample in y.as_slice().chunks(6 * 6 * 5) {
        for pixel in sample.chunks(5) {
            assert_eq!(pixel, &sample[..5]);
        }
    }
    let whole = x.alpha_dropout_shared(&[4, 6, 6, 5], &alpha(0.5)).unwrap();
    assert_eq!(
        whole.to_tensor(),
        x.alpha_dropout(&alpha(0.5)).unwrap().to_tensor()
    );
}

#[test]
fn wrong_arguments_are_errors_and_change_nothing() {
    for p in [-0.1, 1.1, f64::NAN] {
        let found = AlphaDropout::new(Key::new(0), p);
        assert!(matches!(found, Err(Error::Probability(_))));
    }
    for variance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let found = alpha(0.5).with_moments(0.0, variance);
        assert!(matches!(found, Err(Error::Number { .. })), "{variance}");
    }
    assert!(alpha(0.5).with_moments(f64::NAN, 1.0).is_err());
    assert!(alpha(0.5).with_saturation(f64::INFINITY).is_err());
    let x = values(&[6], 1);
    let mut out = Tensor::full(&[6], 9.0).unwrap();
    let found = ops::alpha_dropout_into(&x, &alpha(0.5), &Mask::all(5), &mut out);
    assert!(matches!(found, Err(Error::Length { .. })));
    let found = ops::alpha_dropout_backward_into(&x, &alpha(0.5), &Mask::all(5), &mut out);
    assert!(matches!(found, Err(Error::Length { .. })));
    assert_eq!(out.as_slice(), [9.0; 6]);
    let mut wrong = Tensor::full(&[2, 3], 9.0).unwrap();
    let found = ops::alpha_dropout_into(&x, &alpha(0.5), &Mask::all(6), &mut wrong);
    assert!(matches!(found, Err(Error::Shape { .. })));
    let tape = Tape::new();
    let x = tape.constant(x);
    for shape in [&[5][..], &[usize::MAX, 2], &[1; 9]] {
        assert!(
            x.alpha_dropout_shared(shape, &alpha(0.5)).is_err(),
            "{shape:?}"
        );
    }
}
