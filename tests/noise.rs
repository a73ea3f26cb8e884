//! Noise that multiplies or is added: against the reference, its identities and its gradients.

mod support;
#[path = "support/twins.rs"]
mod twins;

use elision::autograd::{Tape, Var};
use elision::reference::{noise as naive, tape};
use elision::{Error, Key, Noise, Tensor, ops};
use support::{SPECIAL, bits, noise as values, on_every_isa, on_threads};

const LENGTHS: [usize; 9] = [0, 1, 15, 17, 31, 33, 4095, 4097, 100_003];

fn key() -> Key {
    Key::new(5).fold_in(2)
}

/// One of each kind.
fn kinds() -> [Noise; 5] {
    [
        Noise::gaussian_dropout(key(), 0.3).unwrap(),
        Noise::gaussian(key(), 0.7).unwrap(),
        Noise::gaussian(key(), 0.7).unwrap().added(),
        Noise::uniform(key(), 0.1).unwrap(),
        Noise::uniform(key(), 0.1).unwrap().added(),
    ]
}

/// The numbers of a noise for `n` elements.
fn numbers(noise: &Noise, n: usize) -> Vec<f32> {
    let is_uniform = noise.added()
        == Noise::uniform(key(), noise.spread().into())
            .unwrap()
            .added();
    if is_uniform {
        let u = ops::uniform(noise.key(), &[n]).unwrap().into_vec();
        u.into_iter().map(|u| 2.0 * u - 1.0).collect()
    } else {
        ops::normal(noise.key(), &[n]).unwrap().into_vec()
    }
}

fn naively(x: &[f32], noise: &Noise) -> Vec<f32> {
    let n = numbers(noise, x.len());
    match noise.is_added() {
        true => naive::added(x, noise.spread(), &n),
        false => naive::multiplied(x, noise.spread(), &n),
    }
}

#[test]
fn every_road_is_the_reference() {
    for noise in kinds() {
        for n in LENGTHS {
            let (x, g) = (values(&[n], 1), values(&[n], 2));
            let y = bits(&naively(x.as_slice(), &noise));
            let dx = match noise.is_added() {
                true => bits(g.as_slice()),
                false => bits(&naively(g.as_slice(), &noise)),
            };
            on_every_isa("noise", |isa| {
                let what = format!("{noise:?} on {isa}, {n} elements");
                let same = |found: &Tensor, expected: &[u32], road: &str| {
                    assert!(bits(found.as_slice()) == expected, "{what}: {road}");
                };
                same(&ops::noise(&x, &noise).unwrap(), &y, "noise");
                let mut out = Tensor::full(&[n], f32::NAN).unwrap();
                ops::noise_into(&x, &noise, &mut out).unwrap();
                same(&out, &y, "noise_into");
                let mut out = x.clone();
                ops::noise_in_place(&mut out, &noise).unwrap();
                same(&out, &y, "noise_in_place");
                let mut out = Tensor::full(&[n], f32::NAN).unwrap();
                ops::noise_backward_into(&g, &noise, &mut out).unwrap();
                same(&out, &dx, "noise_backward_into");
            });
            for threads in [1, 2, 3] {
                let found = on_threads(threads, || ops::noise(&x, &noise).unwrap());
                assert!(bits(found.as_slice()) == y, "{noise:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn elements_are_counted_in_row_major_order() {
    let x = values(&[7, 33], 3);
    for noise in kinds() {
        let y = ops::noise(&x, &noise).unwrap();
        let turned = x.view().transpose(0, 1).unwrap().to_tensor().unwrap();
        let strided = turned.view().transpose(0, 1).unwrap();
        assert_eq!(ops::noise(strided, &noise).unwrap(), y);
        let mut out = Tensor::full(&[33, 7], f32::NAN).unwrap();
        ops::noise_into(&x, &noise, out.view_mut().transpose(0, 1).unwrap()).unwrap();
        let back = out.view().transpose(0, 1).unwrap().to_tensor().unwrap();
        assert_eq!(back, y);
        let mut out = turned;
        ops::noise_in_place(out.view_mut().transpose(0, 1).unwrap(), &noise).unwrap();
        let back = out.view().transpose(0, 1).unwrap().to_tensor().unwrap();
        assert_eq!(back, y);
    }
}

#[test]
fn no_spread_is_the_identity() {
    let signalling = f32::from_bits(0x7F80_0001);
    let mut x = SPECIAL.to_vec();
    x.push(signalling);
    let x = Tensor::from_vec(x, &[13]).unwrap();
    let none = [
        Noise::gaussian_dropout(key(), 0.0).unwrap(),
        Noise::uniform(key(), 0.0).unwrap(),
        Noise::gaussian(key(), 0.0).unwrap().added(),
    ];
    for noise in none {
        let y = ops::noise(&x, &noise).unwrap();
        assert_eq!(bits(y.as_slice()), bits(x.as_slice()));
        let mut y = x.clone();
        ops::noise_in_place(&mut y, &noise).unwrap();
        assert_eq!(bits(y.as_slice()), bits(x.as_slice()));
    }
}

#[test]
fn nothing_is_dropped_so_nan_stays() {
    let x = Tensor::from_slice(&SPECIAL, &[12]).unwrap();
    for noise in kinds() {
        let y = ops::noise(&x, &noise).unwrap();
        let pairs = x.as_slice().iter().zip(y.as_slice());
        pairs.for_each(|(x, y)| assert_eq!(x.is_nan(), y.is_nan(), "{x} became {y}"));
    }
}

#[test]
fn spreads_are_those_of_the_formulas() {
    for (p, spread) in [(0.5, 1.0), (0.2, 0.5), (0.8, 2.0), (0.1, 1.0 / 3.0)] {
        let noise = Noise::gaussian_dropout(key(), p).unwrap();
        assert_eq!(noise.spread(), spread as f32);
        assert_eq!(noise, Noise::gaussian(key(), spread).unwrap());
    }
}

/// Mean and variance of a tensor.
fn moments(x: &Tensor) -> [f64; 2] {
    let n = x.len() as f64;
    let mean = x.as_slice().iter().copied().map(f64::from).sum::<f64>() / n;
    let square = |x: &f32| (f64::from(*x) - mean).powi(2);
    [mean, x.as_slice().iter().map(square).sum::<f64>() / n]
}

#[test]
fn moments_are_those_of_the_formulas() {
    let n = 1 << 22;
    let error = 5.0 / (n as f64).sqrt();
    let near = |found: f64, wanted: f64, scale: f64| {
        assert!(
            (found - wanted).abs() < scale * error,
            "{found} instead of {wanted}"
        );
    };
    // The factor of Gaussian dropout has dropout's mean and variance.
    for p in [0.1f64, 0.5, 0.8] {
        let variance = p / (1.0 - p);
        let noise = Noise::gaussian_dropout(key(), p).unwrap();
        let y = ops::noise(&Tensor::full(&[n], 1.0).unwrap(), &noise).unwrap();
        let [mean, found] = moments(&y);
        near(mean, 1.0, variance.sqrt());
        near(found, variance, 2f64.sqrt() * variance);
    }
    // The ratio of variances in evaluation and training is 3 / (3 + beta^2), and 1 - p for Gaussian dropout.
    let x = ops::normal(Key::new(77), &[n]).unwrap();
    let [_, eval] = moments(&x);
    for (noise, ratio) in [
        (Noise::uniform(key(), 0.1).unwrap(), 300.0 / 301.0),
        (Noise::uniform(key(), 1.0).unwrap(), 0.75),
        (Noise::gaussian_dropout(key(), 0.5).unwrap(), 0.5),
    ] {
        let [_, train] = moments(&ops::noise(&x, &noise).unwrap());
        near(eval / train, ratio, 4.0 * (1.0 - ratio).sqrt());
    }
    let y = ops::noise(&x, &Noise::gaussian(key(), 2.0).unwrap().added()).unwrap();
    near(moments(&y)[1], 5.0, 5.0 * 2f64.sqrt());
}

#[test]
fn uniform_factors_stay_within_their_bounds() {
    let noise = Noise::uniform(key(), 0.25).unwrap();
    let y = ops::noise(&Tensor::full(&[1 << 20], 1.0).unwrap(), &noise).unwrap();
    let (least, most) = y
        .as_slice()
        .iter()
        .fold((2f32, 0f32), |(a, b), &y| (a.min(y), b.max(y)));
    assert!(least >= 0.75 && most <= 1.25 && least < 0.7501 && most > 1.2499);
}

#[test]
fn a_shared_number_is_one_for_its_group() {
    let x = values(&[3, 4, 5, 6], 1);
    for noise in kinds() {
        for shape in [&[3, 1, 1, 6][..], &[1, 4, 5, 1], &[6], &[3, 4, 5, 6], &[]] {
            let neutral = if noise.is_added() { 0.0 } else { 1.0 };
            let own = ops::noise(&Tensor::full(shape, neutral).unwrap(), &noise).unwrap();
            let expected = match noise.is_added() {
                true => ops::add(&x, &own).unwrap(),
                false => ops::mul(&x, &own).unwrap(),
            };
            assert_eq!(ops::noise_shared(&x, shape, &noise).unwrap(), expected);
        }
        let whole = ops::noise_shared(&x, x.shape(), &noise).unwrap();
        if !noise.is_added() {
            assert_eq!(whole, ops::noise(&x, &noise).unwrap());
        }
        let wrong = ops::noise_shared(&x, &[2, 1, 1, 6], &noise);
        assert!(matches!(wrong, Err(Error::Broadcast { .. })));
        assert!(ops::noise_shared(&x, &[2, 3, 4, 5, 6], &noise).is_err());
    }
}

#[test]
fn gradients_are_those_of_the_naive_tape() {
    let x = values(&[5, 33], 8);
    for noise in kinds() {
        let n = Tensor::from_vec(numbers(&noise, x.len()), x.shape()).unwrap();
        on_every_isa("gradients of noise", |_| {
            twins::check(
                &format!("{noise:?}"),
                std::slice::from_ref(&x),
                |inputs: &[Var]| inputs[0].noise(&noise),
                |tape, inputs| frozen(tape, inputs[0], &n, &noise),
            );
        });
        let shape = [1, 33];
        let n = Tensor::from_vec(numbers(&noise, 33), &shape).unwrap();
        let n = Tensor::from_vec([n.as_slice(); 5].concat(), &[5, 33]).unwrap();
        twins::check(
            &format!("{noise:?}, shared"),
            std::slice::from_ref(&x),
            |inputs: &[Var]| {
                let y = inputs[0].noise_shared(&shape, &noise)?;
                Ok(y)
            },
            |tape, inputs| frozen(tape, inputs[0], &n, &noise),
        );
    }
}

/// The noise with these numbers on the naive tape.
fn frozen(tape: &mut tape::Tape, x: tape::Value, n: &Tensor, noise: &Noise) -> tape::Value {
    let spread = f64::from(noise.spread());
    let n = twins::array(n);
    let offset = if noise.is_added() { 0.0 } else { 1.0 };
    let numbers = n.data.iter().map(|n| offset + spread * n).collect();
    let numbers = tape.leaf(tape::Array::new(numbers, &n.shape));
    match noise.is_added() {
        true => tape.add(x, numbers),
        false => tape.mul(x, numbers),
    }
}

#[test]
fn gradients_are_central_differences() {
    // In f64, of the naive forward pass with the numbers frozen.
    let (x, g) = (values(&[40], 1), values(&[40], 2));
    for noise in kinds() {
        let n = numbers(&noise, 40);
        let loss = |at: usize, step: f64| {
            let element = |i: usize| {
                let x = f64::from(x.as_slice()[i]) + if i == at { step } else { 0.0 };
                let n = f64::from(noise.spread()) * f64::from(n[i]);
                let y = if noise.is_added() {
                    x + n
                } else {
                    x * (1.0 + n)
                };
                y * f64::from(g.as_slice()[i])
            };
            (0..40).map(element).sum::<f64>()
        };
        let mut dx = Tensor::zeros(&[40]).unwrap();
        ops::noise_backward_into(&g, &noise, &mut dx).unwrap();
        for (i, &dx) in dx.as_slice().iter().enumerate() {
            let wanted = (loss(i, 1e-4) - loss(i, -1e-4)) / 2e-4;
            assert!(
                (f64::from(dx) - wanted).abs() < 1e-6,
                "{noise:?}: {dx}, not {wanted}"
            );
        }
    }
}

#[test]
fn a_graph_keeps_nothing_for_noise() {
    for noise in kinds() {
        let tape = Tape::new();
        let x = tape.variable(values(&[100], 1));
        let y = x.noise(&noise).unwrap();
        let kept = tape.kept();
        assert_eq!((kept.own_bytes(), kept.value_bytes()), (0, 0), "{noise:?}");
        drop(y);
    }
}

#[test]
fn wrong_arguments_are_errors_and_change_nothing() {
    for p in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let found = Noise::gaussian_dropout(key(), p);
        assert!(matches!(found, Err(Error::Probability(_))), "{found:?}");
    }
    let one = Noise::gaussian_dropout(key(), 1.0).unwrap_err().to_string();
    assert_eq!(one, "drop probability of Gaussian dropout cannot be 1");
    for spread in [-1.0, f64::NAN, f64::INFINITY, 1e39] {
        for found in [
            Noise::gaussian(key(), spread),
            Noise::uniform(key(), spread),
        ] {
            assert!(matches!(found, Err(Error::Number { .. })), "{found:?}");
        }
    }
    let x = values(&[6], 1);
    for noise in kinds() {
        let mut out = Tensor::full(&[2, 3], 9.0).unwrap();
        let found = ops::noise_into(&x, &noise, &mut out);
        assert!(matches!(found, Err(Error::Shape { .. })));
        let found = ops::noise_backward_into(&x, &noise, &mut out);
        assert!(matches!(found, Err(Error::Shape { .. })));
        assert_eq!(out.as_slice(), [9.0; 6]);
    }
}
