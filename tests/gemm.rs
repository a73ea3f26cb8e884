//! Products, plain and fused, against the f64 reference: every instruction set, every kind of operand.

use elision::reference::gemm::{self, tolerance};
use elision::{
    Activation, Blocking, Dropout, Epilogue, Isa, Key, Mask, Tensor, View, ViewMut, ops,
};
use proptest::prelude::*;

/// Numbers in (-1, 1) that a seed decides.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let key = Key::new(seed);
    (0..len as u64)
        .map(|i| ((key.fold_in(i).to_u128() >> 104) as f32 / 8_388_608.0) - 1.0)
        .collect()
}

fn check_product(m: usize, k: usize, n: usize, found: &[f32], a: &[f32], b: &[f32]) {
    let expected = gemm::matmul(a, b, (m, k, n));
    assert_eq!(found.len(), expected.len());
    for (i, (found, (sum, size))) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - sum).abs();
        assert!(
            error <= tolerance(k, size),
            "{m}x{k}x{n} element {i}: {found} for {sum}"
        );
    }
}

/// Shapes around every edge of the tiles, and some larger than a block.
fn shapes(isa: Isa) -> Vec<(usize, usize, usize)> {
    let Blocking { mr, nr, kc, mc, .. } = Blocking::of(isa.level());
    let mut shapes = vec![
        (0, 0, 0),
        (0, 5, 3),
        (3, 0, 5),
        (3, 5, 0),
        (1, 1, 1),
        (5, 1, 7),
    ];
    for m in [1, mr - 1, mr, mr + 1, 2 * mr + 1] {
        for n in [1, 15, 16, 17, nr - 1, nr, nr + 1] {
            shapes.extend([(m, 1, n), (m, 33, n)]);
        }
    }
    shapes.extend([
        (3, kc - 1, 20),
        (3, kc, 20),
        (3, kc + 1, 20),
        (5, 2 * kc + 3, 40),
    ]);
    shapes.extend([(mc + 3, 19, 35), (2 * mc + 1, 7, 33)]);
    // Past a group of rows that are read where they lie, and past the lanes that they may meet.
    let group = 16 * mr;
    shapes.extend([(1, 40, group + 5), (17, 40, group + 5), (group + 5, 40, 17)]);
    shapes.extend([
        (8 * nr, 9, group),
        (8 * nr + 1, 9, group),
        (group, 9, 8 * nr),
    ]);
    shapes
}

#[test]
fn products_are_right_on_every_isa() {
    let mut ran = Vec::new();
    for &isa in Isa::available() {
        for (m, k, n) in shapes(isa) {
            let (a, b) = (noise(m * k, 1), noise(k * n, 2));
            let (at, bt) = (gemm::transpose(&a, m, k), gemm::transpose(&b, k, n));
            let plain = View::contiguous(&a, &[m, k]).unwrap();
            let turned = View::contiguous(&at, &[k, m])
                .unwrap()
                .transpose(0, 1)
                .unwrap();
            let b_plain = View::contiguous(&b, &[k, n]).unwrap();
            let b_turned = View::contiguous(&bt, &[n, k])
                .unwrap()
                .transpose(0, 1)
                .unwrap();
            let products = isa.install(|| {
                [
                    (plain, b_plain),
                    (plain, b_turned),
                    (turned, b_plain),
                    (turned, b_turned),
                ]
                .map(|(a, b)| ops::matmul(a, b).unwrap())
            });
            check_product(m, k, n, products[0].as_slice(), &a, &b);
            for product in &products[1..] {
                assert_eq!(
                    product, &products[0],
                    "{isa} {m}x{k}x{n}: layouts change no bits"
                );
            }
        }
        ran.push(isa);
    }
    println!("products ran on {ran:?}");
    assert_eq!(ran, Isa::available());
}

#[test]
fn strided_operands_and_outputs() {
    let (m, k, n) = (13, 9, 21);
    let (a, b) = (noise(m * k, 1), noise(k * n, 2));
    let expected = ops::matmul(
        View::contiguous(&a, &[m, k]).unwrap(),
        View::contiguous(&b, &[k, n]).unwrap(),
    );
    let expected = expected.unwrap();
    // Every third column of a wider matrix, for both operands and the output.
    let spread = |x: &[f32]| {
        x.iter()
            .flat_map(|&x| [x, f32::NAN, f32::NAN])
            .collect::<Vec<_>>()
    };
    let (a3, b3) = (spread(&a), spread(&b));
    let a3 = View::new(&a3, &[m, k], &[3 * k, 3]).unwrap();
    let b3 = View::new(&b3, &[k, n], &[3 * n, 3]).unwrap();
    let mut c3 = vec![7.0; 3 * m * n];
    ops::matmul_into(a3, b3, ViewMut::new(&mut c3, &[m, n], &[3 * n, 3]).unwrap()).unwrap();
    for (i, c) in c3.iter().enumerate() {
        let want = if i % 3 == 0 {
            expected.as_slice()[i / 3]
        } else {
            7.0
        };
        assert_eq!(*c, want);
    }
    // Rows of a wider matrix are written in place.
    let mut wide = vec![7.0; m * (n + 5)];
    ops::matmul_into(
        a3,
        b3,
        ViewMut::new(&mut wide, &[m, n], &[n + 5, 1]).unwrap(),
    )
    .unwrap();
    for (row, want) in wide.chunks(n + 5).zip(expected.as_slice().chunks(n)) {
        assert_eq!((&row[..n], &row[n..]), (want, &[7.0; 5][..]));
    }
}

#[test]
fn a_broadcast_operand_is_read_through_its_strides() {
    let row = noise(8, 3);
    let a = View::new(&row, &[5, 8], &[0, 1]).unwrap();
    let b = Tensor::from_vec(noise(8 * 6, 4), &[8, 6]).unwrap();
    let copied = ops::matmul(&a.to_tensor().unwrap(), &b).unwrap();
    assert_eq!(ops::matmul(a, &b).unwrap(), copied);
}

fn activations() -> [Activation; 6] {
    use Activation::{GeluErf, GeluTanh, Identity, Relu, Sigmoid, Tanh};
    [Identity, Relu, GeluTanh, GeluErf, Tanh, Sigmoid]
}

#[test]
fn fused_equals_unfused() {
    // The bits of the second are merged in the tiles, those of the first by a pass of their own.
    for n in [45, 48] {
        check_fused(37, 70, n);
    }
}

fn check_fused(m: usize, k: usize, n: usize) {
    let x = Tensor::from_vec(noise(m * k, 1), &[m, k]).unwrap();
    let w = Tensor::from_vec(noise(n * k, 2), &[n, k]).unwrap();
    let bias = Tensor::from_vec(noise(n, 3), &[n]).unwrap();
    for &isa in Isa::available() {
        for (activation, p) in activations()
            .into_iter()
            .flat_map(|a| [0.0, 0.3, 0.5, 1.0].map(|p| (a, p)))
        {
            let dropout = Dropout::new(Key::new(9), p).unwrap().with_offset(1234);
            let epilogue = Epilogue {
                bias: Some(bias.view()),
                activation,
                dropout: Some(dropout),
            };
            let (fused, unfused) = isa.install(|| {
                let fused = ops::linear(&x, &w, &epilogue).unwrap().0;
                let sums = ops::matmul(&x, w.view().transpose(0, 1).unwrap()).unwrap();
                let sums = ops::add(&sums, &bias).unwrap();
                let active = ops::activate(&sums, activation).unwrap();
                (fused, ops::dropout(&active, &dropout).unwrap().0)
            });
            let same = fused
                .as_slice()
                .iter()
                .zip(unfused.as_slice())
                .all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{isa} {activation:?} p = {p}");
        }
    }
}

#[test]
fn after_relu_the_mask_holds_both_decisions() {
    // Rows of whole cells of 16 bits are merged by the tiles, others by a pass of their own.
    for (&isa, n) in Isa::available()
        .iter()
        .flat_map(|isa| [16, 50, 64, 112].map(|n| (isa, n)))
    {
        isa.install(|| check_merged_mask(33, 20, n));
    }
}

fn check_merged_mask(m: usize, k: usize, n: usize) {
    let x = Tensor::from_vec(noise(m * k, 1), &[m, k]).unwrap();
    let w = Tensor::from_vec(noise(n * k, 2), &[n, k]).unwrap();
    let dropout = Dropout::new(Key::new(5), 0.4).unwrap();
    let sums = ops::matmul(&x, w.view().transpose(0, 1).unwrap()).unwrap();
    let positive = Mask::from_bools(&sums.as_slice().iter().map(|&z| z > 0.0).collect::<Vec<_>>());
    let drawn = Mask::draw(&dropout, m * n).unwrap();
    for (dropout, want) in [
        (Some(dropout), positive.and(&drawn).unwrap()),
        (None, positive),
    ] {
        let epilogue = Epilogue {
            bias: None,
            activation: Activation::Relu,
            dropout,
        };
        let (_, saved) = ops::linear(&x, &w, &epilogue).unwrap();
        assert_eq!(saved.kept(), Some(&want));
    }
    let linear = Epilogue {
        dropout: Some(dropout),
        ..Epilogue::default()
    };
    assert_eq!(ops::linear(&x, &w, &linear).unwrap().1.kept(), Some(&drawn));
    assert_eq!(
        ops::linear(&x, &w, &Epilogue::default()).unwrap().1.kept(),
        None
    );
}

/// The layer in f64 with a given mask, summed against `g`: what the gradients are derivatives of.
struct Layer<'a> {
    shape: (usize, usize, usize),
    g: &'a [f32],
    kept: &'a [bool],
    scale: f64,
    activation: Activation,
}

impl Layer<'_> {
    fn value(&self, x: &[f64], w: &[f64], bias: &[f64]) -> f64 {
        let (m, k, n) = self.shape;
        let mut total = 0.0;
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            if self.kept[i * n + j] {
                let z = bias[j] + (0..k).map(|p| x[i * k + p] * w[j * k + p]).sum::<f64>();
                let y = elision::reference::math::activation(self.activation, z);
                total += f64::from(self.g[i * n + j]) * self.scale * y;
            }
        }
        total
    }
}

#[test]
fn gradients_match_central_differences() {
    for n in [6, 16] {
        check_gradients((5, 7, n));
    }
}

fn check_gradients(shape: (usize, usize, usize)) {
    let (m, k, n) = shape;
    let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let (x, w, bias, g) = (
        noise(m * k, 1),
        noise(n * k, 2),
        noise(n, 3),
        noise(m * n, 4),
    );
    for &isa in Isa::available() {
        for activation in activations() {
            let dropout = Dropout::new(Key::new(3), 0.4).unwrap();
            let kept = Mask::draw(&dropout, m * n).unwrap().to_bools();
            let layer = Layer {
                shape,
                g: &g,
                kept: &kept,
                scale: f64::from(dropout.scale()),
                activation,
            };
            let [xt, wt, bt, gt] = [(&x, [m, k]), (&w, [n, k]), (&bias, [1, n]), (&g, [m, n])]
                .map(|(data, shape)| Tensor::from_slice(data, &shape).unwrap());
            let bias_view = bt.view().reshape(&[n]).unwrap();
            let epilogue = Epilogue {
                bias: Some(bias_view),
                activation,
                dropout: Some(dropout),
            };
            let grads = isa.install(|| {
                let (_, saved) = ops::linear(&xt, &wt, &epilogue).unwrap();
                ops::linear_backward(&gt, &xt, &wt, &epilogue, &saved).unwrap()
            });
            let inputs = [wide(&x), wide(&w), wide(&bias)];
            for (which, found) in [&grads.x, &grads.w, &grads.bias].into_iter().enumerate() {
                for (i, &found) in found.as_slice().iter().enumerate() {
                    let at = |step: f64| {
                        let mut moved = inputs.clone();
                        moved[which][i] += step;
                        layer.value(&moved[0], &moved[1], &moved[2])
                    };
                    let want = (at(1e-6) - at(-1e-6)) / 2e-6;
                    let error = (f64::from(found) - want).abs();
                    assert!(
                        error < 1e-5,
                        "{isa} {activation:?} input {which} at {i}: {found} for {want}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_gradient_may_be_strided_and_left_out() {
    let (m, k, n) = (20, 11, 40);
    let x = Tensor::from_vec(noise(m * k, 1), &[m, k]).unwrap();
    let w = Tensor::from_vec(noise(n * k, 2), &[n, k]).unwrap();
    let g = Tensor::from_vec(noise(m * n, 3), &[m, n]).unwrap();
    let g_turned = ops::add(
        g.view().transpose(0, 1).unwrap(),
        &Tensor::zeros(&[]).unwrap(),
    )
    .unwrap();
    let g_turned = g_turned.view().transpose(0, 1).unwrap();
    let dropout = Some(Dropout::new(Key::new(3), 0.5).unwrap());
    let epilogue = Epilogue {
        bias: None,
        activation: Activation::Relu,
        dropout,
    };
    let (_, saved) = ops::linear(&x, &w, &epilogue).unwrap();
    let plain = ops::linear_backward(&g, &x, &w, &epilogue, &saved).unwrap();
    assert_eq!(
        ops::linear_backward(g_turned, &x, &w, &epilogue, &saved).unwrap(),
        plain
    );
    let mut dw = Tensor::zeros(&[k, n]).unwrap();
    let into = ops::LinearGradsInto {
        w: Some(dw.view_mut().transpose(0, 1).unwrap()),
        ..ops::LinearGradsInto::default()
    };
    ops::linear_backward_into(&g, &x, &w, &epilogue, &saved, into).unwrap();
    assert_eq!(
        dw.view().transpose(0, 1).unwrap().to_tensor().unwrap(),
        plain.w
    );
}

#[test]
fn a_row_has_the_same_bits_in_any_batch() {
    for &isa in Isa::available() {
        let (k, n) = (2 * Blocking::of(isa.level()).kc + 9, 70);
        let (x, w) = (noise(300 * k, 5), noise(n * k, 6));
        let w = Tensor::from_slice(&w, &[n, k]).unwrap();
        let rows = |m: usize| {
            let x = Tensor::from_slice(&x[..m * k], &[m, k]).unwrap();
            isa.install(|| ops::linear(&x, &w, &Epilogue::default()).unwrap().0)
        };
        let whole = rows(300);
        for m in [1, 2, 16, 33, 64, 257] {
            assert_eq!(rows(m).as_slice(), &whole.as_slice()[..m * n], "{isa} {m}");
        }
    }
}

#[test]
fn threads_change_no_bits() {
    for n in [170, 176] {
        check_threads(150, 300, n);
    }
}

fn check_threads(m: usize, k: usize, n: usize) {
    let x = Tensor::from_vec(noise(m * k, 1), &[m, k]).unwrap();
    let w = Tensor::from_vec(noise(n * k, 2), &[n, k]).unwrap();
    let g = Tensor::from_vec(noise(m * n, 3), &[m, n]).unwrap();
    let dropout = Some(Dropout::new(Key::new(3), 0.3).unwrap());
    for activation in [Activation::Relu, Activation::GeluTanh] {
        let epilogue = Epilogue {
            bias: None,
            activation,
            dropout,
        };
        for &isa in Isa::available() {
            let runs = [1, 2, 3, 8].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .unwrap();
                pool.install(|| {
                    isa.install(|| {
                        let (y, saved) = ops::linear(&x, &w, &epilogue).unwrap();
                        let grads = ops::linear_backward(&g, &x, &w, &epilogue, &saved).unwrap();
                        (y, saved, grads)
                    })
                })
            });
            assert!(
                runs.windows(2).all(|pair| pair[0] == pair[1]),
                "{isa} {activation:?}"
            );
        }
    }
}

#[test]
fn nothing_saved_is_the_same_output() {
    let x = Tensor::from_vec(noise(64 * 30, 1), &[64, 30]).unwrap();
    let w = Tensor::from_vec(noise(10 * 30, 2), &[10, 30]).unwrap();
    let dropout = Some(Dropout::new(Key::new(3), 0.3).unwrap());
    for activation in activations() {
        let epilogue = Epilogue {
            bias: None,
            activation,
            dropout,
        };
        let (y, saved) = ops::linear(&x, &w, &epilogue).unwrap();
        let mut out = Tensor::full(&[64, 10], f32::NAN).unwrap();
        ops::linear_into(&x, &w, &epilogue, &mut out, None).unwrap();
        assert_eq!(out, y);
        // A used `Saved` is as good as a new one.
        let mut reused = saved.clone();
        ops::linear_into(&x, &w, &epilogue, &mut out, Some(&mut reused)).unwrap();
        assert_eq!(reused, saved);
    }
}

#[test]
fn wrong_shapes_are_errors_and_write_nothing() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape).unwrap();
    let (x, w) = (zeros(&[4, 5]), zeros(&[3, 5]));
    assert!(ops::matmul(&x, &w).is_err());
    assert!(ops::matmul(&zeros(&[5]), &w).is_err());
    assert!(ops::matmul(&x, &zeros(&[5, 3, 1])).is_err());
    let mut out = Tensor::full(&[4, 4], 7.0).unwrap();
    assert!(ops::matmul_into(&x, w.view().transpose(0, 1).unwrap(), &mut out).is_err());
    let bias = zeros(&[4]);
    let wrong_bias = Epilogue {
        bias: Some(bias.view()),
        ..Epilogue::default()
    };
    let mut right = Tensor::full(&[4, 3], 7.0).unwrap();
    assert!(ops::linear_into(&x, &w, &wrong_bias, &mut right, None).is_err());
    let end = Dropout::new(Key::new(0), 0.5)
        .unwrap()
        .with_offset(u64::MAX - 5);
    let overflow = Epilogue {
        dropout: Some(end),
        ..Epilogue::default()
    };
    assert!(ops::linear_into(&x, &w, &overflow, &mut right, None).is_err());
    assert!(
        out.as_slice()
            .iter()
            .chain(right.as_slice())
            .all(|&y| y == 7.0)
    );
    let relu = Epilogue {
        activation: Activation::Relu,
        ..Epilogue::default()
    };
    let (y, _) = ops::linear(&x, &w, &relu).unwrap();
    assert!(ops::linear_backward(&y, &x, &w, &relu, &ops::Saved::default()).is_err());
    let huge = [usize::MAX / 8, 5];
    let tall = View::new(x.as_slice(), &huge, &[0, 1]).unwrap();
    assert!(ops::matmul(tall, w.view().transpose(0, 1).unwrap()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_shape(m in 0usize..70, k in 0usize..70, n in 0usize..70, seed in any::<u64>()) {
        let (a, b) = (noise(m * k, seed), noise(k * n, seed ^ 1));
        let product = ops::matmul(
            View::contiguous(&a, &[m, k]).unwrap(),
            View::contiguous(&b, &[k, n]).unwrap(),
        );
        check_product(m, k, n, product.unwrap().as_slice(), &a, &b);
    }
}
