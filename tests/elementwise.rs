//! Elementwise operations against the reference: every instruction set, length, offset and layout.

use elision::{Error, Isa, Result, Tensor, View, ViewMut, broadcast_shapes, ops, reference};
use proptest::prelude::*;

const LENGTHS: [usize; 21] = [
    0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 4095, 4096, 4097,
    100_003,
];

/// Numbers of all magnitudes, with a special one here and there.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let special = [
        0.0,
        -0.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MIN_POSITIVE / 3.0,
        f32::MAX,
    ];
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match state >> 16 {
                word if word % 32 == 0 => special[(word / 32) as usize % special.len()],
                word => (word as f32 - 32_768.0) / 977.0,
            }
        })
        .collect()
}

/// The bits, with all NaN made equal: a payload depends on the order of operands.
fn bits(x: f32) -> u32 {
    if x.is_nan() {
        f32::NAN.to_bits()
    } else {
        x.to_bits()
    }
}

fn assert_same(found: impl IntoIterator<Item = f32>, expected: &Tensor, what: &str) {
    let mut count = 0;
    for (i, (found, &expected)) in found.into_iter().zip(expected.as_slice()).enumerate() {
        assert_eq!(
            bits(found),
            bits(expected),
            "{what}: element {i} is {found}, not {expected}"
        );
        count += 1;
    }
    assert_eq!(count, expected.len(), "{what}");
}

type Scalar = fn(f32, f32) -> f32;
type Into = fn(View<'_>, View<'_>, ViewMut<'_>) -> Result<()>;

const OPS: [(&str, Into, Scalar); 4] = [
    ("add", |a, b, out| ops::add_into(a, b, out), |a, b| a + b),
    ("sub", |a, b, out| ops::sub_into(a, b, out), |a, b| a - b),
    ("mul", |a, b, out| ops::mul_into(a, b, out), |a, b| a * b),
    ("div", |a, b, out| ops::div_into(a, b, out), |a, b| a / b),
];

fn on_every_isa(f: impl Fn(&str)) {
    for isa in Isa::available() {
        isa.install(|| f(&isa.to_string()));
    }
}

#[test]
fn every_length_and_offset() {
    let (a, b) = (numbers(100_010, 1), numbers(100_010, 2));
    for n in LENGTHS {
        for offset in [0, 1, 3, 7] {
            let (a, b) = (&a[offset..offset + n], &b[7 - offset..7 - offset + n]);
            let (a, b) = (
                View::contiguous(a, &[n]).unwrap(),
                View::contiguous(b, &[n]).unwrap(),
            );
            for (name, into, scalar) in OPS {
                let expected = reference::zip(a, b, scalar).unwrap();
                on_every_isa(|isa| {
                    let mut out = vec![9.0; n + 8];
                    into(
                        a,
                        b,
                        ViewMut::contiguous(&mut out[offset..offset + n], &[n]).unwrap(),
                    )
                    .unwrap();
                    assert_same(
                        out[offset..offset + n].iter().copied(),
                        &expected,
                        &format!("{name} {isa} {n}"),
                    );
                    assert!(
                        out[..offset]
                            .iter()
                            .chain(&out[offset + n..])
                            .all(|&x| x == 9.0)
                    );
                });
            }
        }
    }
}

#[test]
fn every_kind_of_broadcast() {
    for (a, b) in [
        (&[33, 65][..], &[65][..]),
        (&[65], &[33, 65]),
        (&[33, 65], &[33, 1]),
        (&[33, 65], &[]),
        (&[], &[5000]),
        (&[5000], &[1]),
        (&[2, 3, 40, 50], &[3, 1, 1]),
        (&[4, 1, 70], &[1, 9, 1]),
        (&[7, 1], &[1, 9]),
        (&[2, 3, 4, 2, 3, 2, 1, 5], &[3, 1, 2, 1, 2, 7, 1]),
        (&[0, 3], &[3]),
        (&[1, 1], &[1]),
        (&[300, 1000], &[1000]),
    ] {
        let x = Tensor::from_vec(numbers(a.iter().product(), 3), a).unwrap();
        let y = Tensor::from_vec(numbers(b.iter().product(), 4), b).unwrap();
        for (name, into, scalar) in OPS {
            let expected = reference::zip(x.view(), y.view(), scalar).unwrap();
            on_every_isa(|isa| {
                let mut out = Tensor::zeros(expected.shape()).unwrap();
                into(x.view(), y.view(), out.view_mut()).unwrap();
                assert_same(
                    out.view().iter(),
                    &expected,
                    &format!("{name} {isa} {a:?} {b:?}"),
                );
            });
        }
    }
}

#[test]
fn strided_operands_and_outputs() {
    let (rows, columns) = (70, 2100);
    let x = Tensor::from_vec(numbers(rows * columns, 5), &[columns, rows]).unwrap();
    let y = Tensor::from_vec(numbers(2 * rows * columns, 6), &[rows, 2 * columns]).unwrap();
    let transposed = x.view().transpose(0, 1).unwrap();
    let sliced = y.view().slice(1, 3..3 + columns).unwrap();
    let spaced = View::new(y.as_slice(), &[rows, columns], &[2 * columns, 2]).unwrap();
    for (a, b) in [
        (transposed, sliced),
        (sliced, transposed),
        (spaced, transposed),
        (spaced, spaced),
    ] {
        let expected = reference::zip(a, b, |a, b| a * b).unwrap();
        on_every_isa(|isa| {
            assert_same(ops::mul(a, b).unwrap().view().iter(), &expected, isa);
            let mut out = Tensor::full(&[columns, rows + 5], 9.0).unwrap();
            let window = out
                .view_mut()
                .slice(1, 2..2 + rows)
                .unwrap()
                .transpose(0, 1)
                .unwrap();
            ops::mul_into(a, b, window).unwrap();
            let window = out
                .view()
                .slice(1, 2..2 + rows)
                .unwrap()
                .transpose(0, 1)
                .unwrap();
            assert_same(window.iter(), &expected, isa);
            for edge in [0..2, 2 + rows..5 + rows] {
                assert!(
                    out.view().slice(1, edge).unwrap().iter().all(|x| x == 9.0),
                    "{isa}"
                );
            }
        });
    }
}

#[test]
fn in_place_scaled_and_copied() {
    let x = Tensor::from_vec(numbers(37 * 41, 7), &[37, 41]).unwrap();
    let row = Tensor::from_vec(numbers(41, 8), &[41]).unwrap();
    let sum = reference::zip(x.view(), row.view(), |a, b| a + b).unwrap();
    let product = reference::zip(x.view(), row.view(), |a, b| a * b).unwrap();
    let scaled = reference::map(x.view(), |x| x * 1.7).unwrap();
    let rows = row
        .view()
        .broadcast_to(&[37, 41])
        .unwrap()
        .to_tensor()
        .unwrap();
    on_every_isa(|isa| {
        let mut out = x.clone();
        ops::add_assign(&mut out, &row).unwrap();
        assert_same(out.view().iter(), &sum, isa);

        // In place through a scattered view: every second column of a wider tensor.
        let mut wide = vec![9.0; 37 * 82];
        let mut every_second = ViewMut::new(&mut wide, &[37, 41], &[82, 2]).unwrap();
        ops::copy_into(&x, every_second.reborrow()).unwrap();
        ops::mul_assign(every_second.reborrow(), &row).unwrap();
        assert_same(every_second.as_view().iter(), &product, isa);
        assert!(wide.iter().skip(1).step_by(2).all(|&x| x == 9.0));

        let mut out = Tensor::zeros(&[37, 41]).unwrap();
        ops::scale_into(&x, 1.7, &mut out).unwrap();
        assert_same(out.view().iter(), &scaled, isa);
        out.as_mut_slice().copy_from_slice(x.as_slice());
        ops::scale_in_place(&mut out, 1.7).unwrap();
        assert_same(out.view().iter(), &scaled, isa);
        ops::copy_into(&row, &mut out).unwrap();
        assert_same(out.view().iter(), &rows, isa);
    });
}

#[test]
fn a_copy_keeps_every_bit() {
    let odd: Vec<f32> = [0x7fc0_1234, 0xff80_0001, 0x8000_0000, 1]
        .map(f32::from_bits)
        .repeat(5);
    on_every_isa(|isa| {
        let mut out = Tensor::zeros(&[20]).unwrap();
        ops::copy_into(View::contiguous(&odd, &[20]).unwrap(), &mut out).unwrap();
        let same = out
            .as_slice()
            .iter()
            .zip(&odd)
            .all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{isa}");
    });
}

#[test]
fn threads_change_nothing() {
    let shape = [500, 1003];
    let x = Tensor::from_vec(numbers(500 * 1003, 9), &shape).unwrap();
    let row = Tensor::from_vec(numbers(1003, 10), &[1003]).unwrap();
    let other = Tensor::from_vec(numbers(500 * 1003, 11), &[1003, 500]).unwrap();
    let transposed = other.view().transpose(0, 1).unwrap();
    let expected = [
        reference::zip(x.view(), row.view(), |a, b| a - b).unwrap(),
        reference::zip(x.view(), transposed, |a, b| a / b).unwrap(),
    ];
    for threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            on_every_isa(|isa| {
                let what = format!("{isa} {threads}");
                assert_same(
                    ops::sub(&x, &row).unwrap().view().iter(),
                    &expected[0],
                    &what,
                );
                assert_same(
                    ops::div(&x, transposed).unwrap().view().iter(),
                    &expected[1],
                    &what,
                );
            });
        });
    }
}

#[test]
fn bad_shapes_are_errors_and_nothing_is_written() {
    let (a, b) = (
        Tensor::zeros(&[2, 3]).unwrap(),
        Tensor::zeros(&[2]).unwrap(),
    );
    assert!(matches!(ops::add(&a, &b), Err(Error::Broadcast { .. })));
    let mut out = Tensor::full(&[3, 2], 9.0).unwrap();
    assert!(matches!(
        ops::mul_into(&a, &a, &mut out),
        Err(Error::Shape { what: "output", .. })
    ));
    assert!(matches!(
        ops::scale_into(&a, 2.0, &mut out),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        ops::copy_into(&a, &mut out),
        Err(Error::Broadcast { .. })
    ));
    assert!(matches!(
        ops::add_assign(&mut out, &a),
        Err(Error::Broadcast { .. })
    ));
    // The output of an operation in place does not grow.
    let mut small = Tensor::zeros(&[1, 3]).unwrap();
    assert!(matches!(
        ops::add_assign(&mut small, &a),
        Err(Error::Broadcast { .. })
    ));
    assert!(out.as_slice().iter().all(|&x| x == 9.0));

    let one = Tensor::zeros(&[1]).unwrap();
    let long = one.view().broadcast_to(&[usize::MAX]).unwrap();
    assert!(matches!(ops::add(long, &one), Err(Error::Overflow(_))));
    let column = one.view().broadcast_to(&[3, 1]).unwrap();
    assert!(matches!(ops::add(long, column), Err(Error::Overflow(_))));
}

/// A shape, and which of its axes each operand has in full.
fn shapes() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    let axes = prop::collection::vec((0_usize..6, any::<bool>(), any::<bool>()), 0..6);
    (axes, 0_usize..6, any::<bool>()).prop_map(|(axes, cut, left)| {
        let mut a: Vec<_> = axes
            .iter()
            .map(|&(n, full, _)| if full { n } else { 1 })
            .collect();
        let mut b: Vec<_> = axes
            .iter()
            .map(|&(n, _, full)| if full { n } else { 1 })
            .collect();
        let shorter = if left { &mut a } else { &mut b };
        shorter.drain(..cut.min(shorter.len()));
        (a, b)
    })
}

proptest! {
    #[test]
    fn broadcasting_follows_the_reference((a, b) in shapes(), permute in any::<bool>()) {
        let shape = broadcast_shapes(&a, &b).unwrap();
        let x = Tensor::from_vec(numbers(a.iter().product(), 12), &a).unwrap();
        let y = Tensor::from_vec(numbers(b.iter().product(), 13), &b).unwrap();
        let (mut x, mut y) = (x.view().broadcast_to(&shape).unwrap(), y.view());
        if permute && shape.len() > 1 {
            y = y.broadcast_to(&shape).unwrap().transpose(0, 1).unwrap();
            x = x.transpose(0, 1).unwrap();
        }
        let expected = reference::zip(x, y, |a, b| a - b).unwrap();
        for isa in Isa::available() {
            let found = isa.install(|| ops::sub(x, y)).unwrap();
            prop_assert_eq!(found.shape(), expected.shape());
            assert_same(found.view().iter(), &expected, &isa.to_string());
        }
    }
}
