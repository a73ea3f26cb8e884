//! A backward pass without saved bits: the same gradients, bit for bit, as with them.

mod support;

use elision::{Activation, Dropout, Epilogue, Error, Form, Key, Tensor, View, ops};
use ops::Saved;
use support::{bits, noise, on_every_isa, on_threads};

/// Every second column of a wider matrix, with NaN between.
fn spread(x: &Tensor) -> Vec<f32> {
    x.as_slice().iter().flat_map(|&x| [x, f32::NAN]).collect()
}

fn spread_view<'a>(x: &'a [f32], shape: &[usize]) -> View<'a> {
    View::new(x, shape, &[2 * shape[1], 2]).unwrap()
}

fn all_bits(grads: &ops::LinearGrads) -> [Vec<u32>; 3] {
    [&grads.x, &grads.w, &grads.bias].map(|grad| bits(grad.as_slice()))
}

fn dropouts() -> impl Iterator<Item = Option<Dropout>> {
    let some = |p| Dropout::new(Key::new(9), p).unwrap().with_offset(1234);
    let inverted = [0.0, 0.3, 0.5, 1.0].map(|p| Some(some(p)));
    inverted
        .into_iter()
        .chain([None, Some(some(0.3).with_form(Form::Original))])
}

/// One layer, with and without saved bits.
fn check(x: &Tensor, w: &Tensor, epilogue: &Epilogue<'_>, what: &str) {
    let (m, n) = (x.shape()[0], w.shape()[0]);
    let g = noise(&[m, n], 4);
    let (y, stored) = ops::linear(x, w, epilogue).unwrap();
    let want = all_bits(&ops::linear_backward(&g, x, w, epilogue, &stored).unwrap());
    let mut saved = Saved::recomputing();
    let mut again = Tensor::full(&[m, n], f32::NAN).unwrap();
    ops::linear_into(x, w, epilogue, &mut again, Some(&mut saved)).unwrap();
    assert_eq!(
        bits(again.as_slice()),
        bits(y.as_slice()),
        "{what}: the output"
    );
    let smooth = !matches!(epilogue.activation, Activation::Identity | Activation::Relu);
    assert_eq!(saved.kept(), None);
    assert_eq!(saved.bytes(), if smooth { 4 * m * n } else { 0 });
    assert_eq!(saved.pre_activation(), stored.pre_activation());

    let (wide_g, wide_y) = (spread(&g), spread(&y));
    let (wide_g, wide_y) = (spread_view(&wide_g, &[m, n]), spread_view(&wide_y, &[m, n]));
    let turned = y.view().transpose(0, 1).unwrap().to_tensor().unwrap();
    let turned = turned.view().transpose(0, 1).unwrap();
    for y in [y.view(), wide_y, turned] {
        for g in [g.view(), wide_g] {
            let found = ops::linear_backward(g, x, w, epilogue, saved.with_output(y)).unwrap();
            assert_eq!(all_bits(&found), want, "{what}");
        }
    }
    // An output that is not needed changes nothing.
    let found = ops::linear_backward(&g, x, w, epilogue, stored.with_output(&y)).unwrap();
    assert_eq!(all_bits(&found), want, "{what}: saved bits win");
    let alone = ops::linear_backward(&g, x, w, epilogue, &saved);
    if epilogue.activation == Activation::Relu {
        assert!(matches!(alone, Err(Error::Unsupported(_))));
    } else {
        assert_eq!(all_bits(&alone.unwrap()), want, "{what}: no output");
    }
}

#[test]
fn gradients_are_those_of_saved_bits() {
    on_every_isa("recomputed bits", |isa| {
        for (m, k, n) in [
            (1, 1, 1),
            (37, 20, 45),
            (20, 11, 48),
            (3, 5, 17),
            (65, 3, 64),
            (0, 3, 4),
            (4, 0, 3),
        ] {
            let (x, w, bias) = (noise(&[m, k], 1), noise(&[n, k], 2), noise(&[n], 3));
            for activation in Activation::ALL {
                for dropout in dropouts() {
                    let epilogue = Epilogue {
                        bias: Some(bias.view()),
                        activation,
                        dropout,
                    };
                    check(
                        &x,
                        &w,
                        &epilogue,
                        &format!("{isa} {m}x{k}x{n} {activation} {dropout:?}"),
                    );
                }
            }
        }
    });
}

#[test]
fn sums_that_are_not_ordinary_numbers() {
    // Each column's sum is a special value, or next to where ReLU cuts.
    let special = Tensor::from_slice(&support::SPECIAL, &[12]).unwrap();
    let (x, w) = (
        Tensor::zeros(&[40, 3]).unwrap(),
        Tensor::zeros(&[12, 3]).unwrap(),
    );
    on_every_isa("recomputed bits of special values", |isa| {
        for activation in [Activation::Identity, Activation::Relu] {
            for dropout in dropouts() {
                let epilogue = Epilogue {
                    bias: Some(special.view()),
                    activation,
                    dropout,
                };
                check(
                    &x,
                    &w,
                    &epilogue,
                    &format!("{isa} {activation} {dropout:?}"),
                );
            }
        }
    });
}

#[test]
fn threads_change_no_bits() {
    let (x, w, g) = (
        noise(&[300, 60], 1),
        noise(&[500, 60], 2),
        noise(&[300, 500], 3),
    );
    let dropout = Some(Dropout::new(Key::new(3), 0.3).unwrap());
    for activation in [Activation::Identity, Activation::Relu, Activation::Tanh] {
        let epilogue = Epilogue {
            bias: None,
            activation,
            dropout,
        };
        let runs = [1, 3].map(|threads| {
            on_threads(threads, || {
                let mut saved = Saved::recomputing();
                let mut y = Tensor::zeros(&[300, 500]).unwrap();
                ops::linear_into(&x, &w, &epilogue, &mut y, Some(&mut saved)).unwrap();
                let found =
                    ops::linear_backward(&g, &x, &w, &epilogue, saved.with_output(&y)).unwrap();
                let (_, stored) = ops::linear(&x, &w, &epilogue).unwrap();
                let want = ops::linear_backward(&g, &x, &w, &epilogue, &stored).unwrap();
                assert_eq!(all_bits(&found), all_bits(&want));
                all_bits(&found)
            })
        });
        assert_eq!(runs[0], runs[1]);
    }
}

#[test]
fn a_saved_value_is_reused_for_other_layers() {
    let (x, w) = (noise(&[9, 5], 1), noise(&[7, 5], 2));
    let mut saved = Saved::recomputing();
    let mut y = Tensor::zeros(&[9, 7]).unwrap();
    for (activation, bytes) in [
        (Activation::Tanh, 252),
        (Activation::Relu, 0),
        (Activation::GeluErf, 252),
        (Activation::Identity, 0),
    ] {
        let epilogue = Epilogue {
            activation,
            ..Epilogue::default()
        };
        ops::linear_into(&x, &w, &epilogue, &mut y, Some(&mut saved)).unwrap();
        assert_eq!((saved.bytes(), saved.kept()), (bytes, None));
    }
    assert_eq!(
        ops::linear(
            &x,
            &w,
            &Epilogue {
                activation: Activation::Relu,
                ..Epilogue::default()
            }
        )
        .unwrap()
        .1
        .bytes(),
        8
    );
}

#[test]
fn wrong_outputs_are_errors_and_write_nothing() {
    let (x, w) = (noise(&[4, 5], 1), noise(&[3, 5], 2));
    let dropout = Some(Dropout::new(Key::new(3), 0.3).unwrap());
    let g = noise(&[4, 3], 3);
    let wrong = noise(&[3, 4], 3);
    let fails = |activation, saved: ops::Residuals<'_>| {
        let epilogue = Epilogue {
            bias: None,
            activation,
            dropout,
        };
        let mut grads = [&[4, 5][..], &[3, 5], &[3]].map(|shape| Tensor::full(shape, 7.0).unwrap());
        let [dx, dw, dbias] = grads.each_mut().map(|grad| Some(grad.view_mut()));
        let into = ops::LinearGradsInto {
            x: dx,
            w: dw,
            bias: dbias,
        };
        let fault = ops::linear_backward_into(&g, &x, &w, &epilogue, saved, into).unwrap_err();
        assert!(
            grads
                .iter()
                .flat_map(|grad| grad.as_slice())
                .all(|&x| x == 7.0)
        );
        fault
    };
    let recomputing = Saved::recomputing();
    for activation in Activation::ALL {
        assert!(matches!(
            fails(activation, recomputing.with_output(&wrong)),
            Error::Shape { .. }
        ));
    }
    assert!(matches!(
        fails(Activation::Relu, (&recomputing).into()),
        Error::Unsupported(_)
    ));
    // Without a forward pass there are no sums, and the storing kind has no bits.
    assert!(matches!(
        fails(Activation::Tanh, recomputing.with_output(&g)),
        Error::Shape { .. }
    ));
    assert!(matches!(
        fails(Activation::Relu, Saved::default().with_output(&g)),
        Error::Length { .. }
    ));
}
