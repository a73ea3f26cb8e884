//! Gradients of dropout of groups, against the naive tape in f64.

mod support;
#[path = "support/twins.rs"]
mod twins;

use elision::autograd::{Tape, Var};
use elision::reference::{shared, tape as naive};
use elision::{DropBlock, Dropout, Error, Form, Key, Mask, Result, SharedMask, ops};
use support::{bits, noise, on_every_isa};
use twins::check;

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(11), p).unwrap().with_offset(7)
}

/// One decision an element, naively.
fn kept(mask: &Mask, noise_shape: &[usize], shape: &[usize]) -> Vec<bool> {
    shared::broadcast(&mask.to_bools(), noise_shape, shape).unwrap()
}

#[test]
fn shared_dropout() {
    on_every_isa("gradients of shared dropout", |isa| {
        for noise_shape in [
            [4, 1, 6],
            [1, 1, 6],
            [4, 5, 1],
            [4, 1, 1],
            [1, 1, 1],
            [4, 5, 6],
        ] {
            for d in [
                dropout(0.0),
                dropout(0.4),
                dropout(0.4).with_form(Form::Original),
                dropout(1.0),
            ] {
                let mask = Mask::draw(&d, noise_shape.iter().product()).unwrap();
                let kept = kept(&mask, &noise_shape, &[4, 5, 6]);
                check(
                    &format!("{isa} {noise_shape:?} {d:?}"),
                    &[noise(&[4, 5, 6], 1)],
                    |v| v[0].dropout_shared(&noise_shape, &d),
                    |t, v| t.mask(v[0], &kept, f64::from(d.scale())),
                );
            }
        }
    });
}

#[test]
fn blocks() {
    on_every_isa("gradients of DropBlock", |isa| {
        let (shape, block) = ([2, 5, 4, 3], DropBlock::new(2).unwrap());
        for block in [block, block.coupled()] {
            for p in [0.0, 0.3, 1.0] {
                let mask = SharedMask::draw_blocks(&block, &dropout(p), &shape).unwrap();
                let kept = kept(mask.mask(), mask.noise_shape(), &shape);
                check(
                    &format!("{isa} {block:?} {p}"),
                    &[noise(&shape, 1)],
                    |v| v[0].drop_block(&block, &dropout(p)),
                    |t, v| t.mask(v[0], &kept, f64::from(mask.scale())),
                );
            }
        }
    });
}

/// Each head of each sample by itself, naively: the factors are those of samples.
fn naive_heads(
    tape: &mut naive::Tape,
    x: naive::Value,
    mask: &Mask,
    shape: &[usize],
) -> naive::Value {
    let (heads, inner) = (shape[1], shape[2..].iter().product::<usize>());
    let all = mask.to_bools();
    let factor = |i: usize| {
        let sample = &all[i / inner / heads * heads..][..heads];
        let count = sample.iter().filter(|&&kept| kept).count();
        let scale = (heads as f64 / count as f64) as f32;
        if sample[i / inner % heads] {
            scale.into()
        } else {
            0.0
        }
    };
    let len = shape.iter().product();
    let factors = naive::Array::new((0..len).map(factor).collect(), shape);
    let factors = tape.leaf(factors);
    tape.mul(x, factors)
}

#[test]
fn heads() {
    on_every_isa("gradients of DropHead", |isa| {
        for shape in [&[3, 4, 5, 2][..], &[6, 4], &[2, 1, 3]] {
            for p in [0.0, 0.6] {
                let mask = Mask::draw_heads(&dropout(p), shape[0], shape[1]).unwrap();
                check(
                    &format!("{isa} {shape:?} {p}"),
                    &[noise(shape, 1)],
                    |v| v[0].drop_heads(&dropout(p)),
                    |t, v| naive_heads(t, v[0], &mask, shape),
                );
            }
        }
    });
}

#[test]
fn words() {
    let indices = [3, 0, 3, 6, 2, 2, 2];
    on_every_isa("gradients of word dropout", |isa| {
        for p in [0.0, 0.5] {
            let mask = Mask::draw(&dropout(p), 8).unwrap();
            let kept = kept(&mask, &[8, 1], &[8, 3]);
            check(
                &format!("{isa} {p}"),
                &[noise(&[8, 3], 1)],
                |v| v[0].word_dropout(&indices, &dropout(p)),
                |t, v| {
                    let table = t.mask(v[0], &kept, f64::from(dropout(p).scale()));
                    t.embedding(table, &indices)
                },
            );
        }
    });
}

#[test]
fn a_note_keeps_one_bit_a_group() {
    for recomputing in [false, true] {
        let tape = Tape::new();
        tape.set_recomputing(recomputing);
        let x = tape.variable(noise(&[32, 8, 8, 64], 1));
        let own = |y: Result<Var>| {
            let _y = y.unwrap();
            tape.notes().last().map(|note| note.kept.own_bytes())
        };
        let bytes = |bytes| Some(if recomputing { 0 } else { bytes });
        let d = dropout(0.5);
        assert_eq!(own(x.dropout_shared(&[32, 1, 1, 64], &d)), bytes(256));
        assert_eq!(own(x.dropout_shared(&[1, 1, 1, 64], &d)), bytes(8));
        let block = DropBlock::new(3).unwrap();
        assert_eq!(own(x.drop_block(&block, &d)), bytes(32 * 64 * 8));
        assert_eq!(own(x.drop_block(&block.coupled(), &d)), bytes(32 * 8));
    }
}

#[test]
fn what_is_wrong_is_an_error_of_the_operation() {
    let tape = Tape::new();
    let (x, d) = (tape.variable(noise(&[4, 5], 1)), dropout(0.5));
    for recomputing in [false, true] {
        tape.set_recomputing(recomputing);
        let error = x.dropout_shared(&[5, 1], &d).unwrap_err();
        assert!(matches!(error, Error::Broadcast { .. }), "{error}");
        let huge = [usize::MAX, usize::MAX];
        assert!(x.dropout_shared(&huge, &d).is_err());
        assert!(x.dropout_shared(&[1 << 62, 1], &d).is_err());
    }
    assert!(x.drop_block(&DropBlock::new(2).unwrap(), &d).is_err());
    assert!(x.drop_heads(&dropout(1.0)).is_err());
    assert!(x.word_dropout(&[4], &d).is_err());
    assert!(tape.variable(noise(&[4], 1)).drop_heads(&d).is_err());
    assert!(
        tape.variable(noise(&[4], 1))
            .word_dropout(&[0], &d)
            .is_err()
    );
}

#[test]
fn the_variable_is_the_operation() {
    let (x, d) = (noise(&[6, 7, 8], 1), dropout(0.3));
    let v = Tape::new().variable(x.clone());
    let (y, _) = ops::dropout_shared(&x, &[6, 1, 8], &d).unwrap();
    let found = v.dropout_shared(&[6, 1, 8], &d).unwrap();
    assert_eq!(bits(found.value().as_slice()), bits(y.as_slice()));
}
