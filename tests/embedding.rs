//! Rows of a table, by index.

mod support;

use elision::{Error, Tensor, View, ViewMut, ops};
use support::{bits, on_every_isa, on_threads, values};

fn table(rows: usize, n: usize) -> Tensor {
    Tensor::from_vec(values(rows * n), &[rows, n]).unwrap()
}

/// Indices that repeat and leave some rows out.
fn indices(len: usize, rows: usize) -> Vec<u32> {
    (0..len).map(|i| ((i * i + 3 * i) % rows) as u32).collect()
}

#[test]
fn each_row_is_the_one_asked_for() {
    on_every_isa("embedding", |_| {
        for (rows, n, len) in [
            (1, 1, 5),
            (7, 15, 20),
            (7, 16, 0),
            (300, 17, 999),
            (3, 1000, 4),
        ] {
            let (table, indices) = (table(rows, n), indices(len, rows));
            let y = ops::embedding(&table, &indices).unwrap();
            assert_eq!(y.shape(), [len, n]);
            for (row, &index) in y.as_slice().chunks(n).zip(&indices) {
                assert_eq!(row, &table.as_slice()[index as usize * n..][..n]);
            }
        }
    });
}

#[test]
fn the_gradient_is_the_sum_in_the_order_of_positions() {
    on_every_isa("gradient of embedding", |_| {
        for (rows, n, len) in [(1, 1, 5), (7, 15, 20), (300, 17, 999), (5, 4, 0)] {
            let (dy, indices) = (table(len, n), indices(len, rows));
            let mut expected = table(rows, n);
            let mut grad = expected.clone();
            for (i, &index) in indices.iter().enumerate() {
                for j in 0..n {
                    let at = index as usize * n + j;
                    expected.as_mut_slice()[at] += dy.as_slice()[i * n + j];
                }
            }
            ops::embedding_backward_into(&dy, &indices, &mut grad).unwrap();
            assert_eq!(bits(grad.as_slice()), bits(expected.as_slice()));
        }
    });
}

#[test]
fn the_gradient_is_the_adjoint() {
    // <embedding(t), dy> = <t, gradient(dy)>: in whole numbers, both are exact.
    let small = |n: usize| (0..n).map(|i| (i * 37 % 17) as f32 - 8.0).collect();
    let (table, dy) = (
        Tensor::from_vec(small(60), &[12, 5]).unwrap(),
        Tensor::from_vec(small(200), &[40, 5]).unwrap(),
    );
    let indices = indices(40, 12);
    let y = ops::embedding(&table, &indices).unwrap();
    let mut grad = Tensor::zeros(&[12, 5]).unwrap();
    ops::embedding_backward_into(&dy, &indices, &mut grad).unwrap();
    let dot = |a: &Tensor, b: &Tensor| {
        let pairs = a.as_slice().iter().zip(b.as_slice());
        pairs.map(|(a, b)| a * b).sum::<f32>()
    };
    assert_eq!(dot(&y, &dy), dot(&table, &grad));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for (rows, n, len) in [(5000, 33, 3000), (40_000, 4, 200_000)] {
        let (table, dy, indices) = (table(rows, n), table(len, n), indices(len, rows));
        let run = || {
            let y = ops::embedding(&table, &indices).unwrap();
            let mut grad = table.clone();
            ops::embedding_backward_into(&dy, &indices, &mut grad).unwrap();
            (bits(y.as_slice()), bits(grad.as_slice()))
        };
        let alone = on_threads(1, run);
        for threads in [2, 3, 8] {
            assert!(
                on_threads(threads, run) == alone,
                "{rows}x{n}, {threads} threads"
            );
        }
    }
}

#[test]
fn a_nan_goes_where_its_row_goes() {
    let mut table = table(4, 3);
    table.as_mut_slice()[4] = f32::NAN;
    let y = ops::embedding(&table, &[0, 1, 3]).unwrap();
    let nans: Vec<usize> = (0..9).filter(|&i| y.as_slice()[i].is_nan()).collect();
    assert_eq!(nans, [4]);
    let mut grad = Tensor::zeros(&[4, 3]).unwrap();
    ops::embedding_backward_into(&y, &[2, 2, 0], &mut grad).unwrap();
    let nans: Vec<usize> = (0..12).filter(|&i| grad.as_slice()[i].is_nan()).collect();
    assert_eq!(nans, [7]);
}

#[test]
fn any_strides() {
    let (table, indices) = (table(6, 10), [5, 0, 5, 2]);
    let y = ops::embedding(&table, &indices).unwrap();
    let half = table.view().slice(1, 2..7).unwrap();
    let mut out = Tensor::zeros(&[5, 4]).unwrap();
    ops::embedding_into(half, &indices, out.view_mut().transpose(0, 1).unwrap()).unwrap();
    let expected = y.view().slice(1, 2..7).unwrap().to_tensor().unwrap();
    let found = out.view().transpose(0, 1).unwrap().to_tensor().unwrap();
    assert_eq!(found, expected);

    let mut grad = table.clone();
    let part = grad.view_mut().slice(1, 2..7).unwrap();
    ops::embedding_backward_into(out.view().transpose(0, 1).unwrap(), &indices, part).unwrap();
    let mut expected = table.clone();
    let zeros = |i: usize| {
        if (2..7).contains(&(i % 10)) {
            y.as_slice()[i]
        } else {
            0.0
        }
    };
    let dy = Tensor::from_vec((0..40).map(zeros).collect(), &[4, 10]).unwrap();
    ops::embedding_backward_into(&dy, &indices, &mut expected).unwrap();
    assert_eq!(grad, expected);
}

#[test]
fn nothing_is_no_error() {
    let none = Tensor::zeros(&[0, 3]).unwrap();
    assert_eq!(ops::embedding(&none, &[]).unwrap().shape(), [0, 3]);
    let narrow = Tensor::zeros(&[4, 0]).unwrap();
    let y = ops::embedding(&narrow, &[3, 1]).unwrap();
    assert_eq!(y.shape(), [2, 0]);
    let mut grad = narrow.clone();
    ops::embedding_backward_into(&y, &[3, 1], &mut grad).unwrap();
}

#[test]
fn bad_arguments_change_nothing() {
    let (table, nine) = (table(3, 2), Tensor::full(&[2, 2], 9.0).unwrap());
    let mut out = nine.clone();
    let wrong = Error::Index {
        what: "rows of an embedding",
        position: 1,
        index: 3,
        length: 3,
    };
    let text = "rows of an embedding: index 3 at position 1 is out of range for 3";
    assert_eq!(wrong.to_string(), text);
    assert_eq!(ops::embedding(&table, &[2, 3]).err(), Some(wrong.clone()));
    assert_eq!(
        ops::embedding_into(&table, &[2, 3], &mut out),
        Err(wrong.clone())
    );
    let shape = ops::embedding_into(&table, &[0, 1, 2], &mut out);
    assert!(matches!(shape, Err(Error::Shape { .. })));
    let vector = View::contiguous(&[1.0; 4], &[4]).unwrap();
    let rank = ops::embedding(vector, &[0]);
    assert!(matches!(
        rank,
        Err(Error::Rank {
            expected: 2,
            found: 1,
            ..
        })
    ));
    let empty = Tensor::zeros(&[0, 2]).unwrap();
    let index = ops::embedding(&empty, &[0]);
    assert!(matches!(
        index,
        Err(Error::Index {
            position: 0,
            length: 0,
            ..
        })
    ));
    assert_eq!(out, nine);

    let mut grad = table.clone();
    let index = ops::embedding_backward_into(&nine, &[0, u32::MAX], &mut grad);
    assert!(matches!(
        index,
        Err(Error::Index {
            position: 1,
            index: u32::MAX,
            ..
        })
    ));
    let shape = ops::embedding_backward_into(&nine, &[0], &mut grad);
    assert!(matches!(shape, Err(Error::Shape { .. })));
    assert_eq!(grad, table);
    let flat = ViewMut::contiguous(grad.as_mut_slice(), &[6]).unwrap();
    let rank = ops::embedding_backward_into(&nine, &[0, 1], flat);
    assert!(matches!(rank, Err(Error::Rank { .. })));
    assert_eq!(grad, table);
}
