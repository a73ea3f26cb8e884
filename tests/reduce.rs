//! Reductions against the reference: the same bits from every instruction set, thread count and layout.

use elision::{Error, Isa, Result, Tensor, View, ViewMut, ops, reference};
use proptest::prelude::*;

const LENGTHS: [usize; 23] = [
    0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 4095, 4096, 4097, 8193,
    20_481, 100_003,
];

/// Numbers of several magnitudes and both signs, so that the order of additions shows.
fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let scale = [1.0, 1e-3, 1e3, 1e-6][(state >> 14) as usize % 4];
            ((state >> 16) as f32 - 32_768.0) * scale
        })
        .collect()
}

fn tensor(shape: &[usize], seed: u32) -> Tensor {
    Tensor::from_vec(numbers(shape.iter().product(), seed), shape).unwrap()
}

fn assert_same(found: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    for (i, (a, b)) in found.as_slice().iter().zip(expected.as_slice()).enumerate() {
        let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(same, "{what}: element {i} is {a:?}, not {b:?}");
    }
}

type Reduce = fn(View<'_>, &[usize]) -> Result<Tensor>;

const OPS: [(&str, Reduce, Reduce); 3] = [
    ("sum", |x, axes| ops::sum(x, axes), reference::sum),
    ("mean", |x, axes| ops::mean(x, axes), reference::mean),
    ("max", |x, axes| ops::max(x, axes), reference::max),
];

/// Compares every reduction on every instruction set with the reference.
fn check(x: View<'_>, axes: &[usize]) {
    let empty = axes.iter().any(|&axis| x.shape()[axis] == 0);
    for (name, reduce, reference) in OPS {
        let expected = reference(x, axes).unwrap();
        for isa in Isa::available() {
            let what = format!("{name} {isa} {:?} {axes:?}", x.shape());
            match isa.install(|| reduce(x, axes)) {
                Ok(found) => assert_same(&found, &expected, &what),
                Err(error) => assert!(
                    empty && name != "sum" && matches!(error, Error::Empty(_)),
                    "{what}"
                ),
            }
        }
    }
}

#[test]
fn every_length_and_offset() {
    let data = numbers(100_010, 1);
    for n in LENGTHS {
        for offset in [0, 1, 3, 7] {
            check(
                View::contiguous(&data[offset..offset + n], &[n]).unwrap(),
                &[0],
            );
        }
    }
}

#[test]
fn every_set_of_axes() {
    for shape in [
        &[3, 4, 5, 70][..],
        &[65, 1, 2, 3],
        &[130, 2, 65, 2],
        &[2, 0, 3, 4],
        &[1, 1, 1, 1],
    ] {
        let x = tensor(shape, 2);
        for set in 0..16_usize {
            let axes: Vec<usize> = (0..4).filter(|axis| set >> axis & 1 == 1).collect();
            check(x.view(), &axes);
            check(x.view().permute(&[2, 0, 3, 1]).unwrap(), &axes);
        }
    }
    check(Tensor::full(&[], 3.0).unwrap().view(), &[]);
}

#[test]
fn the_order_of_axes_does_not_matter() {
    let x = tensor(&[20, 30, 40], 3);
    assert_eq!(ops::sum(&x, &[2, 0]), ops::sum(&x, &[0, 2]));
    assert_eq!(
        reference::sum(x.view(), &[2, 0]),
        reference::sum(x.view(), &[0, 2])
    );
}

#[test]
fn long_sequences_side_by_side_and_one_by_one_agree() {
    for (n, width) in [
        (4097, 3),
        (4097, 4),
        (9000, 70),
        (12_289, 130),
        (50, 300),
        (64, 129),
        (65, 64),
    ] {
        let x = tensor(&[n, width], 4);
        check(x.view(), &[0]);
        let transposed = x.view().transpose(0, 1).unwrap().to_tensor().unwrap();
        assert_eq!(
            ops::sum(&x, &[0]),
            ops::sum(&transposed, &[1]),
            "{n} {width}"
        );
    }
}

#[test]
fn sliced_and_broadcast_views() {
    let x = tensor(&[100, 90], 5);
    let window = x.view().slice(0, 7..77).unwrap().slice(1, 3..80).unwrap();
    let spaced = View::new(x.as_slice(), &[60, 11], &[90, 7]).unwrap();
    let repeated = x
        .view()
        .slice(0, 0..1)
        .unwrap()
        .broadcast_to(&[50, 90])
        .unwrap();
    let column = x
        .view()
        .slice(1, 0..1)
        .unwrap()
        .broadcast_to(&[100, 70])
        .unwrap();
    for view in [window, spaced, repeated, column] {
        for axes in [&[0][..], &[1], &[0, 1]] {
            check(view, axes);
            check(view.transpose(0, 1).unwrap(), axes);
        }
    }
}

#[test]
fn outputs_of_any_strides() {
    let x = tensor(&[30, 5000, 6], 6);
    let expected = reference::mean(x.view(), &[1]).unwrap();
    for isa in Isa::available() {
        let mut out = Tensor::full(&[6, 31], 9.0).unwrap();
        let window = out
            .view_mut()
            .slice(1, 1..31)
            .unwrap()
            .transpose(0, 1)
            .unwrap();
        isa.install(|| ops::mean_into(&x, &[1], window)).unwrap();
        let window = out.view().slice(1, 1..31).unwrap().transpose(0, 1).unwrap();
        assert_same(&window.to_tensor().unwrap(), &expected, &isa.to_string());
        assert!(out.view().slice(1, 0..1).unwrap().iter().all(|x| x == 9.0));
    }
}

#[test]
fn threads_change_nothing() {
    let x = tensor(&[300, 2000], 7);
    for axes in [&[0][..], &[1], &[0, 1]] {
        let expected = reference::sum(x.view(), axes).unwrap();
        let tall = x.view().reshape(&[20_000, 30]).unwrap();
        let tall_expected = reference::max(tall, axes).unwrap();
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                for isa in Isa::available() {
                    let what = format!("{isa} {threads} {axes:?}");
                    isa.install(|| {
                        assert_same(&ops::sum(&x, axes).unwrap(), &expected, &what);
                        assert_same(&ops::max(tall, axes).unwrap(), &tall_expected, &what);
                    });
                }
            });
        }
    }
}

#[test]
fn special_values() {
    let zero = Tensor::from_slice(&[-0.0; 5], &[5]).unwrap();
    assert_eq!(ops::sum(&zero, &[0]).unwrap().as_slice()[0].to_bits(), 0);
    assert_eq!(
        ops::sum(&zero, &[]).unwrap().as_slice()[0].to_bits(),
        (-0.0_f32).to_bits()
    );
    let low = Tensor::full(&[100], f32::NEG_INFINITY).unwrap();
    check(low.view(), &[0]);
    for n in [5, 70, 5000] {
        for at in [0, 4, n - 1] {
            let mut x = tensor(&[n, 5], 8);
            x.as_mut_slice()[5 * at + 2] = f32::from_bits(0xffc0_4321);
            x.as_mut_slice()[5 * at + 3] = f32::INFINITY;
            check(x.view(), &[0]);
            check(x.view(), &[0, 1]);
            for isa in Isa::available() {
                let max = isa.install(|| ops::max(&x, &[0])).unwrap();
                // A maximum is a selection: even the payload of a NaN survives.
                assert_eq!(max.as_slice()[2].to_bits(), 0xffc0_4321, "{isa}");
                assert!(max.as_slice()[0].is_finite() && max.as_slice()[3] == f32::INFINITY);
            }
        }
    }
}

/// The bound of `reference::reduce`, with the worst case printed.
#[test]
fn sums_are_accurate() {
    let mut worst = (0.0, 0);
    for n in LENGTHS.into_iter().filter(|&n| n > 0) {
        let x = tensor(&[n], 9);
        let found = f64::from(ops::sum(&x, &[0]).unwrap().as_slice()[0]);
        let (exact, magnitude) = reference::sum_f64(x.view(), &[0]).unwrap()[0];
        let leaves = n.div_ceil(4096).next_power_of_two().ilog2();
        let bound = f64::from(70 + leaves) * 2.0_f64.powi(-24) * magnitude;
        let share = (found - exact).abs() / bound;
        assert!(
            share <= 1.0,
            "n = {n}: {found} for {exact}, {share} of the bound"
        );
        if share > worst.0 {
            worst = (share, n);
        }
    }
    println!("worst: {} of the bound at n = {}", worst.0, worst.1);
}

#[test]
fn bad_input_is_an_error_and_nothing_is_written() {
    let x = tensor(&[2, 3], 10);
    assert_eq!(
        ops::sum(&x, &[2]).err(),
        Some(Error::Axis { axis: 2, rank: 2 })
    );
    assert_eq!(ops::max(&x, &[1, 1]).err(), Some(Error::RepeatedAxis(1)));
    assert_eq!(
        ops::mean(&x, &[0, 1, 0]).err(),
        Some(Error::RepeatedAxis(0))
    );
    let mut out = Tensor::full(&[2], 9.0).unwrap();
    assert!(matches!(
        ops::sum_into(&x, &[0], &mut out),
        Err(Error::Shape { what: "output", .. })
    ));
    assert!(matches!(
        ops::mean_into(&x, &[0], &mut out),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        ops::max_into(&x, &[], &mut out),
        Err(Error::Shape { .. })
    ));
    assert_eq!(out.as_slice(), [9.0; 2]);

    let empty = Tensor::zeros(&[2, 0]).unwrap();
    assert_eq!(ops::sum(&empty, &[1]).unwrap().as_slice(), [0.0; 2]);
    assert!(ops::max(&empty, &[0]).unwrap().is_empty());
    assert!(matches!(
        ops::max(&empty, &[1]),
        Err(Error::Empty("the maximum"))
    ));
    assert!(matches!(
        ops::mean(&empty, &[0, 1]),
        Err(Error::Empty("the mean"))
    ));
    let mut none: [f32; 0] = [];
    let nothing = ViewMut::contiguous(&mut none, &[0]).unwrap();
    assert!(ops::mean_into(&empty, &[0], nothing).is_ok());
}

proptest! {
    #[test]
    fn any_view_and_axes(
        shape in prop::collection::vec(0_usize..9, 0..6),
        order in any::<u64>(),
        set in any::<u8>(),
        cut in 0_usize..4,
    ) {
        let x = tensor(&shape, 11);
        let mut view = x.view();
        for axis in 1..shape.len() {
            view = view.transpose(axis, (order >> (8 * axis)) as usize % (axis + 1)).unwrap();
        }
        if !shape.is_empty() {
            let length = view.shape()[0];
            view = view.slice(0, cut.min(length)..length).unwrap();
        }
        let axes: Vec<usize> = (0..shape.len()).filter(|axis| set >> axis & 1 == 1).collect();
        check(view, &axes);
    }
}
