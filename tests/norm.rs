//! Normalisation of rows: layer norm and its form without a mean.

mod support;

use elision::ops::{NormGradsInto, NormSaved};
use elision::reference::norm as reference;
use elision::{Error, Result, Tensor, View, ViewMut, ops};
use support::norm::{close, columns, exact, numbers, slopes, transposed};
use support::{bits, on_every_isa, on_threads};

const EPS: f32 = 1e-5;
const WIDTHS: [usize; 8] = [1, 2, 15, 16, 17, 1000, 1025, 5000];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Layer,
    Rms,
}

const FORMS: [Form; 2] = [Form::Layer, Form::Rms];

/// A norm with its parameters; the form without a mean has no bias.
struct Case {
    form: Form,
    x: Tensor,
    dy: Tensor,
    weight: Tensor,
    bias: Tensor,
}

impl Case {
    fn new(form: Form, rows: usize, n: usize) -> Self {
        let tensor = |seed, shape: &[usize]| {
            let len = shape.iter().product();
            Tensor::from_vec(numbers(seed, len), shape).unwrap()
        };
        Self {
            form,
            x: tensor(1, &[rows, n]),
            dy: tensor(2, &[rows, n]),
            weight: tensor(3, &[n]),
            bias: tensor(4, &[n]),
        }
    }

    fn forward_into(&self, x: View<'_>, out: ViewMut<'_>, saved: Option<&mut NormSaved>) {
        let weight = Some(self.weight.view());
        match self.form {
            Form::Layer => {
                let bias = Some(self.bias.view());
                ops::layer_norm_into(x, weight, bias, EPS, out, saved)
            }
            Form::Rms => ops::rms_norm_into(x, weight, EPS, out, saved),
        }
        .unwrap();
    }

    fn forward(&self) -> (Tensor, NormSaved) {
        let mut out = Tensor::full(self.x.shape(), 7.0).unwrap();
        let mut saved = NormSaved::default();
        self.forward_into(self.x.view(), out.view_mut(), Some(&mut saved));
        (out, saved)
    }

    /// The gradients of input, weight and bias.
    fn backward(&self, saved: &NormSaved) -> [Tensor; 3] {
        let mut grads = [&self.x, &self.weight, &self.bias].map(|x| {
            let nine = Tensor::full(x.shape(), 9.0);
            nine.unwrap()
        });
        let [x, weight, bias] = &mut grads;
        let bias = (self.form == Form::Layer).then(|| bias.view_mut());
        let into = NormGradsInto {
            x: Some(x.view_mut()),
            weight: Some(weight.view_mut()),
            bias,
        };
        backward(
            self.form,
            self.dy.view(),
            self.x.view(),
            Some(self.weight.view()),
            saved,
            into,
        )
        .unwrap();
        grads
    }

    fn exact(&self, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        match self.form {
            Form::Layer => reference::layer_norm(x, weight, bias, f64::from(EPS)),
            Form::Rms => reference::rms_norm(x, weight, f64::from(EPS)),
        }
    }
}

fn backward(
    form: Form,
    dy: View<'_>,
    x: View<'_>,
    weight: Option<View<'_>>,
    saved: &NormSaved,
    into: NormGradsInto<'_>,
) -> Result<()> {
    match form {
        Form::Layer => ops::layer_norm_backward_into(dy, x, weight, saved, into),
        Form::Rms => ops::rms_norm_backward_into(dy, x, weight, saved, into),
    }
}

#[test]
fn near_the_reference_with_the_same_bits_on_every_instruction_set() {
    for (form, n) in FORMS.into_iter().flat_map(|form| WIDTHS.map(|n| (form, n))) {
        let case = Case::new(form, 5, n);
        let (x, weight, bias) = (exact(&case.x), exact(&case.weight), exact(&case.bias));
        let (first, first_saved) = case.forward();
        let first_grads = case.backward(&first_saved);
        close(first.as_slice(), &case.exact(&x, &weight, &bias), 2e-6);
        on_every_isa("norm", |isa| {
            let (out, saved) = case.forward();
            assert_eq!(
                bits(out.as_slice()),
                bits(first.as_slice()),
                "{form:?} {n} {isa}"
            );
            assert_eq!(saved, first_saved, "{form:?} {n} {isa}");
            for (grad, first) in case.backward(&saved).iter().zip(&first_grads) {
                assert_eq!(
                    bits(grad.as_slice()),
                    bits(first.as_slice()),
                    "{form:?} {n} {isa}"
                );
            }
            let mut plain = Tensor::zeros(case.x.shape()).unwrap();
            case.forward_into(case.x.view(), plain.view_mut(), None);
            assert_eq!(
                bits(plain.as_slice()),
                bits(first.as_slice()),
                "{form:?} {n} {isa}"
            );
        });
    }
}

#[test]
fn the_gradients_are_slopes_of_the_reference() {
    for (form, n) in FORMS
        .into_iter()
        .flat_map(|form| [1, 3, 16, 17, 100].map(|n| (form, n)))
    {
        let case = Case::new(form, 3, n);
        let (x, weight, bias) = (exact(&case.x), exact(&case.weight), exact(&case.bias));
        let dy = exact(&case.dy);
        let [dx, dweight, dbias] = case.backward(&case.forward().1);
        let of = |x: &[f64], weight: &[f64], bias: &[f64]| case.exact(x, weight, bias);
        close(
            dx.as_slice(),
            &slopes(&x, &dy, |x| of(x, &weight, &bias)),
            1e-5,
        );
        close(
            dweight.as_slice(),
            &slopes(&weight, &dy, |weight| of(&x, weight, &bias)),
            1e-5,
        );
        if form == Form::Layer {
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
    for (form, (rows, n)) in FORMS
        .into_iter()
        .flat_map(|form| [(700, 257), (50_000, 3), (40, 9000)].map(|shape| (form, shape)))
    {
        let case = Case::new(form, rows, n);
        let run = || {
            let (out, saved) = case.forward();
            let grads = case.backward(&saved);
            let slices = grads.iter().map(|grad| bits(grad.as_slice()));
            (bits(out.as_slice()), slices.collect::<Vec<_>>(), saved)
        };
        let alone = on_threads(1, run);
        for threads in [2, 3, 8] {
            assert!(
                on_threads(threads, run) == alone,
                "{form:?} {rows}x{n}, {threads} threads"
            );
        }
    }
}

#[test]
fn absent_parameters_are_one_and_zero() {
    let case = Case::new(Form::Layer, 4, 33);
    let (one, zero) = (
        Tensor::full(&[33], 1.0).unwrap(),
        Tensor::zeros(&[33]).unwrap(),
    );
    let (x, weight) = (&case.x, Some(one.view()));
    let bare = ops::layer_norm(x, None, None, EPS).unwrap();
    assert_eq!(
        bare,
        ops::layer_norm(x, weight, Some(zero.view()), EPS).unwrap()
    );
    assert_eq!(ops::rms_norm(x, None, EPS), ops::rms_norm(x, weight, EPS));
    let grads = [None, weight].map(|weight| {
        let mut dx = Tensor::zeros(x.shape()).unwrap();
        let into = NormGradsInto {
            x: Some(dx.view_mut()),
            ..NormGradsInto::default()
        };
        backward(Form::Layer, case.dy.view(), x.view(), weight, &bare.1, into).unwrap();
        dx
    });
    assert_eq!(grads[0], grads[1]);
}

#[test]
fn what_is_saved_are_the_moments_of_each_row() {
    let x = Tensor::from_slice(&[1.0, 3.0, -2.0, -2.0, 0.0, 8.0], &[3, 2]).unwrap();
    let (_, mut saved) = ops::layer_norm(&x, None, None, EPS).unwrap();
    assert_eq!(saved.mean().collect::<Vec<_>>(), [2.0, -2.0, 4.0]);
    let inv_std =
        [1.0, 0.0, 16.0].map(|variance: f64| (1.0 / (variance + f64::from(EPS)).sqrt()) as f32);
    assert_eq!(saved.inv_std().collect::<Vec<_>>(), inv_std);
    assert_eq!((saved.rows(), saved.bytes()), (3, 36));
    let row = x.view().slice(0, 0..1).unwrap();
    let mut out = Tensor::zeros(&[1, 2]).unwrap();
    ops::rms_norm_into(row, None, EPS, &mut out, Some(&mut saved)).unwrap();
    assert_eq!((saved.rows(), saved.mean().next()), (1, Some(0.0)));
}

#[test]
fn constant_rows_are_finite_and_become_the_bias() {
    for n in [1, 16, 1000] {
        let bias = Tensor::from_vec(numbers(1, n), &[n]).unwrap();
        for value in [0.0, 1.0, -3e7, 1e30] {
            let x = Tensor::full(&[2, n], value).unwrap();
            let (y, saved) = ops::layer_norm(&x, None, Some(bias.view()), EPS).unwrap();
            for row in y.as_slice().chunks(n) {
                assert_eq!(row, bias.as_slice(), "{n} {value}");
            }
            let mut dx = Tensor::zeros(&[2, n]).unwrap();
            let into = NormGradsInto {
                x: Some(dx.view_mut()),
                ..NormGradsInto::default()
            };
            ops::layer_norm_backward_into(&x, &x, None, &saved, into).unwrap();
            assert!(dx.as_slice().iter().all(|g| g.is_finite()), "{n} {value}");
        }
        let (y, _) = ops::rms_norm(&Tensor::zeros(&[2, n]).unwrap(), None, EPS).unwrap();
        assert_eq!(y, Tensor::zeros(&[2, n]).unwrap());
    }
}

#[test]
fn a_nan_stays_in_its_row() {
    for (form, bad) in [
        (Form::Layer, f32::NAN),
        (Form::Layer, f32::INFINITY),
        (Form::Rms, f32::NAN),
    ] {
        let mut case = Case::new(form, 3, 40);
        let (clean, _) = case.forward();
        case.x.as_mut_slice()[40 + 17] = bad;
        on_every_isa("a NaN", |_| {
            let (y, saved) = case.forward();
            let rows = |x: &Tensor| x.as_slice().chunks(40).map(bits).collect::<Vec<_>>();
            assert_eq!(
                [&rows(&y)[0], &rows(&y)[2]],
                [&rows(&clean)[0], &rows(&clean)[2]]
            );
            assert_eq!(rows(&y)[1], [f32::NAN.to_bits(); 40]);
            let [dx, ..] = case.backward(&saved);
            let found: Vec<bool> = dx.as_slice().iter().map(|g| g.is_nan()).collect();
            assert_eq!(found, [[false; 40], [true; 40], [false; 40]].concat());
        });
    }
}

#[test]
fn a_large_offset_does_no_harm() {
    for (n, offset) in [(16, 1e4), (1000, 1e4), (1000, -1e6), (5000, 1e4)] {
        let mut case = Case::new(Form::Layer, 3, n);
        // The noise is a multiple of 1/8, so that the sum is exact.
        for x in case.x.as_mut_slice() {
            *x = (*x * 8.0).round() / 8.0 + offset;
        }
        let (x, weight, bias) = (exact(&case.x), exact(&case.weight), exact(&case.bias));
        let (y, saved) = case.forward();
        close(y.as_slice(), &case.exact(&x, &weight, &bias), 3e-6);
        let mut centred = Case::new(Form::Layer, 3, n);
        let shifted = case.x.as_slice().iter().map(|x| x - offset).collect();
        centred.x = Tensor::from_vec(shifted, &[3, n]).unwrap();
        let grads = centred.backward(&centred.forward().1);
        for (grad, centred) in case.backward(&saved).iter().zip(&grads) {
            close(grad.as_slice(), &exact(centred), 1e-5);
        }
    }
}

#[test]
fn any_rank_and_any_strides() {
    for form in FORMS {
        let case = Case::new(form, 6, 20);
        let (y, saved) = case.forward();
        let grads = case.backward(&saved);
        let cube = case.x.view().reshape(&[2, 3, 20]).unwrap();
        let mut out = Tensor::zeros(&[2, 3, 20]).unwrap();
        case.forward_into(cube, out.view_mut(), None);
        assert_eq!(out.as_slice(), y.as_slice());
        let row = case
            .x
            .view()
            .slice(0, 2..3)
            .unwrap()
            .reshape(&[20])
            .unwrap();
        let mut out = Tensor::zeros(&[20]).unwrap();
        case.forward_into(row, out.view_mut(), None);
        assert_eq!(out.as_slice(), &y.as_slice()[40..60]);

        let (x, dy) = (transposed(&case.x), transposed(&case.dy));
        let turned = |x: &Tensor| x.view().transpose(0, 1).unwrap().to_tensor().unwrap();
        let mut out = Tensor::zeros(&[20, 6]).unwrap();
        let view = x.view().transpose(0, 1).unwrap();
        case.forward_into(view, out.view_mut().transpose(0, 1).unwrap(), None);
        assert_eq!(turned(&out), y);
        let mut dx = Tensor::zeros(&[20, 6]).unwrap();
        let (wide, mut pairs) = (columns(&case.weight), Tensor::full(&[20, 2], 9.0).unwrap());
        let into = NormGradsInto {
            x: Some(dx.view_mut().transpose(0, 1).unwrap()),
            weight: Some(ViewMut::new(pairs.as_mut_slice(), &[20], &[2]).unwrap()),
            bias: None,
        };
        let weight = View::new(wide.as_slice(), &[20], &[2]).unwrap();
        backward(
            form,
            dy.view().transpose(0, 1).unwrap(),
            view,
            Some(weight),
            &saved,
            into,
        )
        .unwrap();
        assert_eq!(turned(&dx), grads[0]);
        for (pair, &weight) in pairs.as_slice().chunks(2).zip(grads[1].as_slice()) {
            assert_eq!(pair, [weight, 9.0]);
        }
    }
}

#[test]
fn nothing_is_no_error() {
    for shape in [[0, 4], [3, 0], [usize::MAX, 0]] {
        let x = Tensor::zeros(&shape).unwrap();
        for form in FORMS {
            let mut case = Case::new(form, 1, shape[1]);
            (case.x, case.dy) = (x.clone(), x.clone());
            let (y, saved) = case.forward();
            assert_eq!((y.shape(), saved.rows()), (x.shape(), 0));
            let [_, weight, _] = case.backward(&saved);
            assert_eq!(weight, Tensor::zeros(&[shape[1]]).unwrap());
        }
    }
}

#[test]
fn bad_arguments_change_nothing() {
    let case = Case::new(Form::Layer, 2, 3);
    let (x, three, two) = (&case.x, &case.weight, Tensor::zeros(&[2]).unwrap());
    let (_, kept) = ops::layer_norm(x, None, None, EPS).unwrap();
    let mut saved = kept.clone();
    let mut out = Tensor::full(&[2, 3], 9.0).unwrap();
    let mut fault = |x: &Tensor, weight: &Tensor, bias: &Tensor, eps, out: ViewMut<'_>| {
        let (weight, bias) = (Some(weight.view()), Some(bias.view()));
        let error = ops::layer_norm_into(x, weight, bias, eps, out, Some(&mut saved)).unwrap_err();
        assert_eq!(saved, kept);
        error
    };
    let scalar = Tensor::zeros(&[]).unwrap();
    let error = fault(&scalar, three, three, EPS, out.view_mut());
    assert!(matches!(
        error,
        Error::Rank {
            expected: 1,
            found: 0,
            ..
        }
    ));
    for (weight, bias) in [(&two, three), (three, &two)] {
        let error = fault(x, weight, bias, EPS, out.view_mut());
        assert!(matches!(error, Error::Shape { .. }));
    }
    for eps in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = fault(x, three, three, eps, out.view_mut());
        assert!(matches!(error, Error::Number { .. }), "{eps}");
    }
    let turned = out.view_mut().transpose(0, 1).unwrap();
    assert!(matches!(
        fault(x, three, three, EPS, turned),
        Error::Shape { .. }
    ));
    assert_eq!(out, Tensor::full(&[2, 3], 9.0).unwrap());
}

#[test]
fn bad_arguments_of_the_backward_pass_change_nothing() {
    let case = Case::new(Form::Layer, 2, 3);
    let (x, dy, saved) = (&case.x, &case.dy, case.forward().1);
    let (one_row, two) = (
        Tensor::zeros(&[1, 3]).unwrap(),
        Tensor::zeros(&[2]).unwrap(),
    );
    let mut out = Tensor::full(&[2, 3], 9.0).unwrap();
    let mut fault = |dy: &Tensor, x: &Tensor, weight: &Tensor, saved: &NormSaved| {
        let into = NormGradsInto {
            x: Some(out.view_mut()),
            ..NormGradsInto::default()
        };
        let weight = Some(weight.view());
        ops::layer_norm_backward_into(dy, x, weight, saved, into).unwrap_err()
    };
    assert!(matches!(
        fault(&one_row, x, &case.weight, &saved),
        Error::Shape { .. }
    ));
    assert!(matches!(fault(dy, x, &two, &saved), Error::Shape { .. }));
    let none = NormSaved::default();
    assert!(matches!(
        fault(dy, x, &case.weight, &none),
        Error::Length {
            expected: 2,
            found: 0,
            ..
        }
    ));
    let other = ops::layer_norm(&one_row, None, None, EPS).unwrap().1;
    assert!(matches!(
        fault(&one_row, &one_row, &case.weight, &other),
        Error::Shape { .. }
    ));
    let mut bias = Tensor::full(&[3], 9.0).unwrap();
    let into = NormGradsInto {
        x: Some(out.view_mut()),
        weight: None,
        bias: Some(bias.view_mut()),
    };
    assert!(matches!(
        ops::rms_norm_backward_into(dy, x, None, &saved, into),
        Err(Error::Unsupported(_))
    ));
    let mut short = Tensor::full(&[2], 9.0).unwrap();
    for which in 0..2 {
        let (weight, bias) = if which == 0 {
            (Some(short.view_mut()), None)
        } else {
            (None, Some(short.view_mut()))
        };
        let x_grad = Some(out.view_mut());
        let into = NormGradsInto {
            x: x_grad,
            weight,
            bias,
        };
        let result = ops::layer_norm_backward_into(dy, x, None, &saved, into);
        assert!(matches!(result, Err(Error::Shape { .. })));
    }
    assert_eq!(out, Tensor::full(&[2, 3], 9.0).unwrap());
    assert_eq!(
        (bias, short),
        (
            Tensor::full(&[3], 9.0).unwrap(),
            Tensor::full(&[2], 9.0).unwrap()
        )
    );
}
