//! Batch normalisation, by the statistics of the batch and by given ones.

mod support;

use elision::ops::{BatchNormSaved, GivenStatistics, NormGradsInto};
use elision::reference::norm as reference;
use elision::{Error, Tensor, View, ViewMut, ops};
use support::norm::{close, columns, exact, numbers, slopes, transposed};
use support::{bits, on_every_isa, on_threads};

const EPS: f32 = 1e-5;
const SHAPES: [(usize, usize); 8] = [
    (2, 1),
    (2, 16),
    (9, 15),
    (40, 16),
    (7, 17),
    (70, 1000),
    (4099, 3),
    (33, 2049),
];

struct Case {
    x: Tensor,
    dy: Tensor,
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
}

impl Case {
    fn new(rows: usize, n: usize) -> Self {
        let tensor = |seed, shape: &[usize]| {
            let len = shape.iter().product();
            Tensor::from_vec(numbers(seed, len), shape).unwrap()
        };
        let variance = numbers(6, n).into_iter().map(f32::abs).collect();
        Self {
            x: tensor(1, &[rows, n]),
            dy: tensor(2, &[rows, n]),
            weight: tensor(3, &[n]),
            bias: tensor(4, &[n]),
            mean: tensor(5, &[n]),
            variance: Tensor::from_vec(variance, &[n]).unwrap(),
        }
    }

    fn given(&self) -> GivenStatistics<'_> {
        GivenStatistics {
            mean: self.mean.view(),
            variance: self.variance.view(),
            eps: EPS,
        }
    }

    fn forward(&self) -> (Tensor, BatchNormSaved) {
        let (weight, bias) = (Some(self.weight.view()), Some(self.bias.view()));
        ops::batch_norm(&self.x, weight, bias, EPS).unwrap()
    }

    fn inference(&self) -> Tensor {
        let (weight, bias) = (Some(self.weight.view()), Some(self.bias.view()));
        ops::batch_norm_inference(&self.x, &self.given(), weight, bias).unwrap()
    }

    /// The gradients of input, weight and bias, through the statistics of the batch if they are given.
    fn backward(&self, saved: Option<&BatchNormSaved>) -> [Tensor; 3] {
        let mut grads = [&self.x, &self.weight, &self.bias].map(|x| {
            let nine = Tensor::full(x.shape(), 9.0);
            nine.unwrap()
        });
        let [x, weight, bias] = &mut grads;
        let into = NormGradsInto {
            x: Some(x.view_mut()),
            weight: Some(weight.view_mut()),
            bias: Some(bias.view_mut()),
        };
        let weight = Some(self.weight.view());
        match saved {
            Some(saved) => ops::batch_norm_backward_into(&self.dy, &self.x, weight, saved, into),
            None => {
                let given = self.given();
                ops::batch_norm_inference_backward_into(&self.dy, &self.x, &given, weight, into)
            }
        }
        .unwrap();
        grads
    }

    /// All results, as bits.
    fn all(&self) -> (Vec<Vec<u32>>, BatchNormSaved) {
        let (y, saved) = self.forward();
        let mut all = vec![bits(y.as_slice()), bits(self.inference().as_slice())];
        for grads in [self.backward(Some(&saved)), self.backward(None)] {
            all.extend(grads.iter().map(|grad| bits(grad.as_slice())));
        }
        (all, saved)
    }

    /// Inference in f64.
    fn exact_inference(&self, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let n = weight.len();
        let (mean, variance) = (exact(&self.mean), exact(&self.variance));
        let y = x.iter().enumerate().map(|(i, x)| {
            let j = i % n;
            (x - mean[j]) / (variance[j] + f64::from(EPS)).sqrt() * weight[j] + bias[j]
        });
        y.collect()
    }
}

#[test]
fn near_the_reference_with_the_same_bits_on_every_instruction_set() {
    for (rows, n) in SHAPES {
        let case = Case::new(rows, n);
        let (x, weight, bias) = (exact(&case.x), exact(&case.weight), exact(&case.bias));
        let batch = reference::batch_norm(&x, &weight, &bias, f64::from(EPS));
        close(case.forward().0.as_slice(), &batch, 2e-6);
        close(
            case.inference().as_slice(),
            &case.exact_inference(&x, &weight, &bias),
            2e-6,
        );
        let first = case.all();
        on_every_isa("batch norm", |isa| {
            assert!(case.all() == first, "{rows}x{n} {isa}")
        });
    }
}

#[test]
fn the_gradients_are_slopes_of_the_reference() {
    for (rows, n) in [(3, 1), (5, 2), (4, 17)] {
        let case = Case::new(rows, n);
        let (x, weight, bias) = (exact(&case.x), exact(&case.weight), exact(&case.bias));
        let dy = exact(&case.dy);
        let saved = case.forward().1;
        for saved in [Some(&saved), None] {
            let of = |x: &[f64], weight: &[f64], bias: &[f64]| match saved {
                Some(_) => reference::batch_norm(x, weight, bias, f64::from(EPS)),
                None => case.exact_inference(x, weight, bias),
            };
            let [dx, dweight, dbias] = case.backward(saved);
            close(
                dx.as_slice(),
                &slopes(&x, &dy, |x| of(x, &weight, &bias)),
                2e-5,
            );
            close(
                dweight.as_slice(),
                &slopes(&weight, &dy, |weight| of(&x, weight, &bias)),
                1e-5,
            );
            close(
                dbias.as_slice(),
                &slopes(&bias, &dy, |bias| of(&x, &weight, bias)),
                1e-5,
            );
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for (rows, n) in [(700, 257), (50_000, 3), (40, 9000)] {
        let case = Case::new(rows, n);
        let alone = on_threads(1, || case.all());
        for threads in [2, 3, 8] {
            assert!(
                on_threads(threads, || case.all()) == alone,
                "{rows}x{n}, {threads} threads"
            );
        }
    }
}

#[test]
fn the_statistics_are_those_of_the_columns() {
    let x = Tensor::from_slice(&[1.0, 10.0, 2.0, 10.0, 6.0, 10.0], &[3, 2]).unwrap();
    let (_, saved) = ops::batch_norm(&x, None, None, 0.25).unwrap();
    assert_eq!((saved.count(), saved.mean()), (3, &[3.0, 10.0][..]));
    assert_eq!(saved.variance(), [14.0 / 3.0, 0.0]);
    assert_eq!(saved.inv_std(), [1.0 / (14.0_f64 / 3.0 + 0.25).sqrt(), 2.0]);
    assert_eq!(saved.bytes(), 48);
    let (mut mean, mut variance) = ([1.0, 2.0], [1.0, 1.0]);
    saved.update_running(0.5, &mut mean, &mut variance).unwrap();
    assert_eq!((mean, variance), ([2.0, 6.0], [4.0, 0.5]));

    let length = saved.update_running(0.5, &mut mean, &mut [0.0]);
    assert!(matches!(length, Err(Error::Length { .. })));
    let length = saved.update_running(0.5, &mut [0.0], &mut variance);
    assert!(matches!(length, Err(Error::Length { .. })));
    for momentum in [-0.1, 1.1, f64::NAN] {
        let number = saved.update_running(momentum, &mut mean, &mut variance);
        assert!(matches!(number, Err(Error::Number { .. })));
    }
    assert_eq!((mean, variance), ([2.0, 6.0], [4.0, 0.5]));
}

#[test]
fn what_is_normalised_by_its_own_statistics_agrees_with_the_given_form() {
    let mut case = Case::new(64, 20);
    let (y, saved) = case.forward();
    let narrow = |x: &[f64]| x.iter().map(|&x| x as f32).collect();
    case.mean = Tensor::from_vec(narrow(saved.mean()), &[20]).unwrap();
    case.variance = Tensor::from_vec(narrow(saved.variance()), &[20]).unwrap();
    close(case.inference().as_slice(), &exact(&y), 1e-6);
}

#[test]
fn constant_columns_are_finite_and_a_large_offset_does_no_harm() {
    let mut case = Case::new(50, 18);
    for (i, x) in case.x.as_mut_slice().iter_mut().enumerate() {
        *x = match i % 18 {
            0 => 3e7,
            1 => 0.0,
            _ => (*x * 8.0).round() / 8.0 + 1e4,
        };
    }
    let (x, weight, bias) = (exact(&case.x), exact(&case.weight), exact(&case.bias));
    let (y, saved) = case.forward();
    close(
        y.as_slice(),
        &reference::batch_norm(&x, &weight, &bias, f64::from(EPS)),
        3e-6,
    );
    for row in y.as_slice().chunks(18) {
        assert_eq!(row[..2], case.bias.as_slice()[..2]);
    }
    let grads = case.backward(Some(&saved));
    assert!(
        grads
            .iter()
            .all(|grad| grad.as_slice().iter().all(|g| g.is_finite()))
    );
}

#[test]
fn a_nan_stays_in_its_column() {
    let mut case = Case::new(6, 20);
    case.x.as_mut_slice()[2 * 20 + 17] = f32::NAN;
    on_every_isa("a NaN", |_| {
        let (y, saved) = case.forward();
        let [dx, dweight, dbias] = case.backward(Some(&saved));
        for (i, (y, dx)) in y.as_slice().iter().zip(dx.as_slice()).enumerate() {
            assert_eq!(
                (y.is_nan(), dx.is_nan()),
                (i % 20 == 17, i % 20 == 17),
                "{i}"
            );
        }
        assert_eq!(dweight.as_slice().iter().position(|g| g.is_nan()), Some(17));
        assert!(dbias.as_slice().iter().all(|g| g.is_finite()));
        let y = case.inference();
        let nans = y.as_slice().iter().filter(|y| y.is_nan()).count();
        assert_eq!(nans, 1, "with given statistics it stays alone");
    });
}

#[test]
fn any_rank_and_any_strides() {
    let case = Case::new(12, 10);
    let (y, saved) = case.forward();
    let (weight, bias) = (Some(case.weight.view()), Some(case.bias.view()));
    let image = case.x.view().reshape(&[2, 3, 2, 10]).unwrap();
    let (images, of_images) = ops::batch_norm(image, weight, bias, EPS).unwrap();
    assert_eq!(
        (images.shape(), images.as_slice()),
        (image.shape(), y.as_slice())
    );
    assert_eq!(of_images, saved);

    let (x, dy) = (transposed(&case.x), transposed(&case.dy));
    let (x, dy) = (
        x.view().transpose(0, 1).unwrap(),
        dy.view().transpose(0, 1).unwrap(),
    );
    let turned = |x: &Tensor| x.view().transpose(0, 1).unwrap().to_tensor().unwrap();
    let [mut out, mut dx] = [0, 1].map(|_| Tensor::zeros(&[10, 12]).unwrap());
    let mut again = BatchNormSaved::default();
    let wide = columns(&case.weight);
    let weight = Some(View::new(wide.as_slice(), &[10], &[2]).unwrap());
    let to = out.view_mut().transpose(0, 1).unwrap();
    ops::batch_norm_into(x, weight, bias, EPS, to, &mut again).unwrap();
    assert_eq!((turned(&out), &again), (y, &saved));

    let mut pairs = Tensor::full(&[10, 2], 9.0).unwrap();
    for saved in [Some(&saved), None] {
        let into = NormGradsInto {
            x: Some(dx.view_mut().transpose(0, 1).unwrap()),
            weight: Some(ViewMut::new(pairs.as_mut_slice(), &[10], &[2]).unwrap()),
            bias: None,
        };
        match saved {
            Some(saved) => ops::batch_norm_backward_into(dy, x, weight, saved, into),
            None => ops::batch_norm_inference_backward_into(dy, x, &case.given(), weight, into),
        }
        .unwrap();
        let expected = case.backward(saved);
        assert_eq!(turned(&dx), expected[0]);
        for (pair, &weight) in pairs.as_slice().chunks(2).zip(expected[1].as_slice()) {
            assert_eq!(pair, [weight, 9.0]);
        }
    }
}

#[test]
fn absent_parameters_are_one_and_zero() {
    let case = Case::new(5, 6);
    let (one, zero) = (
        Tensor::full(&[6], 1.0).unwrap(),
        Tensor::zeros(&[6]).unwrap(),
    );
    let both = (Some(one.view()), Some(zero.view()));
    assert_eq!(
        ops::batch_norm(&case.x, None, None, EPS),
        ops::batch_norm(&case.x, both.0, both.1, EPS)
    );
    assert_eq!(
        ops::batch_norm_inference(&case.x, &case.given(), None, None),
        ops::batch_norm_inference(&case.x, &case.given(), both.0, both.1)
    );
}

#[test]
fn little_or_nothing() {
    let narrow = Case::new(3, 0);
    let (y, saved) = narrow.forward();
    assert_eq!(
        (y.shape(), saved.count(), saved.mean().len()),
        (&[3, 0][..], 3, 0)
    );
    narrow.backward(Some(&saved));
    narrow.backward(None);
    for rows in [0, 1] {
        let case = Case::new(rows, 4);
        let batch = ops::batch_norm(&case.x, None, None, EPS);
        assert!(matches!(batch, Err(Error::Unsupported(_))), "{rows}");
        assert_eq!(case.inference().shape(), [rows, 4]);
        let [_, dweight, dbias] = case.backward(None);
        if rows == 0 {
            let zeros = Tensor::zeros(&[4]).unwrap();
            assert_eq!((&dweight, &dbias), (&zeros, &zeros));
        } else {
            assert_eq!(dbias.as_slice(), case.dy.as_slice());
        }
    }
}

#[test]
fn bad_arguments_change_nothing() {
    let case = Case::new(2, 3);
    let (x, three, two) = (&case.x, case.weight.view(), Tensor::zeros(&[2]).unwrap());
    let two = two.view();
    let (_, kept) = case.forward();
    let mut saved = kept.clone();
    let mut out = Tensor::full(&[2, 3], 9.0).unwrap();
    let mut fault = |x: View<'_>, weight, eps, out: ViewMut<'_>| {
        let error = ops::batch_norm_into(x, Some(weight), None, eps, out, &mut saved).unwrap_err();
        assert_eq!(saved, kept);
        error
    };
    let vector = View::contiguous(x.as_slice(), &[6]).unwrap();
    let error = fault(vector, three, EPS, out.view_mut());
    assert!(matches!(
        error,
        Error::Rank {
            expected: 2,
            found: 1,
            ..
        }
    ));
    assert!(matches!(
        fault(x.view(), two, EPS, out.view_mut()),
        Error::Shape { .. }
    ));
    assert!(matches!(
        fault(x.view(), three, 0.0, out.view_mut()),
        Error::Number { .. }
    ));
    let turned = out.view_mut().transpose(0, 1).unwrap();
    assert!(matches!(
        fault(x.view(), three, EPS, turned),
        Error::Shape { .. }
    ));
    let row = View::contiguous(&x.as_slice()[..3], &[1, 3]).unwrap();
    let to = out.view_mut().slice(0, 0..1).unwrap();
    assert!(matches!(fault(row, three, EPS, to), Error::Unsupported(_)));

    let negative = Tensor::from_slice(&[1.0, -0.5, 1.0], &[3]).unwrap();
    let good = case.given();
    let bad = [
        GivenStatistics { mean: two, ..good },
        GivenStatistics {
            variance: two,
            ..good
        },
        GivenStatistics {
            variance: negative.view(),
            ..good
        },
        GivenStatistics {
            eps: f32::INFINITY,
            ..good
        },
    ];
    for given in bad {
        let forward = ops::batch_norm_inference_into(x, &given, None, None, &mut out);
        let into = NormGradsInto {
            x: Some(out.view_mut()),
            ..NormGradsInto::default()
        };
        let backward = ops::batch_norm_inference_backward_into(&case.dy, x, &given, None, into);
        assert!(matches!(
            forward,
            Err(Error::Shape { .. } | Error::Number { .. })
        ));
        assert_eq!(forward, backward);
    }
    let bias = ops::batch_norm_inference_into(x, &good, None, Some(two), &mut out);
    assert!(matches!(bias, Err(Error::Shape { .. })));
    assert_eq!(out, Tensor::full(&[2, 3], 9.0).unwrap());
}

#[test]
fn bad_arguments_of_the_backward_pass_change_nothing() {
    let case = Case::new(2, 3);
    let saved = case.forward().1;
    let mut out = Tensor::full(&[2, 3], 9.0).unwrap();
    let mut fault = |dy: &Tensor, saved: &BatchNormSaved, dweight: &mut Tensor| {
        let into = NormGradsInto {
            x: Some(out.view_mut()),
            weight: Some(dweight.view_mut()),
            bias: None,
        };
        ops::batch_norm_backward_into(dy, &case.x, None, saved, into).unwrap_err()
    };
    let mut three = Tensor::full(&[3], 9.0).unwrap();
    let mut two = Tensor::full(&[2], 9.0).unwrap();
    let turned = transposed(&case.dy);
    assert!(matches!(
        fault(&turned, &saved, &mut three),
        Error::Shape { .. }
    ));
    assert!(matches!(
        fault(&case.dy, &saved, &mut two),
        Error::Shape { .. }
    ));
    for other in [Case::new(4, 3), Case::new(2, 4)] {
        let saved = other.forward().1;
        assert!(matches!(
            fault(&case.dy, &saved, &mut three),
            Error::Length { .. }
        ));
    }
    let nines = [&[2, 3][..], &[3], &[2]].map(|shape| Tensor::full(shape, 9.0).unwrap());
    assert_eq!([out, three, two], nines);
}
