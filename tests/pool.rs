//! Pooling against naive loops, bit for bit where nothing is rounded, and its faults.

mod support;

use elision::ops::{self, Argmax, Window};
use elision::reference::{conv, pool as reference};
use elision::{Error, Key, Tensor, ViewMut};
use support::{SPECIAL, bits, noise, on_every_isa, on_threads};

/// Few different numbers, so that windows have several largest elements; some of them are special.
fn coarse(shape: [usize; 4], seed: u64) -> Tensor {
    let key = Key::new(seed);
    let number = |i: u64| match key.fold_in(i).to_u128() as usize % 60 {
        i @ 0..12 => SPECIAL[i],
        i => (i % 5) as f32 - 2.0,
    };
    let len: usize = shape.iter().product();
    Tensor::from_vec((0..len as u64).map(number).collect(), &shape).unwrap()
}

fn naive(window: &Window) -> conv::Window {
    let Window {
        kernel,
        stride,
        padding,
        dilation,
    } = *window;
    conv::Window {
        kernel,
        stride,
        padding,
        dilation,
    }
}

fn cases() -> Vec<([usize; 4], Window)> {
    let window = |h, w| Window::new([h, w]);
    vec![
        ([2, 6, 8, 3], window(2, 2).stride([2, 2])),
        ([1, 7, 5, 17], window(3, 2)),
        ([2, 9, 6, 16], window(3, 3).stride([2, 1]).padding([1, 1])),
        ([1, 8, 9, 33], window(2, 3).dilation([3, 2]).padding([1, 2])),
        ([3, 5, 5, 1], window(5, 5)),
        ([1, 16, 17, 2], window(16, 16)),
        ([2, 4, 4, 5], window(1, 1).stride([3, 2])),
        ([0, 4, 4, 5], window(2, 2)),
        ([2, 4, 4, 0], window(2, 2).padding([1, 1])),
    ]
}

#[test]
fn the_largest_are_those_of_the_reference() {
    on_every_isa("max_pool2d", |isa| {
        for (shape, window) in cases() {
            let what = format!("{isa} {shape:?} {window:?}");
            let (x, want_window) = (coarse(shape, 1), naive(&window));
            let want = reference::max(&want_window, shape, x.as_slice());
            let (values, cells): (Vec<f32>, Vec<usize>) = want.into_iter().unzip();
            let (y, argmax) = ops::max_pool2d(&x, &window).unwrap();
            assert_eq!(bits(y.as_slice()), bits(&values), "{what}");
            let found: Vec<usize> = argmax.as_slice().iter().map(|&k| k.into()).collect();
            assert_eq!(found, cells, "{what}");
            let mut without = Tensor::full(y.shape(), 7.0).unwrap();
            ops::max_pool2d_into(&x, &window, &mut without, None).unwrap();
            assert_eq!(bits(without.as_slice()), bits(&values), "{what}");

            let g = noise(y.shape(), 2);
            let want = reference::max_backward(&want_window, shape, &cells, g.as_slice());
            let dx = ops::max_pool2d_backward(&g, &argmax, &window, &shape).unwrap();
            assert_near(&dx, &want, &what);
        }
    });
}

#[test]
fn the_means_are_those_of_the_reference() {
    on_every_isa("avg_pool2d", |isa| {
        let more = [
            ([1, 3, 3, 2], Window::new([17, 17]).padding([9, 7])),
            ([1, 0, 3, 2], Window::new([1, 1]).padding([1, 0])),
            (
                [2, 2, 3, 4],
                Window::new([1, 2]).padding([2, 3]).dilation([1, 5]),
            ),
        ];
        for (shape, window) in cases().into_iter().chain(more) {
            let what = format!("{isa} {shape:?} {window:?}");
            let (x, want_window) = (noise(&shape, 1), naive(&window));
            let y = ops::avg_pool2d(&x, &window).unwrap();
            let want = reference::avg(&want_window, shape, x.as_slice());
            assert_near(&y, &want, &what);
            let g = noise(y.shape(), 2);
            let want = reference::avg_backward(&want_window, shape, g.as_slice());
            let dx = ops::avg_pool2d_backward(&g, &window, &shape).unwrap();
            assert_near(&dx, &want, &what);
        }
    });
}

/// Sums of at most 256 numbers below 1, or their means.
fn assert_near(found: &Tensor, want: &[f64], what: &str) {
    assert_eq!(found.len(), want.len(), "{what}");
    for (i, (&found, &want)) in found.as_slice().iter().zip(want).enumerate() {
        let error = (f64::from(found) - want).abs();
        assert!(
            error <= 256.0 * 2f64.powi(-24),
            "{what}: element {i} is {found}, not {want}"
        );
    }
}

/// The means are linear, so that central differences have no error but rounding's; the largest elements
/// are, where the step changes no winner.
#[test]
fn gradients_are_central_differences() {
    let (shape, window) = (
        [1, 5, 6, 3],
        Window::new([3, 2]).stride([1, 2]).padding([1, 1]),
    );
    let order = noise(&shape, 1);
    let mut ranks: Vec<usize> = (0..order.len()).collect();
    ranks.sort_by(|&a, &b| order.as_slice()[a].total_cmp(&order.as_slice()[b]));
    let mut x = Tensor::zeros(&shape).unwrap();
    for (rank, i) in ranks.into_iter().enumerate() {
        x.as_mut_slice()[i] = rank as f32;
    }
    let (y, argmax) = ops::max_pool2d(&x, &window).unwrap();
    let (g, window) = (noise(y.shape(), 2), window);
    let dot = |y: &mut dyn Iterator<Item = f64>| {
        let g = g.as_slice().iter().copied().map(f64::from);
        y.zip(g).map(|(y, g)| y * g).sum::<f64>()
    };
    let largest = |x: &[f32]| {
        let y = reference::max(&naive(&window), shape, x);
        dot(&mut y.into_iter().map(|(y, _)| f64::from(y)))
    };
    let mean = |x: &[f32]| dot(&mut reference::avg(&naive(&window), shape, x).into_iter());
    let max_grad = ops::max_pool2d_backward(&g, &argmax, &window, &shape).unwrap();
    let avg_grad = ops::avg_pool2d_backward(&g, &window, &shape).unwrap();
    for i in 0..x.len() {
        let mut moved = [x.as_slice().to_vec(), x.as_slice().to_vec()];
        moved[0][i] += 0.25;
        moved[1][i] -= 0.25;
        let slope = 2.0 * (largest(&moved[0]) - largest(&moved[1]));
        assert!(
            (slope - f64::from(max_grad.as_slice()[i])).abs() < 1e-6,
            "max {i}"
        );
        let slope = 2.0 * (mean(&moved[0]) - mean(&moved[1]));
        assert!(
            (slope - f64::from(avg_grad.as_slice()[i])).abs() < 1e-6,
            "avg {i}"
        );
    }
}

#[test]
fn ties_and_not_a_number() {
    let nan = f32::NAN;
    let window = Window::new([2, 2]);
    for (cells, want) in [
        ([1.0, 1.0, 1.0, 1.0], 0),
        ([0.0, 2.0, 1.0, 2.0], 1),
        ([-0.0, 0.0, -0.0, 0.0], 0),
        ([9.0, nan, 10.0, nan], 1),
        ([nan, 1.0, f32::INFINITY, 2.0], 0),
        ([f32::NEG_INFINITY; 4], 0),
    ] {
        let x = Tensor::from_slice(&cells, &[1, 2, 2, 1]).unwrap();
        let (y, argmax) = ops::max_pool2d(&x, &window).unwrap();
        assert_eq!(argmax.as_slice(), [want], "{cells:?}");
        assert_eq!(
            y.as_slice()[0].to_bits(),
            cells[usize::from(want)].to_bits()
        );
        let g = Tensor::full(&[1, 1, 1, 1], 3.0).unwrap();
        let dx = ops::max_pool2d_backward(&g, &argmax, &window, &[1, 2, 2, 1]).unwrap();
        assert_eq!(dx.as_slice()[usize::from(want)], 3.0);
        assert_eq!(dx.as_slice().iter().sum::<f32>(), 3.0);
        let mean = ops::avg_pool2d(&x, &window).unwrap().as_slice()[0];
        assert_eq!(mean.is_nan(), cells.iter().any(|x| x.is_nan()));
    }
    // The padding is smaller than no number.
    let x = Tensor::full(&[1, 2, 2, 1], f32::MIN).unwrap();
    let (y, argmax) = ops::max_pool2d(&x, &window.padding([1, 1])).unwrap();
    assert!(y.as_slice().iter().all(|&y| y == f32::MIN));
    assert_eq!(argmax.as_slice(), [3, 2, 2, 1, 0, 0, 1, 0, 0]);
}

#[test]
fn threads_change_nothing() {
    let shape = [3, 40, 50, 48];
    let (x, window) = (
        noise(&shape, 1),
        Window::new([3, 3]).stride([2, 1]).padding([1, 1]),
    );
    let run = || {
        let (y, argmax) = ops::max_pool2d(&x, &window).unwrap();
        let dx = ops::max_pool2d_backward(&y, &argmax, &window, &shape).unwrap();
        let mean = ops::avg_pool2d(&x, &window).unwrap();
        let back = ops::avg_pool2d_backward(&mean, &window, &shape).unwrap();
        let mut alone = Tensor::zeros(y.shape()).unwrap();
        ops::max_pool2d_into(&x, &window, &mut alone, None).unwrap();
        assert_eq!(alone, y);
        ([y, dx, mean, back].map(|t| bits(t.as_slice())), argmax)
    };
    let mut want = None;
    on_every_isa("pooling's bits", |_| {
        let found = run();
        assert_eq!(&found, want.get_or_insert_with(|| found.clone()));
    });
    for threads in [1, 2, 3, 8] {
        assert_eq!(Some(on_threads(threads, run)), want, "{threads} threads");
    }
}

#[test]
fn views_of_any_strides_have_the_bits_of_contiguous_ones() {
    let (shape, window) = ([2, 5, 6, 3], Window::new([2, 3]));
    let x = noise(&shape, 1);
    let first = x
        .view()
        .permute(&[0, 3, 1, 2])
        .unwrap()
        .to_tensor()
        .unwrap();
    let turned = first.view().permute(&[0, 2, 3, 1]).unwrap();
    let (y, argmax) = ops::max_pool2d(&x, &window).unwrap();
    assert_eq!(
        ops::max_pool2d(turned, &window).unwrap(),
        (y.clone(), argmax.clone())
    );
    let mean = ops::avg_pool2d(turned, &window).unwrap();
    assert_eq!(mean, ops::avg_pool2d(&x, &window).unwrap());

    let gap = |memory: &[f32]| memory.iter().step_by(2).copied().collect::<Vec<_>>();
    let mut wide = vec![0.0; 2 * y.len()];
    ops::max_pool2d_into(&x, &window, second(&mut wide, y.shape()), None).unwrap();
    assert_eq!(gap(&wide), y.as_slice());
    ops::avg_pool2d_into(&x, &window, second(&mut wide, y.shape())).unwrap();
    assert_eq!(gap(&wide), mean.as_slice());
    let mut wide = vec![0.0; 2 * x.len()];
    let into = second(&mut wide, &shape);
    ops::max_pool2d_backward_into(&y, &argmax, &window, into).unwrap();
    let want = ops::max_pool2d_backward(&y, &argmax, &window, &shape).unwrap();
    assert_eq!(gap(&wide), want.as_slice());
    ops::avg_pool2d_backward_into(&y, &window, second(&mut wide, &shape)).unwrap();
    let want = ops::avg_pool2d_backward(&y, &window, &shape).unwrap();
    assert_eq!(gap(&wide), want.as_slice());
}

fn second<'a>(memory: &'a mut [f32], shape: &[usize]) -> ViewMut<'a> {
    let strides = [
        2 * shape[1] * shape[2] * shape[3],
        2 * shape[2] * shape[3],
        2 * shape[3],
        2,
    ];
    ViewMut::new(memory, shape, &strides).unwrap()
}

#[test]
fn numbers_of_cells_are_reused() {
    let (window, mut argmax) = (Window::new([2, 2]), Argmax::default());
    for shape in [[2, 4, 4, 3], [1, 3, 3, 2], [3, 5, 4, 3]] {
        let x = noise(&shape, 5);
        let (want, numbers) = ops::max_pool2d(&x, &window).unwrap();
        let mut out = Tensor::zeros(want.shape()).unwrap();
        ops::max_pool2d_into(&x, &window, &mut out, Some(&mut argmax)).unwrap();
        assert_eq!((out, &argmax), (want, &numbers));
    }
}

#[test]
fn wrong_arguments_are_errors_and_change_nothing() {
    let (x, window) = (noise(&[2, 5, 5, 3], 1), Window::new([3, 3]));
    let (y, argmax) = ops::max_pool2d(&x, &window).unwrap();
    let flat = noise(&[5, 5, 3], 1);
    for (what, fault) in [
        (
            "input of max_pool2d",
            ops::max_pool2d(&flat, &window).map(|_| ()),
        ),
        (
            "input of avg_pool2d",
            ops::avg_pool2d(&flat, &window).map(|_| ()),
        ),
        (
            "gradient of pooled images",
            ops::max_pool2d_backward(&y, &argmax, &window, &[5, 5, 3]).map(|_| ()),
        ),
        (
            "gradient of pooled images",
            ops::avg_pool2d_backward(&y, &window, &[5, 5, 3]).map(|_| ()),
        ),
    ] {
        let (expected, found) = (4, 3);
        assert_eq!(
            fault,
            Err(Error::Rank {
                what,
                expected,
                found
            })
        );
    }
    for bad in [
        Window::new([0, 3]),
        window.stride([0, 1]),
        window.dilation([3, 3]),
    ] {
        let fault = bad.output([5, 5]).unwrap_err();
        assert_eq!(ops::max_pool2d(&x, &bad).unwrap_err(), fault);
        assert_eq!(ops::avg_pool2d(&x, &bad).unwrap_err(), fault);
    }
    let large = noise(&[1, 17, 17, 1], 1);
    let fault = ops::max_pool2d(&large, &Window::new([17, 16])).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "a window of max_pool2d has at most 256 cells"
    );
    let fault = ops::max_pool2d(&x, &window.padding([3, 0])).unwrap_err();
    assert_eq!(
        fault,
        Error::Empty("the maximum over a window in the padding")
    );

    let mut out = Tensor::full(&[2, 3, 3, 4], 7.0).unwrap();
    let mut kept = argmax.clone();
    let fault = ops::max_pool2d_into(&x, &window, &mut out, Some(&mut kept)).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "output of max_pool2d: expected shape 2x3x3x3, found 2x3x3x4"
    );
    assert_eq!(kept, argmax);
    let fault = ops::avg_pool2d_into(&x, &window, &mut out).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "output of avg_pool2d: expected shape 2x3x3x3, found 2x3x3x4"
    );

    let mut dx = Tensor::full(x.shape(), 7.0).unwrap();
    let wrong = "gradient of pooling's output: expected shape 2x3x3x3, found 2x3x3x4";
    let fault = ops::max_pool2d_backward_into(&out, &argmax, &window, &mut dx).unwrap_err();
    assert_eq!(fault.to_string(), wrong);
    let fault = ops::avg_pool2d_backward_into(&out, &window, &mut dx).unwrap_err();
    assert_eq!(fault.to_string(), wrong);
    let other = Argmax::default();
    let fault = ops::max_pool2d_backward_into(&y, &other, &window, &mut dx).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "argmax of max_pool2d: expected length 54, found 0"
    );
    assert!(
        [&out, &dx]
            .iter()
            .all(|t| t.as_slice().iter().all(|&x| x == 7.0))
    );
}
