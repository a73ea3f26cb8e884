//! Softmax, its logarithm and the cross-entropy loss.

mod support;

use elision::reference::softmax as reference;
use elision::{Error, Isa, Result, Tensor, View, ViewMut, ops};
use support::{bits, on_every_isa};

const LENGTHS: [usize; 21] = [
    0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 4095, 4096, 4097,
    100_003,
];
const EPSILON: f64 = f32::EPSILON as f64;

/// Numbers from -spread to spread.
fn numbers(n: usize, spread: f32) -> Vec<f32> {
    (0..n)
        .map(|i| (((i * 7919 + 5) % 16_001) as f32 / 8000.5 - 1.0) * spread)
        .collect()
}

/// Along axis 1 of one row.
fn row(f: impl Fn(View<'_>) -> Result<Tensor>, x: &[f32]) -> Vec<f32> {
    f(View::contiguous(x, &[1, x.len()]).unwrap())
        .unwrap()
        .into_vec()
}

fn softmax(x: View<'_>) -> Result<Tensor> {
    ops::softmax(x, x.rank() - 1)
}

fn log_softmax(x: View<'_>) -> Result<Tensor> {
    ops::log_softmax(x, x.rank() - 1)
}

/// The largest distance from the maximum: its rounding is that of an exponent, so it becomes a relative
/// error of the exponential.
fn range(x: &[f32]) -> f64 {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    x.iter().map(|&x| f64::from(max - x)).fold(0.0, f64::max)
}

#[test]
fn near_the_reference_whatever_the_length_offset_and_instruction_set() {
    for spread in [0.0, 1.0, 20.0, 60.0] {
        let all = numbers(100_006, spread);
        for (n, offset) in LENGTHS
            .into_iter()
            .flat_map(|n| [0, 1, 3].map(|offset| (n, offset)))
        {
            let x = &all[offset..offset + n];
            let (y, l) = (row(softmax, x), row(log_softmax, x));
            let (exact_y, exact_l) = (reference::softmax(x), reference::log_softmax(x));
            let relative = EPSILON * (6.0 + 0.5 * range(x));
            for i in 0..n {
                let error = (f64::from(y[i]) - exact_y[i]).abs();
                assert!(
                    error <= relative * exact_y[i] + 1e-44,
                    "{i} of {n}: {} {}",
                    y[i],
                    exact_y[i]
                );
                let error = (f64::from(l[i]) - exact_l[i]).abs();
                let bound = EPSILON * (4.0 + exact_l[i].abs());
                assert!(error <= bound, "{i} of {n}: {} {}", l[i], exact_l[i]);
            }
            for isa in Isa::available() {
                let mut padded = vec![7.0; n + offset + 2];
                let out = ViewMut::contiguous(&mut padded[offset..offset + n], &[1, n]).unwrap();
                let x = View::contiguous(x, &[1, n]).unwrap();
                isa.install(|| ops::softmax_into(x, 1, out)).unwrap();
                assert_eq!(
                    bits(&padded[offset..offset + n]),
                    bits(&y),
                    "{n} {offset} {isa}"
                );
                assert!(
                    padded[..offset]
                        .iter()
                        .chain(&padded[offset + n..])
                        .all(|&x| x == 7.0)
                );
                let out = isa.install(|| log_softmax(x)).unwrap();
                assert_eq!(bits(out.as_slice()), bits(&l), "{n} {offset} {isa}");
            }
        }
    }
}

#[test]
fn rows_sum_to_one() {
    for n in LENGTHS.into_iter().skip(1) {
        let sum: f64 = row(softmax, &numbers(n, 9.0))
            .into_iter()
            .map(f64::from)
            .sum();
        assert!((sum - 1.0).abs() < 1e-6, "{n}: {sum}");
    }
}

#[test]
fn a_shift_that_is_exact_changes_no_bit() {
    // Multiples of 1/8 below 2^10 keep their differences when 2^12 is added.
    let x: Vec<f32> = (0..1000).map(|i| ((i * 37) % 201) as f32 / 8.0).collect();
    let shifted: Vec<f32> = x.iter().map(|x| x + 4096.0).collect();
    assert_eq!(bits(&row(softmax, &x)), bits(&row(softmax, &shifted)));
    assert_eq!(
        bits(&row(log_softmax, &x)),
        bits(&row(log_softmax, &shifted))
    );
}

#[test]
fn extreme_values() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    assert_eq!(row(softmax, &[f32::MAX, f32::MIN, 0.0]), [1.0, 0.0, 0.0]);
    assert_eq!(row(softmax, &[-inf, 0.0, 0.0, -inf]), [0.0, 0.5, 0.5, 0.0]);
    assert_eq!(row(softmax, &[-1e30; 4]), [0.25; 4]);
    assert_eq!(row(log_softmax, &[0.0, -inf]), [0.0, -inf]);
    assert_eq!(row(log_softmax, &[1000.0, 0.0]), [0.0, -1000.0]);
    assert_eq!(row(softmax, &[3.0]), [1.0]);
    for isa in Isa::available() {
        isa.install(|| {
            for f in [softmax, log_softmax] {
                for n in [1, 2, 16, 17, 40] {
                    let mut x = vec![0.5; n];
                    for poison in [nan, -nan, f32::from_bits(0x7F80_0001), inf] {
                        x[n / 2] = poison;
                        assert_eq!(
                            bits(&row(f, &x)),
                            vec![nan.to_bits(); n],
                            "{poison} among {n}"
                        );
                    }
                    assert_eq!(bits(&row(f, &vec![-inf; n])), vec![nan.to_bits(); n]);
                }
            }
        });
    }
}

#[test]
fn a_bad_row_does_not_touch_its_neighbours() {
    let x = Tensor::from_slice(&[1.0, 1.0, f32::NAN, 1.0, 2.0, 2.0], &[3, 2]).unwrap();
    let y = ops::softmax(&x, 1).unwrap();
    assert_eq!(y.as_slice()[..2], [0.5, 0.5]);
    assert!(y.as_slice()[2..4].iter().all(|y| y.is_nan()));
    assert_eq!(y.as_slice()[4..], [0.5, 0.5]);
}

#[test]
fn every_axis_gives_the_bits_of_the_last() {
    let x = Tensor::from_vec(numbers(5 * 37 * 18, 8.0), &[5, 37, 18]).unwrap();
    for f in [
        |x: View<'_>, axis| ops::softmax(x, axis),
        |x: View<'_>, axis| ops::log_softmax(x, axis),
    ] {
        for axis in 0..3 {
            let moved = x.view().transpose(axis, 2).unwrap().to_tensor().unwrap();
            let expected = f(moved.view(), 2).unwrap();
            let expected = expected
                .view()
                .transpose(axis, 2)
                .unwrap()
                .to_tensor()
                .unwrap();
            assert_eq!(f(x.view(), axis).unwrap(), expected);
        }
    }
    let mut wide = Tensor::full(&[5, 37, 20], 9.0).unwrap();
    ops::softmax_into(&x, 1, wide.view_mut().slice(2, 1..19).unwrap()).unwrap();
    assert_eq!(
        wide.view().slice(2, 1..19).unwrap().to_tensor().unwrap(),
        ops::softmax(&x, 1).unwrap()
    );
    ops::softmax_into(&x, 2, wide.view_mut().slice(2, 1..19).unwrap()).unwrap();
    assert_eq!(
        wide.view().slice(2, 1..19).unwrap().to_tensor().unwrap(),
        ops::softmax(&x, 2).unwrap()
    );
    assert_eq!(
        wide.as_slice().iter().filter(|&&x| x == 9.0).count(),
        5 * 37 * 2
    );
    let narrow = x.view().slice(2, 3..11).unwrap();
    assert_eq!(
        ops::softmax(narrow, 2).unwrap(),
        ops::softmax(&narrow.to_tensor().unwrap(), 2).unwrap()
    );
}

#[test]
fn threads_do_not_change_a_bit() {
    for (rows, n) in [(3, 70_001), (700, 301), (65_000, 3)] {
        let x = Tensor::from_vec(numbers(rows * n, 5.0), &[rows, n]).unwrap();
        let labels: Vec<u32> = (0..rows).map(|i| (i % n) as u32).collect();
        let mut first = None;
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let all = pool.install(|| {
                let mut grad = Tensor::zeros(x.shape()).unwrap();
                let loss = ops::softmax_cross_entropy(&x, &labels, Some(grad.view_mut())).unwrap();
                let alone = ops::softmax_cross_entropy(&x, &labels, None).unwrap();
                assert_eq!(loss.to_bits(), alone.to_bits());
                let y = [
                    ops::softmax(&x, 1),
                    ops::softmax(&x, 0),
                    ops::log_softmax(&x, 1),
                ];
                let y = y.map(|y| bits(y.unwrap().as_slice()));
                (y, bits(grad.as_slice()), loss.to_bits())
            });
            assert!(
                first.get_or_insert_with(|| all.clone()) == &all,
                "{threads} threads"
            );
        }
    }
}

#[test]
fn empty_shapes_have_empty_results() {
    for shape in [&[0][..], &[3, 0], &[0, 3]] {
        let x = Tensor::zeros(shape).unwrap();
        for axis in 0..shape.len() {
            assert_eq!(ops::softmax(&x, axis).unwrap().shape(), shape);
            assert_eq!(ops::log_softmax(&x, axis).unwrap().shape(), shape);
        }
    }
}

#[test]
fn the_loss_and_its_gradient_are_near_the_reference() {
    for n in [1, 2, 10, 16, 17, 1000] {
        let (batch, x) = (13, numbers(13 * n, 6.0));
        let labels: Vec<u32> = (0..batch).map(|i| (i * 5 % n) as u32).collect();
        let logits = Tensor::from_slice(&x, &[batch, n]).unwrap();
        let exact = reference::cross_entropy(&x, n, &labels);
        let mut first = None;
        for isa in Isa::available() {
            let mut grad = Tensor::full(&[batch, n], 9.0).unwrap();
            let loss = isa
                .install(|| ops::softmax_cross_entropy(&logits, &labels, Some(grad.view_mut())))
                .unwrap();
            assert!(
                (loss - exact).abs() <= 1e-6 * (1.0 + exact),
                "{n}: {loss} {exact}"
            );
            for (i, (row, grad)) in x.chunks(n).zip(grad.as_slice().chunks(n)).enumerate() {
                for (j, (p, &g)) in reference::softmax(row).into_iter().zip(grad).enumerate() {
                    let exact = (p - f64::from(u8::from(labels[i] as usize == j))) / batch as f64;
                    assert!((f64::from(g) - exact).abs() < 1e-7, "{i} {j}: {g} {exact}");
                }
            }
            let all = (loss.to_bits(), bits(grad.as_slice()));
            assert_eq!(first.get_or_insert_with(|| all.clone()), &all, "{isa}");
        }
        let mut wide = Tensor::zeros(&[n, batch]).unwrap();
        let column = logits.view().transpose(0, 1).unwrap().to_tensor().unwrap();
        let view = column.view().transpose(0, 1).unwrap();
        let grad = wide.view_mut().transpose(0, 1).unwrap();
        let loss = ops::softmax_cross_entropy(view, &labels, Some(grad)).unwrap();
        let grad = wide.view().transpose(0, 1).unwrap().to_tensor().unwrap();
        assert_eq!(Some((loss.to_bits(), bits(grad.as_slice()))), first);
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let (batch, n) = (3, 5);
    let (x, labels) = (numbers(batch * n, 2.0), [4, 0, 2]);
    let mut grad = Tensor::zeros(&[batch, n]).unwrap();
    let logits = Tensor::from_slice(&x, &[batch, n]).unwrap();
    ops::softmax_cross_entropy(&logits, &labels, Some(grad.view_mut())).unwrap();
    for i in 0..x.len() {
        let at = |step: f32| {
            let mut x = x.clone();
            x[i] += step;
            (reference::cross_entropy(&x, n, &labels), f64::from(x[i]))
        };
        let ((up, right), (down, left)) = (at(0.001), at(-0.001));
        let slope = (up - down) / (right - left);
        assert!((slope - f64::from(grad.as_slice()[i])).abs() < 1e-6);
    }
}

#[test]
fn the_gradient_ends_where_probabilities_are_negligible() {
    // e^-44.36 is 2^-64.
    let logits =
        Tensor::from_slice(&[0.0, -44.3, -44.4, -90.0, f32::NEG_INFINITY], &[1, 5]).unwrap();
    let softmax = ops::softmax(&logits, 1).unwrap();
    assert!(softmax.as_slice()[..4].iter().all(|&p| p > 0.0));
    on_every_isa("the_gradient_ends", |isa| {
        let mut grad = Tensor::zeros(&[1, 5]).unwrap();
        ops::softmax_cross_entropy(&logits, &[0], Some(grad.view_mut())).unwrap();
        let want = [0.0, softmax.as_slice()[1], 0.0, 0.0, 0.0];
        assert_eq!(bits(grad.as_slice()), bits(&want), "{isa}");
        // What is rare, but right, keeps its gradient: that of the label is never left out.
        ops::softmax_cross_entropy(&logits, &[3], Some(grad.view_mut())).unwrap();
        assert_eq!(grad.as_slice()[3], -1.0, "{isa}");
    });
}

#[test]
fn losses_of_extreme_logits() {
    let inf = f32::INFINITY;
    let loss = |x: &[f32], label| {
        let x = Tensor::from_slice(x, &[1, x.len()]).unwrap();
        let mut grad = Tensor::zeros(x.shape()).unwrap();
        let loss = ops::softmax_cross_entropy(&x, &[label], Some(grad.view_mut())).unwrap();
        (loss, grad.into_vec())
    };
    assert_eq!(loss(&[1e30, 0.0], 0), (0.0, vec![0.0, 0.0]));
    assert_eq!(loss(&[0.0, -inf], 1), (f64::INFINITY, vec![1.0, -1.0]));
    for x in [[f32::NAN, 0.0], [inf, 0.0], [-inf, -inf]] {
        let (loss, grad) = loss(&x, 1);
        assert!(loss.is_nan() && grad.iter().all(|g| g.is_nan()));
    }
}

#[test]
fn bad_arguments_change_nothing() {
    let x = Tensor::full(&[2, 3], 1.0).unwrap();
    let mut out = Tensor::full(&[3, 2], 9.0).unwrap();
    let scalar = Tensor::full(&[], 1.0).unwrap();
    assert_eq!(
        ops::softmax(&x, 2).err(),
        Some(Error::Axis { axis: 2, rank: 2 })
    );
    assert_eq!(
        ops::log_softmax(&scalar, 0).err(),
        Some(Error::Axis { axis: 0, rank: 0 })
    );
    assert!(matches!(
        ops::softmax_into(&x, 0, &mut out),
        Err(Error::Shape { .. })
    ));

    let mut grad = Tensor::full(&[2, 3], 9.0).unwrap();
    let mut fault = |x: &Tensor, labels: &[u32]| {
        let result = ops::softmax_cross_entropy(x, labels, Some(grad.view_mut()));
        assert_eq!(grad, Tensor::full(&[2, 3], 9.0).unwrap());
        result.unwrap_err()
    };
    assert_eq!(
        fault(&x, &[0, 3]),
        Error::Label {
            row: 1,
            label: 3,
            classes: 3
        }
    );
    assert_eq!(
        fault(&x, &[0, u32::MAX]),
        Error::Label {
            row: 1,
            label: u32::MAX,
            classes: 3
        }
    );
    assert!(matches!(
        fault(&x, &[0]),
        Error::Length {
            expected: 2,
            found: 1,
            ..
        }
    ));
    assert!(matches!(
        fault(&scalar, &[0]),
        Error::Rank {
            expected: 2,
            found: 0,
            ..
        }
    ));
    assert!(matches!(fault(&out, &[0, 0, 0]), Error::Shape { .. }));
    assert!(matches!(
        fault(&Tensor::zeros(&[0, 3]).unwrap(), &[]),
        Error::Empty(_)
    ));
    assert!(matches!(
        fault(&Tensor::zeros(&[2, 0]).unwrap(), &[0, 0]),
        Error::Label { classes: 0, .. }
    ));
    assert_eq!(out, Tensor::full(&[3, 2], 9.0).unwrap());
}
