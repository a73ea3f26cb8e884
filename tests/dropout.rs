//! Dropout against the specification: every form, road, layout and special value.

mod support;

use elision::reference::{dropout as naive, stream};
use elision::{Dropout, Error, Form, Key, Mask, Tensor, View, ViewMut, ops};
use support::{SPECIAL, bits, on_every_isa, values};

const RATES: [f64; 8] = [
    0.0,
    1e-300,
    0.1,
    0.25,
    0.5,
    0.9,
    1.0 - f64::EPSILON / 2.0,
    1.0,
];
const LENGTHS: [usize; 9] = [0, 1, 16, 63, 64, 65, 511, 4097, 10_001];

/// A NaN that any arithmetic changes, so that only a copy keeps its bits.
const SIGNALLING: f32 = f32::from_bits(0x7F80_0001);

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(5).fold_in(6), p)
        .expect("p is a probability")
        .with_offset(4090)
}

fn kept(dropout: &Dropout, n: usize) -> Vec<bool> {
    let bits = stream::keep_bits(dropout.key().to_u128(), dropout.p(), dropout.offset(), n);
    bits.expect("the case is valid")
}

fn vector(data: &[f32]) -> Tensor {
    Tensor::from_slice(data, &[data.len()]).expect("the shape is right")
}

/// Ordinary values with the special ones strewn among them.
fn mixed(n: usize) -> Vec<f32> {
    let mut x = values(n);
    for (i, x) in x.iter_mut().enumerate().step_by(3) {
        *x = SPECIAL[i / 3 % SPECIAL.len()];
    }
    x
}

/// Asserts that two slices have the same bits, except that any NaN equals any NaN.
#[track_caller]
fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(
            same,
            "{what}: element {i} is {found:e}, expected {expected:e}"
        );
    }
}

/// Runs every road of one dropout and compares each with `forward` of the input and of the gradient.
fn check_roads(dropout: &Dropout, n: usize, forward: impl Fn(&[f32], &[bool]) -> Vec<f32>) {
    let (x, g) = (mixed(n), mixed(2 * n)[n..].to_vec());
    let kept = kept(dropout, n);
    let (y, dx) = (forward(&x, &kept), forward(&g, &kept));
    let expected = Mask::from_bools(&kept);
    let run = || -> elision::Result<()> {
        let (found, mask) = ops::dropout(&vector(&x), dropout)?;
        assert_same(found.as_slice(), &y, "dropout");
        assert!(mask == expected, "the mask of dropout");

        let mut out = Tensor::full(&[n], f32::NAN)?;
        ops::dropout_into(&vector(&x), dropout, &mut out, None)?;
        assert_same(out.as_slice(), &y, "dropout_into without a mask");

        let (mut out, mut keep) = (Tensor::full(&[n], f32::NAN)?, Mask::all(n));
        ops::dropout_into(&vector(&x), dropout, &mut out, Some(&mut keep))?;
        assert_same(out.as_slice(), &y, "dropout_into with a mask");
        assert!(keep == expected, "the mask of dropout_into");

        for with_mask in [false, true] {
            let (mut out, mut keep) = (vector(&x), Mask::all(n));
            ops::dropout_in_place(&mut out, dropout, with_mask.then_some(&mut keep))?;
            assert_same(out.as_slice(), &y, "dropout_in_place");
            assert!(
                keep == if with_mask {
                    expected.clone()
                } else {
                    Mask::all(n)
                }
            );

            let mask = with_mask.then_some(&mask);
            let found = ops::dropout_backward(&vector(&g), dropout, mask)?;
            assert_same(found.as_slice(), &dx, "dropout_backward");
            let mut out = Tensor::full(&[n], f32::NAN)?;
            ops::dropout_backward_into(&vector(&g), dropout, mask, &mut out)?;
            assert_same(out.as_slice(), &dx, "dropout_backward_into");
            let mut out = vector(&g);
            ops::dropout_backward_in_place(&mut out, dropout, mask)?;
            assert_same(out.as_slice(), &dx, "dropout_backward_in_place");
        }
        Ok(())
    };
    run().expect("the case is valid");
}

#[test]
fn inverted_dropout_is_the_reference() {
    on_every_isa("inverted dropout", |_| {
        for p in RATES {
            for n in LENGTHS {
                check_roads(&dropout(p), n, |x, kept| {
                    naive::forward(x, kept, p).expect("one bool an element")
                });
            }
        }
    });
}

#[test]
fn original_dropout_is_the_reference() {
    on_every_isa("original dropout", |_| {
        for p in RATES {
            let dropout = dropout(p).with_form(Form::Original);
            for n in LENGTHS {
                check_roads(&dropout, n, |x, kept| {
                    naive::forward_original(x, kept).expect("one bool an element")
                });
            }
            let x = mixed(1000);
            let found = ops::dropout_inference(&vector(&x), &dropout).expect("it is valid");
            assert_same(
                found.as_slice(),
                &naive::inference_original(&x, p),
                "inference",
            );
        }
    });
}

#[test]
fn the_scale_is_that_of_the_page() {
    for p in RATES {
        assert_eq!(dropout(p).scale().to_bits(), naive::scale(p).to_bits());
        assert_eq!(dropout(p).with_form(Form::Original).scale(), 1.0);
        assert_eq!(dropout(p).inference_scale(), 1.0);
    }
    // 1 / 0.7 from an independent computation in 60 digits, rounded to f32.
    assert_eq!(dropout(0.3).scale().to_bits(), 0x3FB6_DB6E);
}

#[test]
fn a_dropped_element_is_plus_zero_whatever_it_was() {
    on_every_isa("special values", |isa| {
        for p in [0.5, 1.0] {
            let x = mixed(5000);
            let (y, mask) = ops::dropout(&vector(&x), &dropout(p)).expect("it is valid");
            let dropped = mask.not();
            assert!(dropped.count_kept() > 2000, "{isa}: nothing is tested");
            for i in dropped.kept() {
                assert_eq!(y.as_slice()[i].to_bits(), 0, "{isa}: {} was dropped", x[i]);
            }
        }
    });
}

#[test]
fn a_kept_element_is_x_times_the_scale() {
    on_every_isa("kept values", |isa| {
        for p in [0.1, 0.3, 0.9] {
            let (x, dropout) = (values(5000), dropout(p));
            let (y, mask) = ops::dropout(&vector(&x), &dropout).expect("it is valid");
            for i in mask.kept() {
                let expected = x[i] * dropout.scale();
                assert_eq!(
                    y.as_slice()[i].to_bits(),
                    expected.to_bits(),
                    "{isa}: element {i}"
                );
            }
        }
    });
}

#[test]
fn no_dropout_is_the_identity_bit_for_bit() {
    on_every_isa("p = 0", |_| {
        let mut x = mixed(3000);
        x[0] = f32::from_bits(0xFFC1_2345); // a quiet NaN with a payload
        x[1] = f32::from_bits(0x7F80_0001); // a signalling one
        let dropout = dropout(0.0);
        let (y, mask) = ops::dropout(&vector(&x), &dropout).expect("it is valid");
        assert!(bits(y.as_slice()) == bits(&x));
        assert_eq!(mask, Mask::all(x.len()));
        let dx = ops::dropout_backward(&vector(&x), &dropout, Some(&mask)).expect("it is valid");
        assert!(bits(dx.as_slice()) == bits(&x));
    });
}

#[test]
fn full_dropout_is_zero_forward_and_backward() {
    on_every_isa("p = 1", |_| {
        let x = mixed(3000);
        let (y, mask) = ops::dropout(&vector(&x), &dropout(1.0)).expect("it is valid");
        assert_eq!(bits(y.as_slice()), vec![0; x.len()]);
        assert_eq!(mask.count_kept(), 0);
        for mask in [None, Some(&mask)] {
            let dx = ops::dropout_backward(&vector(&x), &dropout(1.0), mask).expect("it is valid");
            assert_eq!(bits(dx.as_slice()), vec![0; x.len()]);
        }
    });
}

#[test]
fn inference_of_the_inverted_form_is_the_identity_bit_for_bit() {
    on_every_isa("inference", |_| {
        let mut x = mixed(3000);
        x[0] = SIGNALLING;
        for p in RATES {
            let y = ops::dropout_inference(&vector(&x), &dropout(p)).expect("it is valid");
            assert!(bits(y.as_slice()) == bits(&x));
            let mut y = vector(&x);
            assert_eq!(ops::dropout_inference_in_place(&mut y, &dropout(p)), Ok(()));
            assert!(bits(y.as_slice()) == bits(&x));
        }
    });
}

/// Strided layouts of 12 x 35 elements within 24 x 80 numbers: (shape, strides, first).
const LAYOUTS: [([usize; 2], [usize; 2], usize); 5] = [
    ([12, 35], [80, 1], 0), // rows with gaps
    ([12, 35], [80, 2], 7), // every second column
    ([35, 12], [1, 80], 3), // transposed
    ([12, 35], [35, 1], 1), // contiguous, one element off the alignment
    ([12, 35], [37, 1], 5), // rows at every alignment
];

#[test]
fn any_layout_gets_the_bits_of_its_copy() {
    on_every_isa("layouts", |isa| {
        for (shape, strides, first) in LAYOUTS {
            check_layout(&dropout(0.3), shape, strides, first)
                .unwrap_or_else(|error| panic!("{isa}: {shape:?} {strides:?}: {error}"));
        }
    });
}

fn check_layout(
    dropout: &Dropout,
    shape: [usize; 2],
    strides: [usize; 2],
    first: usize,
) -> elision::Result<()> {
    let source = mixed(24 * 80);
    let view = View::new(&source[first..], &shape, &strides)?;
    let copy = view.to_tensor()?;
    let (y, mask) = ops::dropout(&copy, dropout)?;
    assert_same(&naive_of(&copy, dropout), y.as_slice(), "the copy");

    let (found, found_mask) = ops::dropout(view, dropout)?;
    assert_eq!(found.shape(), shape);
    assert_same(found.as_slice(), y.as_slice(), "a strided input");
    assert!(found_mask == mask, "the mask of a strided input");

    let expected = scatter(&source, &y, shape, strides, first);
    for with_mask in [false, true] {
        let mut memory = source.clone();
        let mut keep = Mask::none(copy.len());
        let out = ViewMut::new(&mut memory[first..], &shape, &strides)?;
        ops::dropout_into(&copy, dropout, out, with_mask.then_some(&mut keep))?;
        assert_same(&memory, &expected, "a strided output");
        assert!(!with_mask || keep == mask);

        let mut memory = source.clone();
        let x = ViewMut::new(&mut memory[first..], &shape, &strides)?;
        ops::dropout_in_place(x, dropout, with_mask.then_some(&mut keep))?;
        assert_same(&memory, &expected, "strided, in place");

        // Dropout is its own gradient, so the same numbers are expected.
        let mask = with_mask.then_some(&mask);
        let dx = ops::dropout_backward(view, dropout, mask)?;
        assert_same(dx.as_slice(), y.as_slice(), "a strided gradient");
        let mut memory = source.clone();
        let g = ViewMut::new(&mut memory[first..], &shape, &strides)?;
        ops::dropout_backward_in_place(g, dropout, mask)?;
        assert_same(&memory, &expected, "a strided gradient, in place");
    }
    Ok(())
}

fn naive_of(x: &Tensor, dropout: &Dropout) -> Vec<f32> {
    let kept = kept(dropout, x.len());
    naive::forward(x.as_slice(), &kept, dropout.p()).expect("one bool an element")
}

/// `memory` with `y` written at the places of a layout, and nothing else changed.
fn scatter(
    memory: &[f32],
    y: &Tensor,
    [rows, columns]: [usize; 2],
    strides: [usize; 2],
    first: usize,
) -> Vec<f32> {
    let mut memory = memory.to_vec();
    for row in 0..rows {
        for column in 0..columns {
            memory[first + row * strides[0] + column * strides[1]] =
                y.as_slice()[row * columns + column];
        }
    }
    memory
}

#[test]
fn unaligned_pieces_of_memory_are_whole_inputs() {
    on_every_isa("alignment", |_| {
        let source = mixed(600);
        let dropout = dropout(0.5);
        for start in 0..17 {
            for n in [1, 15, 16, 17, 64, 500] {
                let x = vector(&source[start..start + n]);
                let mut memory = source.clone();
                let piece = ViewMut::contiguous(&mut memory[start..start + n], &[n]);
                ops::dropout_in_place(piece.expect("the shape is right"), &dropout, None)
                    .expect("it is valid");
                let mut expected = source.clone();
                expected[start..start + n].copy_from_slice(&naive_of(&x, &dropout));
                assert_same(&memory, &expected, "a piece in place");
            }
        }
    });
}

#[test]
fn broadcast_inputs_are_dropped_element_by_element() {
    let row = values(40);
    let view = View::contiguous(&row, &[1, 40]).and_then(|row| row.broadcast_to(&[30, 40]));
    let view = view.expect("a row broadcasts");
    let (y, _) = ops::dropout(view, &dropout(0.5)).expect("it is valid");
    let copy = view.to_tensor().expect("it fits");
    assert_same(y.as_slice(), &naive_of(&copy, &dropout(0.5)), "broadcast");
}

#[test]
fn rates_that_are_no_probabilities_are_errors() {
    for p in [
        f64::NAN,
        -0.1,
        1.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -5e-324,
        1.0 + f64::EPSILON,
    ] {
        let error = Dropout::new(Key::new(0), p).expect_err("not a probability");
        assert!(matches!(error, Error::Probability(_)), "{p}: {error}");
    }
    assert_eq!(
        Dropout::new(Key::new(0), -0.0).map(|dropout| dropout.scale()),
        Ok(1.0)
    );
}

/// Asserts that a call fails with the error `expected` and leaves `x` and `mask` as they were.
#[track_caller]
fn assert_untouched(
    expected: fn(&Error) -> bool,
    call: impl Fn(&mut Tensor, &mut Mask) -> elision::Result<()>,
) {
    let (before, all) = (values(100), Mask::from_bools(&[true; 100]));
    let (mut x, mut mask) = (vector(&before), all.clone());
    let error = call(&mut x, &mut mask).expect_err("the call is wrong");
    assert!(expected(&error), "another error was expected than: {error}");
    assert_eq!(
        bits(x.as_slice()),
        bits(&before),
        "written before the error: {error}"
    );
    assert_eq!(mask, all, "mask written before the error: {error}");
}

#[test]
fn lengths_that_disagree_are_errors_and_write_nothing() {
    let dropout = dropout(0.5);
    let length: fn(&Error) -> bool = |error| matches!(error, Error::Length { .. });
    let shape: fn(&Error) -> bool = |error| matches!(error, Error::Shape { .. });
    for n in [0, 99, 101] {
        let short = Mask::all(n);
        let (short, other) = (&short, &vector(&values(n)));
        assert_untouched(length, |x, _| {
            ops::dropout_in_place(x, &dropout, Some(&mut short.clone()))
        });
        assert_untouched(length, |x, _| {
            ops::dropout_into(&vector(&values(100)), &dropout, x, Some(&mut short.clone()))
        });
        assert_untouched(length, |x, _| {
            ops::dropout_backward_in_place(x, &dropout, Some(short))
        });
        assert_untouched(length, |x, _| {
            let g = vector(&values(100));
            ops::dropout_backward_into(&g, &dropout, Some(short), x)
        });
        assert_untouched(length, |x, _| {
            ops::dropout_backward(&*x, &dropout, Some(short)).map(|_| ())
        });
        assert_untouched(shape, |x, mask| {
            ops::dropout_into(other, &dropout, x, Some(mask))
        });
        assert_untouched(shape, |x, _| ops::dropout_into(other, &dropout, x, None));
        assert_untouched(shape, |x, _| {
            ops::dropout_backward_into(other, &dropout, None, x)
        });
        assert_untouched(shape, |x, mask| {
            ops::dropout_backward_into(other, &dropout, Some(mask), x)
        });
    }
}

#[test]
fn indices_past_the_last_are_errors_and_write_nothing() {
    let overflow: fn(&Error) -> bool = |error| matches!(error, Error::Overflow(_));
    for offset in [u64::MAX, u64::MAX - 99] {
        let dropout = dropout(0.5).with_offset(offset);
        assert_untouched(overflow, |x, _| ops::dropout(&*x, &dropout).map(|_| ()));
        assert_untouched(overflow, |x, mask| {
            ops::dropout_in_place(x, &dropout, Some(mask))
        });
        assert_untouched(overflow, |x, mask| {
            ops::dropout_into(&vector(&values(100)), &dropout, x, Some(mask))
        });
        assert_untouched(overflow, |x, _| {
            ops::dropout_backward_in_place(x, &dropout, None)
        });
        assert_untouched(overflow, |x, _| {
            ops::dropout_backward(&*x, &dropout, None).map(|_| ())
        });
        assert_untouched(overflow, |x, _| {
            ops::dropout_backward_into(&vector(&values(100)), &dropout, None, x)
        });
    }
    let last = dropout(0.5).with_offset(u64::MAX - 100);
    assert!(ops::dropout(&vector(&values(100)), &last).is_ok());
}
