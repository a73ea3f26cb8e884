//! Dropout of words as their rows are gathered.

mod support;

use elision::{Dropout, Error, Form, Key, Mask, Tensor, ops};
use support::{bits, noise, on_every_isa, on_threads};

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(8).named("words"), p).unwrap()
}

/// Indices that repeat and leave some rows out.
fn indices(len: usize, rows: usize) -> Vec<u32> {
    (0..len).map(|i| ((i * i + 3 * i) % rows) as u32).collect()
}

#[test]
fn all_occurrences_of_a_word_share_their_fate() {
    on_every_isa("word dropout", |_| {
        for (rows, n, len) in [(1, 1, 5), (7, 15, 20), (7, 16, 0), (300, 17, 999)] {
            for d in [
                dropout(0.0),
                dropout(0.4),
                dropout(0.4).with_form(Form::Original).with_offset(100),
                dropout(1.0),
            ] {
                let (table, indices) = (noise(&[rows, n], 1), indices(len, rows));
                let (y, mask) = ops::word_dropout(&table, &indices, &d).unwrap();
                assert_eq!(mask, Mask::draw(&d, rows).unwrap());
                for (y, &index) in y.as_slice().chunks(n).zip(&indices) {
                    let row = &table.as_slice()[index as usize * n..][..n];
                    let want = row.iter().map(|x| match mask.get(index as usize) {
                        Some(true) => (x * d.scale()).to_bits(),
                        _ => 0,
                    });
                    assert_eq!(bits(y), want.collect::<Vec<_>>());
                }
            }
        }
    });
}

#[test]
fn no_dropout_is_the_embedding() {
    let (table, indices) = (noise(&[30, 7], 1), indices(100, 30));
    let (y, _) = ops::word_dropout(&table, &indices, &dropout(0.0)).unwrap();
    let plain = ops::embedding(&table, &indices).unwrap();
    assert_eq!(bits(y.as_slice()), bits(plain.as_slice()));
}

#[test]
fn the_gradient_is_that_of_the_kept_words() {
    on_every_isa("gradient of word dropout", |_| {
        let (rows, n, len, d) = (40, 9, 300, dropout(0.4));
        let (dy, indices) = (noise(&[len, n], 2), indices(len, rows));
        let mask = Mask::draw(&d, rows).unwrap();
        let mut expected = noise(&[rows, n], 3);
        let mut grad = expected.clone();
        for (dy, &index) in dy.as_slice().chunks(n).zip(&indices) {
            for (j, dy) in dy.iter().enumerate() {
                if mask.get(index as usize) == Some(true) {
                    expected.as_mut_slice()[index as usize * n + j] += dy * d.scale();
                }
            }
        }
        ops::word_dropout_backward_into(&dy, &indices, &d, &mask, &mut grad).unwrap();
        assert_eq!(bits(grad.as_slice()), bits(expected.as_slice()));
    });
}

#[test]
fn a_dropped_word_is_zero_whatever_it_was() {
    let table = Tensor::full(&[50, 3], f32::NAN).unwrap();
    let indices: Vec<u32> = (0..50).collect();
    let (y, mask) = ops::word_dropout(&table, &indices, &dropout(0.5)).unwrap();
    for (i, y) in y.as_slice().iter().enumerate() {
        assert_eq!(mask.get(i / 3) == Some(false), y.to_bits() == 0);
    }
    // Nor does a NaN in the gradient of a dropped word reach the table.
    let mut grad = Tensor::zeros(&[50, 3]).unwrap();
    ops::word_dropout_backward_into(&table, &indices, &dropout(0.5), &mask, &mut grad).unwrap();
    for (i, g) in grad.as_slice().iter().enumerate() {
        assert_eq!(mask.get(i / 3) == Some(true), g.is_nan());
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (table, indices) = (noise(&[3000, 33], 1), indices(5000, 3000));
    let run = || {
        let (y, mask) = ops::word_dropout(&table, &indices, &dropout(0.3)).unwrap();
        let mut grad = Tensor::zeros(&[3000, 33]).unwrap();
        ops::word_dropout_backward_into(&y, &indices, &dropout(0.3), &mask, &mut grad).unwrap();
        (bits(y.as_slice()), bits(grad.as_slice()))
    };
    let one = on_threads(1, run);
    for threads in [2, 3, 8] {
        assert!(on_threads(threads, run) == one);
    }
}

#[test]
fn calls_that_are_wrong_are_errors_and_write_nothing() {
    let (table, d) = (noise(&[5, 2], 1), dropout(0.5));
    let error = ops::word_dropout(&table, &[4, 5], &d).unwrap_err();
    assert!(matches!(error, Error::Index { .. }), "{error}");
    let error = ops::word_dropout(&noise(&[5], 1), &[0], &d).unwrap_err();
    assert!(matches!(error, Error::Rank { .. }), "{error}");
    let late = d.with_offset(u64::MAX - 2);
    let error = ops::word_dropout(&table, &[0], &late).unwrap_err();
    assert!(matches!(error, Error::Overflow(_)), "{error}");

    let mut out = Tensor::full(&[1, 2], 7.0).unwrap();
    for (d, mut keep) in [(&d, Mask::all(4)), (&late, Mask::all(5))] {
        let before = keep.clone();
        assert!(ops::word_dropout_into(&table, &[0], d, &mut out, &mut keep).is_err());
        assert_eq!((&keep, out.as_slice()), (&before, &[7.0; 2][..]));
    }
    let mut grad = Tensor::full(&[5, 2], 7.0).unwrap();
    let run = |mask: &Mask, indices: &[u32], grad: &mut Tensor| {
        ops::word_dropout_backward_into(&noise(&[1, 2], 2), indices, &d, mask, grad)
    };
    assert!(matches!(
        run(&Mask::all(4), &[0], &mut grad),
        Err(Error::Length { .. })
    ));
    assert!(matches!(
        run(&Mask::all(5), &[5], &mut grad),
        Err(Error::Index { .. })
    ));
    assert!(matches!(
        run(&Mask::all(5), &[0, 1], &mut grad),
        Err(Error::Shape { .. })
    ));
    assert!(grad.as_slice().iter().all(|&g| g == 7.0));
}
