//! What convolution and its windows do not accept.

mod support;

use elision::ops::{self, Conv2d, LinearGradsInto, Saved, Window};
use elision::{Activation, Dropout, Epilogue, Error, Key, Tensor, View, ViewMut};
use support::noise;

/// Images, weights and a convolution of some groups, with outputs `[2, 3, 3, 6]`.
fn case(groups: usize) -> (Tensor, Tensor, Conv2d) {
    let conv = Conv2d::new(Window::new([3, 3])).groups(groups);
    (
        noise(&[2, 5, 5, 4], 1),
        noise(&[6, 3, 3, 4 / groups], 2),
        conv,
    )
}

#[test]
fn windows_that_do_not_fit_are_errors() {
    let window = Window::new([3, 3]);
    let size = [5, 5];
    for (window, what) in [
        (Window::new([3, 0]), "kernel of a window"),
        (window.stride([0, 1]), "stride of a window"),
        (window.dilation([1, 0]), "dilation of a window"),
    ] {
        assert_eq!(window.output(size), Err(Error::Number { what, value: 0.0 }));
    }
    let long = window
        .dilation([1, 3])
        .output(size)
        .unwrap_err()
        .to_string();
    assert_eq!(
        long,
        "kernel of a window over the padded image: 0..7 is out of range for length 5"
    );
    assert_eq!(
        window.dilation([1, 3]).padding([0, 1]).output(size),
        Ok([3, 1])
    );
    for (window, what) in [
        (
            window.padding([usize::MAX / 2 + 1, 0]),
            "padding of a window",
        ),
        (window.padding([0, usize::MAX / 2]), "padding of a window"),
        (
            window.dilation([usize::MAX / 2 + 1, 1]),
            "dilation of a window",
        ),
    ] {
        assert_eq!(window.output(size), Err(Error::Overflow(what)));
    }
    assert!(Window::new([usize::MAX, 1]).output(size).is_err());
    assert_eq!(window.stride([usize::MAX, 9]).output(size), Ok([1, 1]));
}

#[test]
fn wrong_arguments_are_errors_and_change_nothing() {
    let (x, w, conv) = &case(2);
    let none = Epilogue::default();
    let error = |x: &Tensor, w: &Tensor, conv: Conv2d, epilogue: &Epilogue<'_>| {
        let mut out = Tensor::full(&[2, 3, 3, 6], 7.0).unwrap();
        let mut saved = Saved::default();
        let fault = ops::conv2d_into(x, w, &conv, epilogue, &mut out, Some(&mut saved));
        assert!(out.as_slice().iter().all(|&y| y == 7.0) && saved == Saved::default());
        let fault = fault.unwrap_err();
        assert_eq!(ops::conv2d(x, w, &conv, epilogue).unwrap_err(), fault);
        fault.to_string()
    };
    let flat = noise(&[5, 5, 4], 1);
    assert_eq!(
        error(&flat, w, *conv, &none),
        "input of conv2d: expected rank 4, found 3"
    );
    assert_eq!(
        error(x, &flat, *conv, &none),
        "weights of conv2d: expected rank 4, found 3"
    );
    assert_eq!(
        error(x, w, conv.groups(0), &none),
        "number of groups of conv2d cannot be 0"
    );
    let divide = "groups of conv2d must divide the channels of its input and of its output";
    assert_eq!(error(x, w, conv.groups(3), &none), divide);
    assert_eq!(error(x, &noise(&[5, 3, 3, 2], 1), *conv, &none), divide);
    let shape = "weights of conv2d: expected shape 6x3x3x4, found 6x3x3x2";
    assert_eq!(error(x, w, conv.groups(1), &none), shape);
    let bias = noise(&[5], 1);
    let biased = Epilogue {
        bias: Some(bias.view()),
        ..none
    };
    assert_eq!(
        error(x, w, *conv, &biased),
        "bias of conv2d: expected shape 6, found 5"
    );
    let late = Dropout::new(Key::new(1), 0.5)
        .unwrap()
        .with_offset(u64::MAX);
    let late = Epilogue {
        dropout: Some(late),
        ..none
    };
    assert_eq!(
        error(x, w, *conv, &late),
        "offset and length of a dropout: the size overflows"
    );
    let mut out = Tensor::zeros(&[2, 3, 3, 5]).unwrap();
    let fault = ops::conv2d_into(x, w, conv, &none, &mut out, None).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "output of conv2d: expected shape 2x3x3x6, found 2x3x3x5"
    );
}

#[test]
fn wrong_gradients_are_errors_and_change_nothing() {
    for groups in [1, 2] {
        let (x, w, conv) = &case(groups);
        let relu = Epilogue {
            activation: Activation::Relu,
            ..Epilogue::default()
        };
        let (y, saved) = ops::conv2d(x, w, conv, &relu).unwrap();
        let error = |g: &Tensor, saved: ops::Residuals<'_>, shapes: [&[usize]; 3]| {
            let [mut a, mut b, mut c] = shapes.map(|shape| Tensor::full(shape, 7.0).unwrap());
            let into = LinearGradsInto {
                x: Some(a.view_mut()),
                w: Some(b.view_mut()),
                bias: Some(c.view_mut()),
            };
            let fault = ops::conv2d_backward_into(g, x, w, conv, &relu, saved, into).unwrap_err();
            assert!(
                [a, b, c]
                    .iter()
                    .all(|t| t.as_slice().iter().all(|&x| x == 7.0))
            );
            fault.to_string()
        };
        let right = [x.shape(), w.shape(), &[6]];
        let flat = y.clone().reshape(&[18, 6]).unwrap();
        let fault = error(&flat, (&saved).into(), right);
        assert_eq!(
            fault,
            "gradient of conv2d's output: expected shape 2x3x3x6, found 18x6"
        );
        let recomputing = Saved::recomputing();
        let fault = error(&y, recomputing.with_output(&flat), right);
        assert_eq!(
            fault,
            "output of conv2d: expected shape 2x3x3x6, found 18x6"
        );
        let fault = error(&y, (&recomputing).into(), right);
        assert_eq!(
            fault,
            "recomputing the bits of ReLU needs the output of the layer"
        );
        let fault = error(&y, (&Saved::default()).into(), right);
        assert_eq!(fault, "saved state of linear: expected length 108, found 0");
        for (i, what) in ["input", "weights", "bias"].into_iter().enumerate() {
            let mut wrong = right;
            wrong[i] = &[1];
            let fault = error(&y, (&saved).into(), wrong);
            assert!(
                fault.starts_with(&format!("gradient of conv2d's {what}: ")),
                "{fault}"
            );
        }
    }
}

/// Operands that repeat one element ask for patches that no memory holds.
#[test]
fn sizes_beyond_memory_are_errors() {
    let zero = View::contiguous(&[0.0], &[]).unwrap();
    let window = Window::new([1 << 20, 1 << 20]).padding([1 << 20, 1 << 20]);
    let x = zero.broadcast_to(&[1, 1 << 20, 1 << 20, 1 << 10]).unwrap();
    let w = zero.broadcast_to(&[1, 1 << 20, 1 << 20, 1 << 10]).unwrap();
    let mut out = [0.0];
    let small = zero.broadcast_to(&[1, 1, 1, 1]).unwrap();
    for (x, w, window) in [
        (x, w, window),
        (x, w, window.padding([0, 0])),
        (small, w, window),
    ] {
        let found = ops::conv2d(x, w, &Conv2d::new(window), &Epilogue::default());
        assert!(found.is_err());
        let out = ViewMut::contiguous(&mut out, &[1, 1, 1, 1]).unwrap();
        let found = ops::conv2d_into(x, w, &Conv2d::new(window), &Epilogue::default(), out, None);
        assert!(found.is_err());
    }
}
