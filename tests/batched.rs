//! Products of batches, against the f64 reference of each item: every instruction set, strides, broadcasts.

mod support;

use elision::reference::gemm;
use elision::{Error, Tensor, View, ViewMut, ops};
use support::{bits, on_every_isa, on_threads};

/// Numbers in (-1, 1) that a seed decides.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let key = elision::Key::new(seed);
    (0..len as u64)
        .map(|i| ((key.fold_in(i).to_u128() >> 104) as f32 / 8_388_608.0) - 1.0)
        .collect()
}

fn tensor(shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_vec(noise(shape.iter().product(), seed), shape).unwrap()
}

/// Item `i` of a view whose leading axes are those of `batch`, broadcast and counted in row-major order.
fn item<'a>(view: View<'a>, batch: &[usize], mut i: usize) -> View<'a> {
    let (rank, mut view) = (view.rank(), view);
    for axis in (0..rank - 2).rev() {
        let at = i % batch[axis];
        i /= batch[axis];
        let at = if view.shape()[axis] == 1 { 0 } else { at };
        view = view.slice(axis, at..at + 1).unwrap();
    }
    // All leading axes have size 1 now.
    let (shape, strides) = (
        view.shape()[rank - 2..].to_vec(),
        view.strides()[rank - 2..].to_vec(),
    );
    View::new(view.data(), &shape, &strides).unwrap()
}

/// Checks a result against the reference and, bit for bit, against single products.
fn check(found: &Tensor, a: View<'_>, b: View<'_>) {
    let (batch, matrix) = found.shape().split_at(found.rank() - 2);
    let (m, n, k) = (matrix[0], matrix[1], a.shape()[a.rank() - 1]);
    let len = m * n;
    for i in 0..batch.iter().product() {
        let (a, b) = (item(a, batch, i), item(b, batch, i));
        let found = &found.as_slice()[i * len..(i + 1) * len];
        let (wide_a, wide_b): (Vec<f32>, Vec<f32>) = (a.iter().collect(), b.iter().collect());
        let expected = gemm::matmul(&wide_a, &wide_b, (m, k, n));
        for (j, (found, (sum, size))) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(*found) - sum).abs();
            assert!(
                error <= gemm::tolerance(k, size),
                "item {i} element {j}: {found} for {sum}"
            );
        }
        assert_eq!(
            bits(found),
            bits(ops::matmul(a, b).unwrap().as_slice()),
            "item {i}"
        );
    }
}

#[test]
fn batches_are_right_on_every_isa() {
    let sizes = [
        (1, 1, 1),
        (5, 7, 3),
        (1, 33, 40),
        (17, 20, 1),
        (15, 1, 33),
        (30, 65, 50),
        (4, 0, 3),
        (3, 0, 1),
    ];
    let batches: [(&[usize], &[usize]); 6] = [
        (&[1], &[1]),
        (&[4], &[4]),
        (&[1], &[3]),
        (&[2, 3], &[2, 3]),
        (&[2, 1], &[1, 3]),
        (&[2, 1, 2], &[2, 3, 1]),
    ];
    on_every_isa("batched_matmul", |_| {
        for (m, k, n) in sizes {
            for (batch_a, batch_b) in batches {
                let a = tensor(&[batch_a, &[m, k]].concat(), 1);
                let b = tensor(&[batch_b, &[k, n]].concat(), 2);
                check(&ops::batched_matmul(&a, &b).unwrap(), a.view(), b.view());
            }
        }
    });
}

#[test]
fn operands_and_outputs_of_any_strides() {
    let (m, k, n) = (13, 9, 21);
    on_every_isa("strided batched_matmul", |_| {
        // Matrices that are transposed, and a batch that is the innermost axis.
        let a = tensor(&[k, m, 4], 1);
        let a = a.view().permute(&[2, 1, 0]).unwrap();
        let b = tensor(&[4, n, k], 2);
        let b = b.view().transpose(1, 2).unwrap();
        let plain = ops::batched_matmul(a, b).unwrap();
        check(&plain, a, b);
        // Every second product, in reverse order of axes.
        let mut out = vec![7.0; n * m * 8];
        let into = ViewMut::new(&mut out, &[4, m, n], &[2, 8, 8 * m]).unwrap();
        ops::batched_matmul_into(a, b, into).unwrap();
        let written = View::new(&out, &[4, m, n], &[2, 8, 8 * m])
            .unwrap()
            .to_tensor()
            .unwrap();
        assert_eq!(bits(written.as_slice()), bits(plain.as_slice()));
        assert!(out.iter().skip(1).step_by(2).all(|&x| x == 7.0));
        // Axes that repeat by a stride of zero.
        let row = noise(k, 3);
        let repeated = View::new(&row, &[4, m, k], &[0, 0, 1]).unwrap();
        check(&ops::batched_matmul(repeated, b).unwrap(), repeated, b);
    });
}

#[test]
fn threads_change_no_bits() {
    // Fewer products than threads, as many, more; and ones too small to share.
    for (count, m, k, n) in [
        (1, 150, 300, 170),
        (3, 150, 90, 70),
        (8, 70, 90, 80),
        (19, 64, 64, 65),
        (50, 4, 3, 5),
    ] {
        let (a, b) = (tensor(&[count, m, k], 1), tensor(&[count, k, n], 2));
        on_every_isa("threads of batched_matmul", |isa| {
            let runs = [1, 2, 3, 8].map(|threads| {
                on_threads(threads, || {
                    isa.install(|| ops::batched_matmul(&a, &b).unwrap())
                })
            });
            check(&runs[0], a.view(), b.view());
            for run in &runs[1..] {
                assert_eq!(
                    bits(run.as_slice()),
                    bits(runs[0].as_slice()),
                    "{count} of {m}x{k}x{n}"
                );
            }
        });
    }
}

#[test]
fn nothing_to_multiply() {
    for (a, b, shape) in [
        ([0, 3, 4], [0, 4, 5], [0, 3, 5]),
        ([0, 3, 4], [1, 4, 5], [0, 3, 5]),
        ([2, 0, 4], [2, 4, 5], [2, 0, 5]),
        ([2, 3, 4], [2, 4, 0], [2, 3, 0]),
        ([2, 3, 0], [2, 0, 5], [2, 3, 5]),
    ] {
        let mut out = Tensor::full(&shape, f32::NAN).unwrap();
        ops::batched_matmul_into(&tensor(&a, 1), &tensor(&b, 2), &mut out).unwrap();
        assert!(out.as_slice().iter().all(|x| x.to_bits() == 0));
        assert_eq!(
            ops::batched_matmul(&tensor(&a, 1), &tensor(&b, 2)).unwrap(),
            out
        );
    }
    // Strides of matrices without elements lead nowhere.
    let empty = View::new(&[], &[2, 3, 0], &[100, 7, 1]).unwrap();
    let zeros = ops::batched_matmul(empty, &tensor(&[2, 0, 5], 1)).unwrap();
    assert_eq!(zeros, Tensor::zeros(&[2, 3, 5]).unwrap());
}

#[test]
fn wrong_shapes_are_errors_and_write_nothing() {
    let a = tensor(&[2, 3, 4], 1);
    let fault = |b: &[usize]| ops::batched_matmul(&a, &tensor(b, 2)).unwrap_err();
    assert!(matches!(
        fault(&[4, 5]),
        Error::Rank {
            expected: 3,
            found: 2,
            ..
        }
    ));
    assert!(matches!(
        fault(&[1, 2, 4, 5]),
        Error::Rank {
            expected: 3,
            found: 4,
            ..
        }
    ));
    assert!(matches!(fault(&[2, 5, 4]), Error::Shape { .. }));
    assert!(matches!(fault(&[3, 4, 5]), Error::Broadcast { .. }));
    let flat = tensor(&[3, 4], 1);
    assert!(matches!(
        ops::batched_matmul(&flat, &flat),
        Err(Error::Rank { expected: 3, .. })
    ));
    let mut out = Tensor::full(&[2, 3, 6], 7.0).unwrap();
    for b in [[2, 4, 5], [2, 6, 4], [3, 4, 6]] {
        assert!(ops::batched_matmul_into(&a, &tensor(&b, 2), &mut out).is_err());
    }
    assert!(out.as_slice().iter().all(|&x| x == 7.0));
    let huge = View::new(&[1.0], &[usize::MAX / 8, 3, 1], &[0, 0, 0])
        .unwrap_or_else(|_| View::new(&[1.0], &[usize::MAX / 32, 3, 1], &[0, 0, 0]).unwrap());
    let wide = View::new(&[1.0], &[1, 1, 64], &[0, 0, 0]).unwrap();
    assert!(matches!(
        ops::batched_matmul(huge, wide),
        Err(Error::Overflow(_))
    ));
}
