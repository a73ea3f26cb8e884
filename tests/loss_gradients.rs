//! Losses as operations on variables against the naive tape, on every instruction set.

mod support;
#[path = "support/twins.rs"]
mod twins;

use elision::autograd::{Tape, Var};
use elision::reference::tape as naive;
use elision::train::{Loss, Target};
use elision::{Error, Result, Tensor};
use support::{noise, on_every_isa};
use twins::{array, check};

const SHAPES: [&[usize]; 5] = [&[1], &[2, 3], &[17, 5], &[4, 1, 33], &[]];

/// A leaf whose gradient is not looked at.
fn leaf(tape: &mut naive::Tape, x: &Tensor) -> naive::Value {
    tape.leaf(array(x))
}

fn constant(beside: &Var, x: &Tensor) -> Var {
    beside.tape().constant(x.clone())
}

/// Numbers from 0 to 1.
fn shares(shape: &[usize]) -> Tensor {
    let numbers = noise(shape, 5).into_vec().into_iter();
    Tensor::from_vec(numbers.map(|x| 0.5 * x + 0.5).collect(), shape).unwrap()
}

#[test]
fn cross_entropy() {
    on_every_isa("gradients of cross-entropy", |isa| {
        for (rows, classes) in [(1, 1), (2, 3), (33, 17)] {
            let labels: Vec<u32> = (0..rows as u32).map(|i| i * 7 % classes as u32).collect();
            for smoothing in [0.0, 0.1, 0.9] {
                check(
                    &format!("{isa} cross-entropy {rows}x{classes}, {smoothing}"),
                    &[noise(&[rows, classes], 3)],
                    |v| v[0].cross_entropy(&labels, smoothing),
                    |t, v| t.cross_entropy(v[0], &labels, smoothing),
                );
            }
        }
    });
}

#[test]
fn losses_of_elements() {
    on_every_isa("gradients of losses", |isa| {
        for shape in SHAPES {
            let [x, y, target] = [3, 4, 6].map(|seed| noise(shape, seed));
            let pair = [x, y];
            check(
                &format!("{isa} squared error {shape:?}"),
                &pair,
                |v| v[0].mean_squared_error(&v[1]),
                |t, v| t.mse(v[0], v[1]),
            );
            check(
                &format!("{isa} normal density {shape:?}"),
                &pair,
                |v| v[0].gaussian_nll(&v[1], &constant(&v[0], &target)),
                |t, v| {
                    let target = leaf(t, &target);
                    t.gaussian_nll(v[0], v[1], target)
                },
            );
            let target = shares(shape);
            check(
                &format!("{isa} binary cross-entropy {shape:?}"),
                &pair[..1],
                |v| v[0].binary_cross_entropy_with_logits(&constant(&v[0], &target)),
                |t, v| {
                    let target = leaf(t, &target);
                    t.bce_with_logits(v[0], target)
                },
            );
        }
    });
}

#[test]
fn an_error_with_itself_has_no_gradient() {
    let tape = Tape::new();
    let x = tape.variable(noise(&[5], 1));
    let gradients = x.mean_squared_error(&x).unwrap().backward().unwrap();
    assert_eq!(gradients.of(&x).unwrap().as_slice(), Some(&[0.0; 5][..]));
}

#[test]
fn slices() {
    let rows = |t: &mut naive::Tape, x| t.embedding(x, &[1, 2, 3]);
    let x = [noise(&[5, 7], 2)];
    check("rows", &x, |v| v[0].slice(0, 1..4), |t, v| rows(t, v[0]));
    let columns = |t: &mut naive::Tape, v: &[naive::Value]| {
        let turned = t.transpose(v[0], 0, 1);
        let part = rows(t, turned);
        t.transpose(part, 0, 1)
    };
    check("columns", &x, |v| v[0].slice(1, 1..4), columns);
    let tape = Tape::new();
    let x = tape.variable(x[0].clone());
    assert!(matches!(x.slice(2, 0..1), Err(Error::Axis { .. })));
    assert!(matches!(x.slice(1, 3..8), Err(Error::Range { .. })));
    assert_eq!(x.slice(0, 2..2).unwrap().shape(), [0, 7]);
}

#[test]
fn halves_of_the_output_are_means_and_log_variances() {
    let values = noise(&[6, 2], 9);
    check(
        "normal density of one output",
        &[noise(&[6, 4], 8)],
        |v| Loss::GaussianNll.of(&v[0], &Target::Values(values.view())),
        |t, v| {
            let turned = t.transpose(v[0], 0, 1);
            let halves = [[0, 1], [2, 3]].map(|columns| {
                let half = t.embedding(turned, &columns);
                t.transpose(half, 0, 1)
            });
            let target = leaf(t, &values);
            t.gaussian_nll(halves[0], halves[1], target)
        },
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let tape = Tape::new();
    let x = tape.variable(noise(&[4, 3], 1));
    let variable = tape.variable(shares(&[4, 3]));
    let narrow = tape.constant(noise(&[4, 2], 1));
    let notes = tape.notes().len();
    let unsupported = |result: Result<Var>| matches!(result, Err(Error::Unsupported(_)));
    assert!(unsupported(x.binary_cross_entropy_with_logits(&variable)));
    assert!(unsupported(x.gaussian_nll(&x, &variable)));
    assert!(unsupported(
        x.mean_squared_error(&Tape::new().constant(noise(&[4, 3], 1)))
    ));
    let shape = |result: Result<Var>| matches!(result, Err(Error::Shape { .. }));
    assert!(shape(x.mean_squared_error(&narrow)));
    assert!(shape(x.gaussian_nll(&narrow, &narrow)));
    assert!(shape(x.binary_cross_entropy_with_logits(&narrow)));
    let label = x.cross_entropy(&[0, 1, 2, 3], 0.0);
    assert!(matches!(label, Err(Error::Label { row: 3, .. })));
    let smoothing = x.cross_entropy(&[0, 1, 2, 0], 1.0);
    assert!(matches!(smoothing, Err(Error::Number { .. })));
    // Three columns are no halves; labels are no values, and the other way round.
    let values = shares(&[4, 3]);
    let of = |loss: Loss, target: Target<'_>| loss.of(&x, &target);
    assert!(shape(of(Loss::GaussianNll, Target::Values(values.view()))));
    for loss in [
        Loss::MeanSquaredError,
        Loss::GaussianNll,
        Loss::BinaryCrossEntropy,
    ] {
        assert!(unsupported(of(loss, Target::Labels(&[0; 4]))));
    }
    let classes = Loss::CrossEntropy { smoothing: 0.0 };
    assert!(unsupported(of(classes, Target::Values(values.view()))));
    assert_eq!(
        tape.notes()
            .iter()
            .filter(|note| note.op != "slice")
            .count(),
        notes
    );
}

#[test]
fn a_loss_of_nan_is_nan() {
    let tape = Tape::new();
    let x = tape.variable(Tensor::full(&[2, 3], f32::NAN).unwrap());
    let loss = x.cross_entropy(&[0, 1], 0.0).unwrap();
    assert!(loss.item().unwrap().is_nan());
    let gradients = loss.backward().unwrap();
    assert!(gradients.of(&x).unwrap().iter().all(f32::is_nan));
}
