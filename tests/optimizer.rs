//! Optimiser steps against naive code to the bit, and limits on gradients and weights.

mod support;

use elision::ops::{self, AdamParameters, SgdParameters, adam_step, sgd_step};
use elision::{Error, Tensor, View};
use support::{bits, on_every_isa, on_threads};

const LENGTHS: [usize; 11] = [0, 1, 15, 16, 17, 31, 33, 4095, 4096, 4097, 100_003];
const STEPS: u64 = 4;

/// Numbers from -1 to 1 with zeros of both signs, another sequence for each seed.
fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let number = |i: usize| match i % 23 {
        5 => 0.0,
        6 => -0.0,
        _ => ((i * 7919 + seed * 5003) % 16_001) as f32 / 8000.5 - 1.0,
    };
    (0..n).map(number).collect()
}

fn sign(w: f32) -> f32 {
    f32::from(i8::from(w > 0.0) - i8::from(w < 0.0))
}

/// `a x`, and zero where it would be subnormal.
fn times(a: f32, x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE / a {
        0.0
    } else {
        a * x
    }
}

fn naive_sgd(w: &mut f32, v: &mut f32, mut g: f32, p: &SgdParameters) {
    if p.weight_decay != 0.0 {
        g += p.weight_decay * *w;
    }
    if p.l1 != 0.0 {
        g += p.l1 * sign(*w);
    }
    *v = times(p.momentum, *v) + g;
    let step = if p.nesterov {
        g + times(p.momentum, *v)
    } else {
        *v
    };
    *w -= times(p.learning_rate, step);
}

/// In f64 and as PyTorch writes it, the corrections applied to the means themselves.
fn naive_adam(w: &mut f64, m: &mut f64, s: &mut f64, mut g: f64, (p, t): (&AdamParameters, u64)) {
    let [rate, beta1, beta2, epsilon, decay, l1] = [
        p.learning_rate,
        p.beta1,
        p.beta2,
        p.epsilon,
        p.weight_decay,
        p.l1,
    ]
    .map(f64::from);
    g += l1 * f64::from(sign(*w as f32));
    if p.decoupled {
        *w *= 1.0 - rate * decay;
    } else {
        g += decay * *w;
    }
    *m = beta1 * *m + (1.0 - beta1) * g;
    *s = beta2 * *s + (1.0 - beta2) * g * g;
    let (mean, square) = (
        *m / (1.0 - beta1.powi(t as i32)),
        *s / (1.0 - beta2.powi(t as i32)),
    );
    *w -= rate * mean / (square.sqrt() + epsilon);
}

fn sgd_options() -> Vec<SgdParameters> {
    let mut all = Vec::new();
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true), (0.0, true)] {
        for (weight_decay, l1) in [(0.0, 0.0), (0.1, 0.0), (0.0, 0.01), (0.1, 0.01)] {
            all.push(SgdParameters {
                learning_rate: 0.05,
                momentum,
                nesterov,
                weight_decay,
                l1,
            });
        }
    }
    all
}

fn adam_options() -> Vec<AdamParameters> {
    let mut all = Vec::new();
    for decoupled in [false, true] {
        for (weight_decay, l1) in [(0.0, 0.0), (0.1, 0.0), (0.0, 0.01), (0.1, 0.01)] {
            all.push(AdamParameters {
                learning_rate: 0.01,
                weight_decay,
                decoupled,
                l1,
                ..AdamParameters::default()
            });
        }
    }
    all
}

/// Parameters and state after some steps.
fn run_sgd(n: usize, p: &SgdParameters) -> [Vec<f32>; 2] {
    let (mut w, mut v) = (numbers(n, 0), vec![0.0; n]);
    for t in 1..=STEPS {
        sgd_step(&mut w, &mut v, &numbers(n, t as usize), p).unwrap();
    }
    [w, v]
}

fn run_adam(n: usize, p: &AdamParameters) -> [Vec<f32>; 3] {
    let (mut w, mut m, mut s) = (numbers(n, 0), vec![0.0; n], vec![0.0; n]);
    for t in 1..=STEPS {
        let g = numbers(n, t as usize);
        adam_step(&mut w, [&mut m, &mut s], &g, p, t).unwrap();
    }
    [w, m, s]
}

#[test]
fn sgd_has_the_bits_of_naive_code() {
    on_every_isa("sgd_has_the_bits_of_naive_code", |isa| {
        for p in sgd_options() {
            for n in LENGTHS {
                let (mut w, mut v) = (numbers(n, 0), vec![0.0; n]);
                for t in 1..=STEPS {
                    for (i, g) in numbers(n, t as usize).into_iter().enumerate() {
                        naive_sgd(&mut w[i], &mut v[i], g, &p);
                    }
                }
                let found = run_sgd(n, &p).map(|x| bits(&x));
                assert!(found == [bits(&w), bits(&v)], "{n} {isa} {p:?}");
            }
        }
    });
}

#[test]
fn adam_is_near_naive_code_and_the_same_everywhere() {
    for p in adam_options() {
        let n = 4097;
        let wide = |x: Vec<f32>| -> Vec<f64> { x.into_iter().map(f64::from).collect() };
        let (mut w, mut m, mut s) = (wide(numbers(n, 0)), vec![0.0; n], vec![0.0; n]);
        for t in 1..=STEPS {
            for (i, g) in wide(numbers(n, t as usize)).into_iter().enumerate() {
                naive_adam(&mut w[i], &mut m[i], &mut s[i], g, (&p, t));
            }
        }
        let found = run_adam(n, &p);
        for (found, exact) in found.iter().zip([w, m, s]) {
            for (i, (&found, exact)) in found.iter().zip(exact).enumerate() {
                let error = (f64::from(found) - exact).abs();
                assert!(error < 1e-6 * (0.1 + exact.abs()), "{i}: {exact} {p:?}");
            }
        }
    }
    let mut first = None;
    on_every_isa("adam_is_the_same_everywhere", |isa| {
        let all: Vec<_> = adam_options()
            .iter()
            .flat_map(|p| LENGTHS.map(|n| run_adam(n, p).map(|x| bits(&x))))
            .collect();
        assert!(first.get_or_insert_with(|| all.clone()) == &all, "{isa}");
    });
}

#[test]
fn the_first_step_of_adam_is_the_learning_rate() {
    let (mut w, mut m, mut s) = (vec![0.0; 1000], vec![0.0; 1000], vec![0.0; 1000]);
    let g: Vec<f32> = (0..1000).map(|i| (i as f32 - 499.5) * 0.1).collect();
    adam_step(&mut w, [&mut m, &mut s], &g, &AdamParameters::default(), 1).unwrap();
    for (w, g) in w.iter().zip(&g) {
        assert!((w + 1e-3 * g.signum()).abs() < 1e-7, "{w} for {g}");
    }
}

#[test]
fn what_is_kept_of_a_parameter_without_gradients_ends_at_zero() {
    let sgd = SgdParameters {
        momentum: 0.9,
        ..SgdParameters::default()
    };
    let adam = AdamParameters {
        beta2: 0.9,
        ..AdamParameters::default()
    };
    on_every_isa("what_is_kept_ends_at_zero", |isa| {
        let (mut w, mut v) = ([1.0; 40], [1.0; 40]);
        let (mut u, mut m, mut s) = ([1.0; 40], [1.0; 40], [1.0; 40]);
        // 0.9^900 is below 2^-126; without a limit the numbers would stay at four times the least one.
        for t in 1..=900 {
            sgd_step(&mut w, &mut v, &[0.0; 40], &sgd).unwrap();
            adam_step(&mut u, [&mut m, &mut s], &[1e-42; 40], &adam, t).unwrap();
        }
        assert!([v, m, s].iter().flatten().all(|&x| x == 0.0), "{isa}");
        assert!(w.iter().chain(&u).all(|x| x.is_finite()), "{isa}");
    });
}

#[test]
fn a_rate_of_zero_moves_nothing_but_the_state() {
    let sgd = SgdParameters {
        learning_rate: 0.0,
        ..sgd_options()[7]
    };
    let adam = AdamParameters {
        learning_rate: 0.0,
        ..adam_options()[7]
    };
    assert_eq!(run_sgd(100, &sgd)[0], numbers(100, 0));
    assert_eq!(run_adam(100, &adam)[0], numbers(100, 0));
    assert!(run_adam(100, &adam)[2].iter().any(|&s| s > 0.0));
}

#[test]
fn threads_do_not_change_a_bit() {
    let n = 300_001;
    let mut w = Tensor::from_vec(numbers(n * 2, 1), &[n, 2]).unwrap();
    w.as_mut_slice()[7] = 1e3;
    let runs = [1, 2, 3, 8].map(|threads| {
        on_threads(threads, || {
            let mut scaled = w.clone();
            ops::max_norm_rows_in_place(&mut scaled, 0.7).unwrap();
            let norm = ops::squared_norm(&w).unwrap().to_bits();
            let steps = (
                run_sgd(n, &sgd_options()[11]),
                run_adam(n, &adam_options()[7]),
            );
            (steps, scaled, norm)
        })
    });
    assert!(runs.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn penalties_that_are_off_do_not_spread_an_infinity() {
    let off = SgdParameters::default();
    let mut w = [f32::INFINITY];
    sgd_step(&mut w, &mut [0.0], &[1.0], &off).unwrap();
    assert_eq!(w, [f32::INFINITY]);
    let mut w = [f32::INFINITY];
    let off = AdamParameters::default();
    adam_step(&mut w, [&mut [0.0], &mut [0.0]], &[1.0], &off, 1).unwrap();
    assert_eq!(w, [f32::INFINITY]);
}

#[test]
fn bad_arguments_of_steps_change_nothing() {
    let sgd = SgdParameters::default();
    let adam = AdamParameters::default();
    let mut bad_sgd = Vec::new();
    let mut bad_adam = Vec::new();
    for x in [-1e-3, f32::NAN, f32::INFINITY] {
        bad_sgd.extend([
            SgdParameters {
                learning_rate: x,
                ..sgd
            },
            SgdParameters {
                weight_decay: x,
                ..sgd
            },
            SgdParameters { momentum: x, ..sgd },
            SgdParameters { l1: x, ..sgd },
        ]);
        bad_adam.extend([
            AdamParameters {
                learning_rate: x,
                ..adam
            },
            AdamParameters {
                weight_decay: x,
                ..adam
            },
            AdamParameters { epsilon: x, ..adam },
            AdamParameters { beta1: x, ..adam },
            AdamParameters { beta2: x, ..adam },
            AdamParameters { l1: x, ..adam },
        ]);
    }
    bad_sgd.push(SgdParameters {
        momentum: 1.0,
        ..sgd
    });
    bad_adam.push(AdamParameters { beta2: 1.0, ..adam });
    let (mut w, mut a, mut b) = ([1.0], [2.0], [3.0]);
    for p in &bad_sgd {
        let result = sgd_step(&mut w, &mut a, &[1.0], p);
        assert!(matches!(result, Err(Error::Number { .. })), "{p:?}");
    }
    for p in &bad_adam {
        let result = adam_step(&mut w, [&mut a, &mut b], &[1.0], p, 1);
        assert!(matches!(result, Err(Error::Number { .. })), "{p:?}");
    }
    let result = adam_step(&mut w, [&mut a, &mut b], &[1.0], &adam, 0);
    assert!(matches!(result, Err(Error::Number { .. })));
    for result in [
        sgd_step(&mut w, &mut [], &[1.0], &sgd),
        sgd_step(&mut w, &mut a, &[], &sgd),
        adam_step(&mut w, [&mut a, &mut []], &[1.0], &adam, 1),
        adam_step(&mut w, [&mut [], &mut b], &[1.0], &adam, 1),
        adam_step(&mut w, [&mut a, &mut b], &[], &adam, 1),
    ] {
        assert!(matches!(result, Err(Error::Length { .. })));
    }
    assert_eq!((w, a, b), ([1.0], [2.0], [3.0]));
}

#[test]
fn squared_norms_are_near_the_naive_ones() {
    let mut first = None;
    on_every_isa("squared_norm", |isa| {
        let all = LENGTHS.map(|n| {
            let x = numbers(n, 3);
            let exact: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let found = ops::squared_norm(View::contiguous(&x, &[n]).unwrap()).unwrap();
            assert!(
                (found - exact).abs() <= 1e-12 * exact,
                "{n}: {found} {exact}"
            );
            found.to_bits()
        });
        assert_eq!(*first.get_or_insert(all), all, "{isa}");
    });
    let x = Tensor::from_vec(numbers(35, 1), &[5, 7]).unwrap();
    let turned = x.view().transpose(0, 1).unwrap();
    let packed = turned.to_tensor().unwrap();
    assert_eq!(ops::squared_norm(turned), ops::squared_norm(&packed));
    let huge = Tensor::full(&[100], f32::MAX).unwrap();
    let exact = 100.0 * f64::from(f32::MAX).powi(2);
    assert!((ops::squared_norm(&huge).unwrap() / exact - 1.0).abs() < 1e-12);
    let nan = Tensor::full(&[1], f32::NAN).unwrap();
    assert!(ops::squared_norm(&nan).unwrap().is_nan());
}

#[test]
fn clipping_is_that_of_each_element() {
    on_every_isa("clip_in_place", |isa| {
        for n in LENGTHS {
            let mut x = numbers(n, 3);
            x.extend([
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::NAN,
                0.25,
                -0.25,
                -0.0,
            ]);
            let expected: Vec<f32> = x.iter().map(|x| x.clamp(-0.25, 0.25)).collect();
            let mut found = Tensor::from_slice(&x, &[x.len()]).unwrap();
            ops::clip_in_place(&mut found, 0.25).unwrap();
            assert!(bits(found.as_slice()) == bits(&expected), "{n} {isa}");
        }
    });
    for bad in [-1.0, f32::NAN, f32::INFINITY] {
        let mut x = Tensor::full(&[3], 2.0).unwrap();
        let result = ops::clip_in_place(&mut x, bad);
        assert!(matches!(result, Err(Error::Number { .. })));
        assert_eq!(x, Tensor::full(&[3], 2.0).unwrap());
    }
}

fn norm(row: &[f32]) -> f64 {
    row.iter()
        .map(|&x| f64::from(x).powi(2))
        .sum::<f64>()
        .sqrt()
}

/// Weights of a shape, and a norm that half of their rows exceed.
fn weights(shape: &[usize]) -> (Tensor, f32) {
    let (len, rows) = (shape.iter().product(), shape[0]);
    let mut w = Tensor::from_vec(numbers(len, 2), shape).unwrap();
    w.as_mut_slice()[0] *= 3.0;
    let mut norms: Vec<f64> = w.as_slice().chunks(len / rows).map(norm).collect();
    norms.sort_by(f64::total_cmp);
    (w, norms[rows / 2] as f32)
}

fn check_row(before: &[f32], after: &[f32], c: f64) {
    if norm(before) <= c {
        assert_eq!(bits(before), bits(after));
        return;
    }
    assert!((norm(after) / c - 1.0).abs() < 1e-6);
    let factor = c / norm(before);
    for (&before, &after) in before.iter().zip(after) {
        let error = f64::from(after) - f64::from(before) * factor;
        assert!(error.abs() <= 2e-7 * f64::from(after.abs()));
    }
}

#[test]
fn long_rows_become_as_long_as_the_limit_and_others_keep_their_bits() {
    let shapes = [&[7, 1][..], &[5, 16], &[3, 17], &[40, 3, 3, 5], &[3, 9001]];
    let mut first = None;
    on_every_isa("max_norm_rows_in_place", |isa| {
        let all = shapes.map(|shape| {
            let (w, c) = weights(shape);
            let mut found = w.clone();
            ops::max_norm_rows_in_place(&mut found, c).unwrap();
            let n = w.len() / shape[0];
            for (before, after) in w.as_slice().chunks(n).zip(found.as_slice().chunks(n)) {
                check_row(before, after, c.into());
            }
            assert_ne!(w, found, "some row is scaled");
            bits(found.as_slice())
        });
        assert!(first.get_or_insert_with(|| all.clone()) == &all, "{isa}");
    });
}

#[test]
fn odd_weights_of_a_limited_norm() {
    // Through strides: the rows of the view are the columns of the tensor.
    let mut w = Tensor::from_slice(&[3.0, 0.1, 4.0, 0.2], &[2, 2]).unwrap();
    ops::max_norm_rows_in_place(w.view_mut().transpose(0, 1).unwrap(), 2.5).unwrap();
    assert_eq!(w.as_slice(), [1.5, 0.1, 2.0, 0.2]);
    // A row without a finite norm is left alone; the largest numbers have one.
    let odd = [f32::NAN, 9.0, f32::INFINITY, 9.0, f32::MAX, 0.0];
    let mut w = Tensor::from_slice(&odd, &[3, 2]).unwrap();
    ops::max_norm_rows_in_place(&mut w, 1.0).unwrap();
    assert_eq!(bits(&w.as_slice()[..4]), bits(&odd[..4]));
    assert!((w.as_slice()[4] - 1.0).abs() < 1e-6 && w.as_slice()[5] == 0.0);
    for shape in [&[0, 3][..], &[3, 0]] {
        let mut empty = Tensor::zeros(shape).unwrap();
        ops::max_norm_rows_in_place(&mut empty, 1.0).unwrap();
    }
    let mut row = Tensor::full(&[4], 2.0).unwrap();
    let result = ops::max_norm_rows_in_place(&mut row, 1.0);
    assert!(matches!(
        result,
        Err(Error::Rank {
            expected: 2,
            found: 1,
            ..
        })
    ));
    let mut w = Tensor::full(&[2, 2], 2.0).unwrap();
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let result = ops::max_norm_rows_in_place(&mut w, bad);
        assert!(matches!(result, Err(Error::Number { .. })));
    }
    assert_eq!(w, Tensor::full(&[2, 2], 2.0).unwrap());
}
