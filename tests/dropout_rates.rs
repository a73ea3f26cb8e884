//! Dropout at a rate of each element's or each channel's own.

#[path = "support/stats.rs"]
#[allow(dead_code, reason = "rates take a part of this")]
mod stats;
mod support;
#[path = "support/twins.rs"]
mod twins;

use elision::autograd::{Tape, Var};
use elision::reference::{noise as naive, tape};
use elision::{Error, Key, Mask, Tensor, ops};
use stats::{Scores, binomial};
use support::{bits, noise as values, on_every_isa, on_threads};

fn key() -> Key {
    Key::new(6).fold_in(4)
}

/// Rates of all sizes, the ends included.
fn rates(n: usize) -> Tensor {
    let rate = |i: usize| match i % 7 {
        0 => 0.0,
        1 => 1.0,
        k => (k as f32 * 0.19 + i as f32 * 0.37).fract(),
    };
    Tensor::from_vec((0..n).map(rate).collect(), &[n]).unwrap()
}

#[test]
fn bits_are_the_references() {
    for n in [0, 1, 15, 17, 63, 64, 65, 4095, 4097, 9000] {
        let rates = rates(n);
        let stream = key().named("rates").to_u128();
        let kept: Vec<bool> = (0..n)
            .map(|i| naive::kept_at(stream, i as u64, rates.as_slice()[i]))
            .collect();
        on_every_isa("rates of each element", |isa| {
            let found = Mask::draw_rates(key(), &rates).unwrap();
            assert!(found == Mask::from_bools(&kept), "{isa}: {n} elements");
        });
    }
    let many = rates(700_001);
    let all = Mask::draw_rates(key(), &many).unwrap();
    for threads in [1, 2, 3] {
        assert!(on_threads(threads, || Mask::draw_rates(key(), &many)).unwrap() == all);
    }
    let first = Mask::draw_rates(key(), many.view().slice(0, 0..5000).unwrap()).unwrap();
    assert_eq!(
        first,
        all.slice(0..5000).unwrap(),
        "a bit depends on its index alone"
    );
}

#[test]
fn rates_are_honoured() {
    let n = 1 << 22;
    let mut scores = Scores::default();
    for (i, p) in (0..).zip([1e-6f32, 0.001, 0.1, 0.5, 0.9, 0.999]) {
        let rates = Tensor::full(&[n], p).unwrap();
        let mask = Mask::draw_rates(key().fold_in(i), &rates).unwrap();
        let dropped = (n - mask.count_kept()) as u64;
        scores.add(binomial(dropped, n as u64, p.into()), || {
            format!("rate {p}")
        });
    }
    // Channels of one tensor, each by its own rate.
    let channels = [0.05f32, 0.25, 0.5, 0.75];
    let row = Tensor::from_slice(&channels, &[4]).unwrap();
    let x = Tensor::full(&[n / 4, 4], 1.0).unwrap();
    let (_, mask) = ops::dropout_rates(&x, &row, key()).unwrap();
    for (channel, p) in channels.into_iter().enumerate() {
        let dropped = mask.not().kept().filter(|i| i % 4 == channel).count();
        let p_value = binomial(dropped as u64, n as u64 / 4, p.into());
        scores.add(p_value, || format!("channel {channel}"));
    }
    scores.assert_random();
}

#[test]
fn zero_never_drops_and_one_always_does() {
    let n = 1 << 20;
    let full = |p| Tensor::full(&[n], p).unwrap();
    assert_eq!(Mask::draw_rates(key(), &full(0.0)).unwrap(), Mask::all(n));
    assert_eq!(Mask::draw_rates(key(), &full(1.0)).unwrap(), Mask::none(n));
    let x = Tensor::full(&[3], f32::NAN).unwrap();
    let (y, _) = ops::dropout_rates(&x, &Tensor::full(&[3], 1.0).unwrap(), key()).unwrap();
    assert_eq!(bits(y.as_slice()), [0; 3], "a dropped NaN is +0.0");
}

#[test]
fn kept_elements_are_scaled_by_their_own_rate() {
    let x = values(&[5, 3, 14], 1);
    let row = rates(14);
    on_every_isa("dropout at rates", |_| {
        let (y, mask) = ops::dropout_rates(&x, &row, key()).unwrap();
        for (i, (&x, &y)) in x.as_slice().iter().zip(y.as_slice()).enumerate() {
            let p = f64::from(row.as_slice()[i % 14]);
            let wanted = match mask.get(i) {
                Some(true) => x * (1.0 / (1.0 - p)) as f32,
                _ => 0.0,
            };
            assert_eq!(y.to_bits(), wanted.to_bits(), "element {i} at {p}");
        }
    });
    // Broadcast by hand.
    let whole = row.view().broadcast_to(&[5, 3, 14]).unwrap();
    let found = ops::dropout_rates(&x, whole, key()).unwrap();
    assert_eq!(found, ops::dropout_rates(&x, &row, key()).unwrap());
    assert_eq!(found.1, Mask::draw_rates(key(), whole).unwrap());
}

#[test]
fn gradients_are_those_of_the_naive_tape() {
    let (x, row) = (values(&[6, 14], 8), rates(14));
    let mask = ops::dropout_rates(&x, &row, key()).unwrap().1;
    on_every_isa("gradients of dropout at rates", |_| {
        twins::check(
            "dropout at rates",
            std::slice::from_ref(&x),
            |inputs: &[Var]| inputs[0].dropout_rates(&row, key()),
            |tape, inputs| {
                let factor = |i: usize| match mask.get(i) {
                    Some(true) => 1.0 / (1.0 - f64::from(row.as_slice()[i % 14])),
                    _ => 0.0,
                };
                let factors = tape::Array::new((0..84).map(factor).collect(), &[6, 14]);
                let factors = tape.leaf(factors);
                tape.mul(inputs[0], factors)
            },
        );
    });
}

#[test]
fn wrong_arguments_are_errors_and_change_nothing() {
    for bad in [-0.1f32, 1.5, f32::NAN, f32::INFINITY] {
        let rates = Tensor::from_slice(&[0.5, 0.1, bad], &[3]).unwrap();
        let at = |found: Error| match found {
            Error::Rate { position, value } => {
                assert_eq!((position, value.to_bits()), (2, f64::from(bad).to_bits()));
            }
            other => panic!("{other}"),
        };
        at(Mask::draw_rates(key(), &rates).unwrap_err());
        let x = values(&[2, 3], 1);
        at(ops::dropout_rates(&x, &rates, key()).unwrap_err());
        at(Tape::new()
            .constant(x)
            .dropout_rates(&rates, key())
            .unwrap_err());
    }
    let (x, rates) = (values(&[2, 3], 1), Tensor::full(&[2], 0.5).unwrap());
    let found = ops::dropout_rates(&x, &rates, key());
    assert!(matches!(found, Err(Error::Broadcast { .. })));
    let rates = Tensor::full(&[3], 0.5).unwrap();
    let mut out = Tensor::full(&[2, 3], 9.0).unwrap();
    let found = ops::dropout_rates_backward_into(&x, &rates, &Mask::all(5), &mut out);
    assert!(matches!(found, Err(Error::Length { .. })));
    let mut wrong = Tensor::full(&[6], 9.0).unwrap();
    let found = ops::dropout_rates_backward_into(&x, &rates, &Mask::all(6), &mut wrong);
    assert!(matches!(found, Err(Error::Shape { .. })));
    assert_eq!(
        (out.as_slice(), wrong.as_slice()),
        (&[9.0; 6][..], &[9.0; 6][..])
    );
    let wide = Tensor::full(&[2, 2, 3], 0.5).unwrap();
    let found = ops::dropout_rates(&x, &wide, key());
    assert!(matches!(found, Err(Error::Broadcast { .. })));
}
