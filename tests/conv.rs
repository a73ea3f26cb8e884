//! Convolution against naive loops, and its fusion against the unfused operations.

mod support;

use elision::ops::{self, Conv2d, LinearGrads, LinearGradsInto, Saved, Window};
use elision::reference::{conv as reference, gemm::tolerance};
use elision::{Activation, Dropout, Epilogue, Key, Mask, Tensor, ViewMut};
use support::{bits, noise, on_every_isa, on_threads};

/// One convolution and its operands.
struct Case {
    x: Tensor,
    w: Tensor,
    bias: Tensor,
    conv: Conv2d,
}

impl Case {
    fn new(x: [usize; 4], outputs: usize, conv: Conv2d) -> Self {
        let [kh, kw] = conv.window.kernel;
        Self {
            x: noise(&x, 1),
            w: noise(&[outputs, kh, kw, x[3] / conv.groups], 2),
            bias: noise(&[outputs], 3),
            conv,
        }
    }

    fn reference(&self) -> reference::Conv2d {
        let (
            Window {
                kernel,
                stride,
                padding,
                dilation,
            },
            x,
        ) = (self.conv.window, self.x.shape());
        reference::Conv2d {
            images: x[0],
            size: [x[1], x[2]],
            channels: x[3],
            outputs: self.w.shape()[0],
            window: reference::Window {
                kernel,
                stride,
                padding,
                dilation,
            },
            groups: self.conv.groups,
        }
    }

    fn output(&self) -> [usize; 4] {
        let x = self.x.shape();
        let [oh, ow] = self.conv.window.output([x[1], x[2]]).unwrap();
        [x[0], oh, ow, self.w.shape()[0]]
    }

    fn forward(&self, epilogue: &Epilogue<'_>) -> (Tensor, Saved) {
        ops::conv2d(&self.x, &self.w, &self.conv, epilogue).unwrap()
    }

    fn backward(&self, g: &Tensor, epilogue: &Epilogue<'_>, saved: &Saved) -> LinearGrads {
        ops::conv2d_backward(g, &self.x, &self.w, &self.conv, epilogue, saved).unwrap()
    }
}

/// Strides, padding, dilation, groups, depthwise, filters of one pixel, sizes that are not square, and nothing.
fn cases() -> Vec<Case> {
    let window = |h, w| Window::new([h, w]);
    let conv = |x, outputs, window| Case::new(x, outputs, Conv2d::new(window));
    let grouped = |x, outputs, window, n| Case::new(x, outputs, Conv2d::new(window).groups(n));
    vec![
        conv([2, 7, 9, 3], 5, window(3, 3)),
        conv([1, 28, 28, 1], 16, window(5, 5).padding([2, 2])),
        conv(
            [2, 8, 5, 4],
            17,
            window(3, 2).stride([2, 3]).padding([1, 0]),
        ),
        conv(
            [1, 9, 9, 2],
            3,
            window(3, 3).dilation([2, 3]).padding([1, 4]),
        ),
        conv(
            [1, 6, 7, 3],
            4,
            window(2, 3).dilation([1, 2]).stride([3, 1]).padding([5, 6]),
        ),
        conv([3, 5, 4, 19], 6, window(1, 1)),
        conv([3, 5, 4, 19], 6, window(1, 1).stride([2, 2])),
        conv([3, 5, 4, 2], 6, window(1, 1).padding([1, 0])),
        conv([2, 4, 6, 3], 2, window(4, 6)),
        grouped([2, 6, 5, 6], 9, window(3, 3).padding([1, 1]), 3),
        grouped([2, 6, 5, 4], 4, window(3, 2).stride([2, 1]), 4),
        grouped([1, 7, 7, 3], 6, window(3, 3).dilation([2, 2]), 3),
        grouped([2, 3, 5, 8], 4, window(1, 1), 2),
        conv([0, 5, 5, 3], 4, window(3, 3)),
        grouped([0, 5, 5, 4], 4, window(3, 3), 2),
        conv([2, 5, 5, 0], 4, window(3, 3)),
        conv([2, 5, 5, 3], 0, window(3, 3)),
        conv([2, 0, 5, 3], 4, window(3, 3).padding([2, 0])),
    ]
}

fn assert_near(found: &Tensor, want: &[(f64, f64)], depth: usize, what: &str) {
    assert_eq!(found.len(), want.len(), "{what}");
    for (i, (&found, &(want, size))) in found.as_slice().iter().zip(want).enumerate() {
        let error = (f64::from(found) - want).abs();
        let allowed = tolerance(depth, size);
        assert!(
            error <= allowed,
            "{what}: element {i} is {found}, not {want}"
        );
    }
}

#[test]
fn products_are_those_of_the_reference() {
    on_every_isa("conv2d", |isa| {
        for case in cases() {
            let (naive, none) = (case.reference(), Epilogue::default());
            let what = format!("{isa} {naive:?}");
            let (y, saved) = case.forward(&none);
            assert_eq!((y.shape(), saved.bytes()), (&case.output()[..], 0));
            let (x, w) = (case.x.as_slice(), case.w.as_slice());
            let filter: usize = case.w.shape()[1..].iter().product();
            assert_near(&y, &naive.forward(x, w), filter, &what);

            let g = noise(&case.output(), 4);
            let grads = case.backward(&g, &none, &saved);
            let (windows, outputs) = (g.len() / naive.outputs.max(1), naive.outputs);
            let want = naive.backward_x(g.as_slice(), w);
            assert_near(&grads.x, &want, filter * outputs, &format!("{what}: dx"));
            let want = naive.backward_w(g.as_slice(), x);
            assert_near(&grads.w, &want, windows, &format!("{what}: dw"));
            let column = |o| g.as_slice().iter().skip(o).step_by(outputs).copied();
            let sum = |o| {
                column(o).fold((0.0, 0.0), |(s, n), g| {
                    (s + f64::from(g), n + f64::from(g.abs()))
                })
            };
            let want: Vec<_> = (0..outputs).map(sum).collect();
            assert_near(&grads.bias, &want, windows, &format!("{what}: db"));
            assert_eq!(
                (grads.x.shape(), grads.w.shape()),
                (case.x.shape(), case.w.shape())
            );
        }
    });
}

/// The loss is linear in each element, so that central differences have no error but rounding's.
#[test]
fn gradients_are_central_differences() {
    let window = Window::new([3, 2])
        .stride([2, 1])
        .padding([1, 1])
        .dilation([1, 2]);
    let case = Case::new([2, 6, 7, 4], 6, Conv2d::new(window).groups(2));
    let (naive, g) = (case.reference(), noise(&case.output(), 4));
    let loss = |x: &[f32], w: &[f32]| {
        let y = naive.forward(x, w).into_iter().zip(g.as_slice());
        y.map(|((y, _), &g)| y * f64::from(g)).sum::<f64>()
    };
    let grads = case.backward(&g, &Epilogue::default(), &Saved::default());
    let (x, w) = (case.x.as_slice(), case.w.as_slice());
    let moved = |from: &[f32], i: usize, h: f32| {
        let mut to = from.to_vec();
        to[i] += h;
        (f64::from(to[i]), to)
    };
    for i in 0..w.len().max(x.len()) {
        if let Some(&dw) = grads.w.as_slice().get(i) {
            let ((a, up), (b, down)) = (moved(w, i, 0.25), moved(w, i, -0.25));
            let slope = (loss(x, &up) - loss(x, &down)) / (a - b);
            assert!(
                (slope - f64::from(dw)).abs() < 1e-5,
                "w {i}: {dw}, not {slope}"
            );
        }
        if let Some(&dx) = grads.x.as_slice().get(i) {
            let ((a, up), (b, down)) = (moved(x, i, 0.25), moved(x, i, -0.25));
            let slope = (loss(&up, w) - loss(&down, w)) / (a - b);
            assert!(
                (slope - f64::from(dx)).abs() < 1e-5,
                "x {i}: {dx}, not {slope}"
            );
        }
    }
}

fn dropouts() -> [Option<Dropout>; 3] {
    let some = |p| Dropout::new(Key::new(9), p).unwrap().with_offset(1234);
    [
        None,
        Some(some(0.5)),
        Some(some(0.3).with_form(elision::Form::Original)),
    ]
}

/// Product and bias, then activation, then dropout: outputs, saved state and gradients have the bits of the
/// fused pass.
fn check_fusion(case: &Case, epilogue: &Epilogue<'_>, what: &str) {
    let Epilogue {
        bias,
        activation,
        dropout,
    } = *epilogue;
    let plain = Epilogue {
        bias,
        ..Epilogue::default()
    };
    let sums = case.forward(&plain).0;
    let mut y = ops::activate(&sums, activation).unwrap();
    let mut kept = Mask::all(y.len());
    if let Some(dropout) = &dropout {
        (y, kept) = ops::dropout(&y, dropout).unwrap();
    }
    let (fused, saved) = case.forward(epilogue);
    assert_eq!(bits(fused.as_slice()), bits(y.as_slice()), "{what}: output");

    let g = noise(&case.output(), 4);
    let mut dz = ops::activate_backward(&g, &sums, activation).unwrap();
    if let Some(dropout) = &dropout {
        let g = ops::dropout_backward(&g, dropout, Some(&kept)).unwrap();
        dz = ops::activate_backward(&g, &sums, activation).unwrap();
    }
    if activation == Activation::Relu {
        let positive: Vec<bool> = y.as_slice().iter().map(|&y| y > 0.0).collect();
        kept = kept.and(&Mask::from_bools(&positive)).unwrap();
    }
    let has_bits = dropout.is_some() || activation == Activation::Relu;
    assert_eq!(saved.kept(), has_bits.then_some(&kept), "{what}: bits");

    let want = case.backward(&dz, &plain, &Saved::default());
    let found = case.backward(&g, epilogue, &saved);
    assert_eq!(found, want, "{what}: gradients");
    let mut again = Saved::recomputing();
    let mut out = Tensor::full(&case.output(), f32::NAN).unwrap();
    let Case { x, w, conv, .. } = case;
    ops::conv2d_into(x, w, conv, epilogue, &mut out, Some(&mut again)).unwrap();
    assert_eq!(
        bits(out.as_slice()),
        bits(y.as_slice()),
        "{what}: recomputing"
    );
    assert_eq!(
        (again.kept(), again.pre_activation()),
        (None, saved.pre_activation())
    );
    let found = ops::conv2d_backward(&g, x, w, conv, epilogue, again.with_output(&out)).unwrap();
    assert_eq!(found, want, "{what}: recomputed gradients");
    ops::conv2d_into(x, w, conv, epilogue, &mut out, None).unwrap();
    assert_eq!(
        bits(out.as_slice()),
        bits(y.as_slice()),
        "{what}: nothing saved"
    );
}

#[test]
fn the_fused_pass_is_the_unfused_one() {
    on_every_isa("fused conv2d", |isa| {
        for case in cases() {
            for activation in [Activation::Identity, Activation::Relu, Activation::GeluTanh] {
                for dropout in dropouts() {
                    for bias in [None, Some(case.bias.view())] {
                        let epilogue = Epilogue {
                            bias,
                            activation,
                            dropout,
                        };
                        let what = format!("{isa} {:?} {activation} {dropout:?}", case.conv);
                        check_fusion(&case, &epilogue, &what);
                    }
                }
            }
        }
    });
}

/// Images in the order of channels first, seen channels-last, and results in every second element.
#[test]
fn views_of_any_strides_have_the_bits_of_contiguous_ones() {
    for groups in [1, 2] {
        for kernel in [[3, 3], [1, 1]] {
            let case = Case::new(
                [2, 6, 5, 4],
                6,
                Conv2d::new(Window::new(kernel)).groups(groups),
            );
            let dropout = Some(Dropout::new(Key::new(1), 0.5).unwrap());
            let bias = Some(case.bias.view());
            let epilogue = Epilogue {
                bias,
                activation: Activation::Relu,
                dropout,
            };
            let (y, saved) = case.forward(&epilogue);
            let g = noise(&case.output(), 4);
            let want = case.backward(&g, &epilogue, &saved);

            let turn = |t: &Tensor| {
                t.view()
                    .permute(&[0, 3, 1, 2])
                    .unwrap()
                    .to_tensor()
                    .unwrap()
            };
            let [x, w, first_g, first_y] = [&case.x, &case.w, &g, &y].map(turn);
            let back =
                [&x, &w, &first_g, &first_y].map(|t| t.view().permute(&[0, 2, 3, 1]).unwrap());
            let [x, w, g, first_y] = back;
            let mut wide = vec![f32::NAN; 2 * y.len()];
            ops::conv2d_into(
                x,
                w,
                &case.conv,
                &epilogue,
                second(&mut wide, y.shape()),
                None,
            )
            .unwrap();
            assert_eq!(every_second(&wide), y.as_slice());

            let mut memory = [&case.x, &case.w, &case.bias].map(|t| vec![f32::NAN; 2 * t.len()]);
            let [dx, dw, db] = &mut memory;
            let into = LinearGradsInto {
                x: Some(second(dx, case.x.shape())),
                w: Some(second(dw, case.w.shape())),
                bias: Some(second(db, case.bias.shape())),
            };
            let none = Saved::recomputing();
            let saved = none.with_output(first_y);
            ops::conv2d_backward_into(g, x, w, &case.conv, &epilogue, saved, into).unwrap();
            let found = memory.each_ref().map(|m| every_second(m));
            let want = [&want.x, &want.w, &want.bias].map(|t| t.as_slice().to_vec());
            assert_eq!(found, want, "{groups} groups, kernel {kernel:?}");
        }
    }
}

fn second<'a>(memory: &'a mut [f32], shape: &[usize]) -> ViewMut<'a> {
    let mut strides = vec![2; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    ViewMut::new(&mut memory[..], shape, &strides).unwrap()
}

fn every_second(memory: &[f32]) -> Vec<f32> {
    assert!(memory.iter().skip(1).step_by(2).all(|x| x.is_nan()));
    memory.iter().step_by(2).copied().collect()
}

#[test]
fn each_gradient_can_be_had_alone() {
    for groups in [1, 2] {
        let window = Window::new([3, 3]).padding([1, 1]);
        let case = Case::new([2, 5, 6, 4], 6, Conv2d::new(window).groups(groups));
        let epilogue = Epilogue {
            activation: Activation::Tanh,
            ..Epilogue::default()
        };
        let (g, saved) = case.forward(&epilogue);
        let want = case.backward(&g, &epilogue, &saved);
        let Case { x, w, conv, .. } = &case;
        let mut alone = want.clone();
        let parts = [&mut alone.x, &mut alone.w, &mut alone.bias];
        for (i, part) in parts.into_iter().enumerate() {
            part.as_mut_slice().fill(f32::NAN);
            let mut into = LinearGradsInto::default();
            *[&mut into.x, &mut into.w, &mut into.bias][i] = Some(part.view_mut());
            ops::conv2d_backward_into(&g, x, w, conv, &epilogue, &saved, into).unwrap();
        }
        assert_eq!(alone, want);
    }
}

#[test]
fn threads_change_nothing() {
    for groups in [1, 4] {
        let window = Window::new([3, 3]).padding([1, 1]).stride([1, 2]);
        let case = Case::new([3, 33, 31, 32], 48, Conv2d::new(window).groups(groups));
        let dropout = Some(Dropout::new(Key::new(1), 0.5).unwrap());
        let bias = Some(case.bias.view());
        let epilogue = Epilogue {
            bias,
            activation: Activation::Relu,
            dropout,
        };
        let run = || {
            let (y, saved) = case.forward(&epilogue);
            let grads = case.backward(&y, &epilogue, &saved);
            [y, grads.x, grads.w, grads.bias].map(|t| bits(t.as_slice()))
        };
        let alone = on_threads(1, run);
        for threads in [2, 3, 8] {
            assert_eq!(
                on_threads(threads, run),
                alone,
                "{threads} threads, {groups} groups"
            );
        }
    }
}

#[test]
fn not_a_number_stays_below_its_windows() {
    let window = Window::new([2, 2]);
    let mut case = Case::new([1, 4, 4, 2], 3, Conv2d::new(window));
    case.x.as_mut_slice()[0] = f32::NAN;
    let y = case.forward(&Epilogue::default()).0;
    let nan = |y: &[f32]| y.iter().all(|y| y.is_nan());
    assert!(nan(&y.as_slice()[..3]) && !y.as_slice()[3..].iter().any(|y| y.is_nan()));
}
