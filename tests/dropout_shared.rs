//! Dropout of groups that share a fate, against the specification.

mod support;

use elision::reference::{dropout as naive, shared, stream};
use elision::{Channels, Dropout, Error, Form, Key, Mask, Tensor, View, ViewMut, Where, ops};
use support::{SPECIAL, bits, noise, on_every_isa, on_threads};

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(5).fold_in(6), p)
        .unwrap()
        .with_offset(4090)
}

/// Ordinary numbers with special ones strewn among them.
fn mixed(shape: &[usize], seed: u64) -> Tensor {
    let mut x = noise(shape, seed);
    for (i, x) in x.as_mut_slice().iter_mut().enumerate().step_by(3) {
        *x = SPECIAL[i / 3 % SPECIAL.len()];
    }
    x
}

fn expected(x: &Tensor, noise_shape: &[usize], dropout: &Dropout) -> (Vec<f32>, Vec<bool>) {
    let (key, groups) = (dropout.key().to_u128(), noise_shape.iter().product());
    let small = stream::keep_bits(key, dropout.p(), dropout.offset(), groups).unwrap();
    let kept = shared::broadcast(&small, noise_shape, x.shape()).unwrap();
    let y = match dropout.form() {
        Form::Inverted => naive::forward(x.as_slice(), &kept, dropout.p()),
        Form::Original => naive::forward_original(x.as_slice(), &kept),
    };
    (y.unwrap(), small)
}

#[track_caller]
fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(same, "{what}: element {i} is {found:e}, not {expected:e}");
    }
}

/// Every road of one dropout.
fn check(shape: &[usize], noise_shape: &[usize], dropout: &Dropout) {
    let (x, g) = (mixed(shape, 1), mixed(shape, 2));
    let (y, small) = expected(&x, noise_shape, dropout);
    let (dx, _) = expected(&g, noise_shape, dropout);
    let what = format!("{noise_shape:?} over {shape:?}, p = {}", dropout.p());

    let (found, mask) = ops::dropout_shared(&x, noise_shape, dropout).unwrap();
    assert_same(found.as_slice(), &y, &what);
    assert_eq!(mask.to_bools(), small, "{what}");
    assert_eq!(mask, Mask::draw(dropout, small.len()).unwrap(), "{what}");

    let mut out = Tensor::full(shape, f32::NAN).unwrap();
    ops::dropout_shared_into(&x, noise_shape, dropout, &mut out, None).unwrap();
    assert_same(out.as_slice(), &y, &format!("{what}, unsaved"));

    let mut keep = Mask::all(small.len());
    ops::dropout_shared_into(&x, noise_shape, dropout, &mut out, Some(&mut keep)).unwrap();
    assert_eq!(keep, mask, "{what}: on used memory");
    for mask in [None, Some(&mask)] {
        let found = ops::dropout_shared_backward(&g, noise_shape, dropout, mask).unwrap();
        assert_same(found.as_slice(), &dx, &format!("{what}, backward"));
    }
}

/// Shapes whose innermost runs are shorter and longer than what is expanded at a time.
const SHAPES: [[usize; 4]; 6] = [
    [2, 3, 5, 7],
    [3, 14, 14, 64],
    [3, 64, 14, 14],
    [2, 5, 1, 1030],
    [5, 2, 3, 600],
    [1, 2, 70, 65],
];

const PLACES: [Where; 8] = [
    Where::Element,
    Where::Unit,
    Where::Channel(Channels::Last),
    Where::Channel(Channels::First),
    Where::Row,
    Where::Sample,
    Where::Locked { time: 1 },
    Where::Locked { time: 0 },
];

#[test]
fn every_geometry_is_the_reference() {
    on_every_isa("shared dropout", |_| {
        for shape in SHAPES {
            for place in PLACES {
                let noise_shape = place.noise_shape(&shape).unwrap();
                check(&shape, &noise_shape, &dropout(0.3));
            }
            for bits in 0..16 {
                let size = |axis: usize| {
                    if bits >> axis & 1 == 1 {
                        1
                    } else {
                        shape[axis]
                    }
                };
                let noise_shape: Vec<_> = (0..4).map(size).collect();
                check(&shape, &noise_shape, &dropout(0.5));
            }
        }
        for shape in [&[][..], &[1], &[5000], &[0, 3], &[3, 0, 2], &[1, 1, 1]] {
            for place in [Where::Element, Where::axes(&[]).unwrap()] {
                check(shape, &place.noise_shape(shape).unwrap(), &dropout(0.5));
            }
            check(shape, &vec![1; shape.len()], &dropout(0.5));
        }
    });
}

#[test]
fn every_rate_and_form_is_the_reference() {
    on_every_isa("rates of shared dropout", |_| {
        for p in [0.0, 1e-300, 0.1, 0.9, 1.0] {
            for form in [Form::Inverted, Form::Original] {
                let dropout = dropout(p).with_form(form);
                check(&[3, 40, 33], &[3, 1, 33], &dropout);
                check(&[3, 40, 33], &[3, 40, 1], &dropout);
                check(&[4, 3000], &[4, 1], &dropout);
            }
        }
    });
}

#[test]
fn no_dropout_is_the_identity_bit_for_bit() {
    on_every_isa("shared dropout, p = 0", |_| {
        for (shape, noise_shape) in [
            ([9, 2000], [9, 1]),
            ([9, 2000], [1, 2000]),
            ([300, 7], [300, 1]),
        ] {
            let mut x = mixed(&shape, 1);
            x.as_mut_slice()[0] = f32::from_bits(0x7F80_0001);
            let (y, _) = ops::dropout_shared(&x, &noise_shape, &dropout(0.0)).unwrap();
            assert_eq!(bits(y.as_slice()), bits(x.as_slice()));
        }
    });
}

#[test]
fn noise_shapes_are_those_of_the_geometry() {
    let shape = |place: Where, shape: &[usize]| place.noise_shape(shape).unwrap().to_vec();
    let (last, first) = (
        Where::Channel(Channels::Last),
        Where::Channel(Channels::First),
    );
    assert_eq!(shape(Where::Unit, &[2, 3, 5]), [1, 1, 5]);
    assert_eq!(shape(Where::Row, &[2, 3, 5]), [2, 3, 1]);
    assert_eq!(shape(Where::Sample, &[2, 3, 5]), [2, 1, 1]);
    for (rank, spatial) in [(2, &[][..]), (3, &[7]), (4, &[7, 8]), (5, &[7, 8, 9])] {
        let ones = vec![1; rank - 2];
        assert_eq!(
            shape(last, &[&[2], spatial, &[3]].concat()),
            [&[2], &ones[..], &[3]].concat()
        );
        assert_eq!(
            shape(first, &[&[2, 3], spatial].concat()),
            [&[2, 3], &ones[..]].concat()
        );
    }
    assert_eq!(shape(Where::Locked { time: 0 }, &[7, 2, 5]), [1, 2, 5]);
    assert_eq!(shape(Where::Locked { time: 1 }, &[2, 7, 5]), [2, 1, 5]);
    let axes = Where::axes(&[3, 1]).unwrap();
    assert_eq!(shape(axes, &[2, 3, 4, 5]), [2, 1, 4, 1]);
    assert_eq!(shape(Where::Element, &[]), [0; 0]);
}

#[test]
fn geometries_that_do_not_fit_are_errors() {
    let axis = |axis, rank| Err(Error::Axis { axis, rank });
    assert_eq!(Where::Unit.noise_shape(&[]), axis(0, 0));
    assert_eq!(Where::Sample.noise_shape(&[]), axis(0, 0));
    assert_eq!(
        Where::Channel(Channels::First).noise_shape(&[3]),
        axis(1, 1)
    );
    assert_eq!(Where::Locked { time: 2 }.noise_shape(&[3, 4]), axis(2, 2));
    let far = Where::axes(&[0, 4]).unwrap();
    assert_eq!(far.noise_shape(&[1, 2, 3, 4]), axis(4, 4));
    assert_eq!(Where::axes(&[1, 0, 1]), Err(Error::RepeatedAxis(1)));
    assert_eq!(Where::axes(&[0; 9]), Err(Error::RankLimit(9)));
    assert_eq!(Where::Unit.noise_shape(&[1; 9]), Err(Error::RankLimit(9)));
}

#[test]
fn a_group_is_kept_or_dropped_whole_and_the_mean_stays() {
    let x = Tensor::full(&[400, 50, 3], 1.0).unwrap();
    let (y, mask) = ops::dropout_shared(&x, &[400, 1, 3], &dropout(0.25)).unwrap();
    for (i, y) in y.as_slice().iter().enumerate() {
        let kept = mask.get(i / 150 * 3 + i % 3).unwrap();
        assert_eq!(*y, if kept { dropout(0.25).scale() } else { 0.0 });
    }
    // 1,200 decisions: the standard deviation of the share is 0.0125.
    let share = mask.count_kept() as f64 / 1200.0;
    assert!((share - 0.75).abs() < 5.0 * 0.0125, "{share}");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for noise_shape in [[64, 1, 100], [64, 50, 1], [1, 1, 100], [64, 1, 1]] {
        let x = noise(&[64, 50, 100], 1);
        let run = || {
            let (y, mask) = ops::dropout_shared(&x, &noise_shape, &dropout(0.4)).unwrap();
            (bits(y.as_slice()), mask)
        };
        let one = on_threads(1, run);
        for threads in [2, 3, 8] {
            assert!(on_threads(threads, run) == one, "{noise_shape:?} {threads}");
        }
    }
}

#[test]
fn any_layout_gets_the_bits_of_its_copy() {
    on_every_isa("layouts of shared dropout", |_| {
        let source = mixed(&[24 * 80], 3);
        let (shape, strides) = ([35, 12], [1, 80]);
        let view = View::new(source.as_slice(), &shape, &strides).unwrap();
        let copy = view.to_tensor().unwrap();
        for noise_shape in [[35, 1], [1, 12]] {
            let (y, mask) = ops::dropout_shared(&copy, &noise_shape, &dropout(0.4)).unwrap();
            let (found, small) = ops::dropout_shared(view, &noise_shape, &dropout(0.4)).unwrap();
            assert_same(found.as_slice(), y.as_slice(), "a strided input");
            assert_eq!(small, mask);
            let mut memory = source.as_slice().to_vec();
            let out = ViewMut::new(&mut memory, &shape, &strides).unwrap();
            ops::dropout_shared_into(&copy, &noise_shape, &dropout(0.4), out, None).unwrap();
            for (i, y) in y.as_slice().iter().enumerate() {
                assert_same(&[memory[i / 12 + i % 12 * 80]], &[*y], "a strided output");
            }
        }
    });
}

#[test]
fn calls_that_are_wrong_are_errors_and_write_nothing() {
    let x = noise(&[4, 5], 1);
    let check = |expected: fn(&Error) -> bool, result: elision::Result<()>, out: &Tensor| {
        let error = result.expect_err("the call is wrong");
        assert!(expected(&error), "{error}");
        assert!(out.as_slice().iter().all(|&y| y == 7.0), "{error}");
    };
    let seven = |shape: &[usize]| Tensor::full(shape, 7.0).unwrap();
    let d = dropout(0.5);
    for noise_shape in [&[2, 5][..], &[4, 5, 1], &[4], &[0, 5]] {
        let mut out = seven(&[4, 5]);
        let result = ops::dropout_shared_into(&x, noise_shape, &d, &mut out, None);
        check(|e| matches!(e, Error::Broadcast { .. }), result, &out);
        assert!(ops::dropout_shared(&x, noise_shape, &d).is_err());
        assert!(ops::dropout_shared_backward(&x, noise_shape, &d, None).is_err());
    }
    let mut out = seven(&[5, 4]);
    let result = ops::dropout_shared_into(&x, &[4, 1], &d, &mut out, None);
    check(|e| matches!(e, Error::Shape { .. }), result, &out);
    let mut out = seven(&[4, 5]);
    let mut keep = Mask::all(5);
    let result = ops::dropout_shared_into(&x, &[4, 1], &d, &mut out, Some(&mut keep));
    check(|e| matches!(e, Error::Length { .. }), result, &out);
    assert_eq!(keep, Mask::all(5));
    let result = ops::dropout_shared_backward_into(&x, &[4, 1], &d, Some(&keep), &mut out);
    check(|e| matches!(e, Error::Length { .. }), result, &out);
    let late = d.with_offset(u64::MAX - 3);
    let result = ops::dropout_shared_into(&x, &[4, 1], &late, &mut out, None);
    check(|e| matches!(e, Error::Overflow(_)), result, &out);
    assert!(ops::dropout_shared_into(&x, &[1, 1], &late, &mut out, None).is_ok());
}

#[test]
fn nothing_is_drawn_for_nothing() {
    let shape = [0, 1 << 50];
    let x = Tensor::zeros(&shape).unwrap();
    let mut y = Tensor::zeros(&shape).unwrap();
    let noise_shape = [1, 1 << 50]; // 128 tebibytes of bits
    let done = ops::dropout_shared_into(&x, &noise_shape, &dropout(0.5), &mut y, None);
    assert_eq!(done, Ok(()));
}
