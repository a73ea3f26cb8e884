//! Dropout of attention heads.

mod support;

use elision::{Dropout, Error, Key, Mask, Tensor, ops};
use support::{bits, noise, on_every_isa, on_threads};

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(8).named("heads of a layer"), p).unwrap()
}

/// The heads that each sample keeps.
fn kept(mask: &Mask, heads: usize) -> Vec<Vec<bool>> {
    let all = mask.to_bools();
    all.chunks(heads).map(<[bool]>::to_vec).collect()
}

#[test]
fn kept_heads_are_multiplied_by_the_share_of_their_sample() {
    on_every_isa("DropHead", |_| {
        for shape in [
            &[5, 8][..],
            &[7, 4, 3],
            &[3, 12, 10, 16],
            &[2, 3, 50, 30],
            &[4, 1, 9],
        ] {
            let (samples, heads) = (shape[0], shape[1]);
            let inner: usize = shape[2..].iter().product();
            let x = noise(shape, 1);
            for p in [0.0, 0.2, 0.9, 0.9999] {
                let (y, mask) = ops::drop_heads(&x, &dropout(p)).unwrap();
                assert_eq!(mask, Mask::draw_heads(&dropout(p), samples, heads).unwrap());
                let all = kept(&mask, heads);
                for (i, (x, y)) in x.as_slice().iter().zip(y.as_slice()).enumerate() {
                    let sample = &all[i / inner / heads];
                    let count = sample.iter().filter(|&&kept| kept).count();
                    assert!(count > 0);
                    let scale = (heads as f64 / count as f64) as f32;
                    let want = if sample[i / inner % heads] {
                        x * scale
                    } else {
                        0.0
                    };
                    assert_eq!(y.to_bits(), want.to_bits());
                }
                // It is linear: the gradient is the same function.
                let dx = ops::drop_heads_backward(&x, &mask).unwrap();
                assert_eq!(bits(dx.as_slice()), bits(y.as_slice()));
            }
        }
    });
}

#[test]
fn a_sample_that_keeps_a_head_has_the_ordinary_bits() {
    let (samples, heads, d) = (2000, 4, dropout(0.6));
    let ordinary = kept(&Mask::draw(&d, samples * heads).unwrap(), heads);
    let found = kept(&Mask::draw_heads(&d, samples, heads).unwrap(), heads);
    let mut drawn_anew = 0;
    for (ordinary, found) in ordinary.iter().zip(&found) {
        if ordinary.contains(&true) {
            assert_eq!(ordinary, found);
        } else {
            drawn_anew += 1;
            assert!(found.contains(&true));
        }
    }
    assert!(drawn_anew > 100, "{drawn_anew}");
}

#[test]
fn the_bits_are_those_of_dropout_given_that_a_head_is_kept() {
    let (samples, heads) = (40_000, 3);
    for p in [0.3, 0.7, 0.95] {
        let found = kept(
            &Mask::draw_heads(&dropout(p), samples, heads).unwrap(),
            heads,
        );
        let all_dropped = f64::powi(p, 3);
        let mut statistic = 0.0;
        for pattern in 1_usize..8 {
            let bits: Vec<bool> = (0..3).map(|i| pattern >> i & 1 == 1).collect();
            let count = found.iter().filter(|found| **found == bits).count() as f64;
            let ones = pattern.count_ones() as i32;
            let probability = (1.0 - p).powi(ones) * f64::powi(p, 3 - ones) / (1.0 - all_dropped);
            let expected = samples as f64 * probability;
            statistic += (count - expected).powi(2) / expected;
        }
        // Chi-squared with 6 degrees of freedom.
        assert!((statistic - 6.0) / 12_f64.sqrt() < 5.0, "{p}: {statistic}");
    }
}

#[test]
fn a_rate_just_below_one_keeps_one_head_anywhere() {
    let p = 1.0 - f64::EPSILON / 2.0;
    let found = kept(&Mask::draw_heads(&dropout(p), 3000, 3).unwrap(), 3);
    for head in 0..3 {
        let count = found.iter().filter(|found| found[head]).count() as f64;
        // Each of 3,000 with probability 1/3: the standard deviation is 25.8.
        assert!((count - 1000.0).abs() < 5.0 * 25.8, "{head}: {count}");
    }
    assert!(
        found
            .iter()
            .all(|found| found.iter().filter(|&&kept| kept).count() == 1)
    );
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let x = noise(&[40, 8, 30, 20], 1);
    let run = || bits(ops::drop_heads(&x, &dropout(0.4)).unwrap().0.as_slice());
    let one = on_threads(1, run);
    for threads in [2, 5] {
        assert!(on_threads(threads, run) == one);
    }
}

#[test]
fn what_is_wrong_is_an_error() {
    let x = noise(&[4, 3, 2], 1);
    assert!(matches!(
        ops::drop_heads(&x, &dropout(1.0)),
        Err(Error::Number { value: 1.0, .. })
    ));
    assert_eq!(
        ops::drop_heads(&noise(&[4], 1), &dropout(0.5)).unwrap_err(),
        Error::Axis { axis: 1, rank: 1 }
    );
    assert!(matches!(
        ops::drop_heads_backward(&x, &Mask::all(11)),
        Err(Error::Length { .. })
    ));
    let mut out = Tensor::full(&[4, 2, 3], 7.0).unwrap();
    let result = ops::drop_heads_into(&x, &dropout(0.5), &mut out);
    assert!(matches!(result, Err(Error::Shape { .. })));
    assert!(out.as_slice().iter().all(|&y| y == 7.0));
    for shape in [[0, 3, 2], [4, 0, 2], [4, 3, 0]] {
        assert!(ops::drop_heads(&noise(&shape, 1), &dropout(0.5)).is_ok());
    }
}

#[test]
fn a_dropped_head_is_zero_whatever_it_was() {
    let x = Tensor::full(&[50, 4, 33], f32::NAN).unwrap();
    let (y, mask) = ops::drop_heads(&x, &dropout(0.5)).unwrap();
    for (i, y) in y.as_slice().iter().enumerate() {
        assert_eq!(mask.get(i / 33) == Some(false), y.to_bits() == 0);
    }
}
