//! Products under masks of blocks equal the dense products of the masked operands.

mod support;

use elision::reference::gemm::{matmul, tolerance, transpose};
use elision::{Activation, BlockMask, Dropout, Epilogue, Key, Mask, Tensor, ops};
use proptest::prelude::*;
use support::{bits, on_every_isa, on_threads, values};

/// `x` under the mask, as the specification has it.
fn masked(x: &[f32], mask: &BlockMask) -> Vec<f32> {
    let kept = mask.elements().to_bools();
    let select = |(&x, kept): (&f32, bool)| if kept { x * mask.scale() } else { 0.0 };
    x.iter().zip(kept).map(select).collect()
}

fn check(what: &str, found: &[f32], a: &[f32], b: &[f32], sizes: (usize, usize, usize)) {
    for (i, (found, (sum, size))) in found.iter().zip(matmul(a, b, sizes)).enumerate() {
        let error = (f64::from(*found) - sum).abs();
        assert!(
            error <= tolerance(sizes.1, size),
            "{what} {sizes:?} {i}: {found} for {sum}"
        );
    }
}

/// Forward and both gradients against the dense product of masked operands.
fn check_layer((m, k, n): (usize, usize, usize), mask: &BlockMask) {
    let shuffled = |len: usize, by: usize| -> Vec<f32> {
        let values = values(len);
        (0..len)
            .map(|i| values[(i * by + 7) % len].clamp(-2.0, 2.0))
            .collect()
    };
    let (x, w, g) = (shuffled(m * k, 17), shuffled(n * k, 5), shuffled(m * n, 11));
    let (xt, wt, gt) = (
        Tensor::from_slice(&x, &[m, k]).unwrap(),
        Tensor::from_slice(&w, &[n, k]).unwrap(),
        Tensor::from_slice(&g, &[m, n]).unwrap(),
    );
    let plain = Epilogue::default();
    let (y, saved) = ops::linear(mask.over(&xt).unwrap(), &wt, &plain).unwrap();
    let grads = ops::linear_backward(&gt, mask.over(&xt).unwrap(), &wt, &plain, &saved).unwrap();
    let dense = masked(&x, mask);
    check("y", y.as_slice(), &dense, &transpose(&w, n, k), (m, k, n));
    check(
        "dw",
        grads.w.as_slice(),
        &transpose(&g, m, n),
        &dense,
        (n, m, k),
    );
    let kept = mask.elements().to_bools();
    for (i, (found, (sum, size))) in grads
        .x
        .as_slice()
        .iter()
        .zip(matmul(&g, &w, (m, n, k)))
        .enumerate()
    {
        if !kept[i] {
            assert_eq!(found.to_bits(), 0, "a dropped gradient");
            continue;
        }
        let (sum, scale) = (sum * f64::from(mask.scale()), f64::from(mask.scale()).abs());
        let error = (f64::from(*found) - sum).abs();
        let rounding = sum.abs() * f64::from(f32::EPSILON);
        assert!(
            error <= scale * tolerance(n, size) + rounding,
            "dx {i}: {found} for {sum}"
        );
    }
}

#[test]
fn layers_under_masks_equal_dense_ones_on_every_isa() {
    on_every_isa("layers_under_masks_equal_dense_ones_on_every_isa", |_| {
        for (sizes, block) in [
            ((84, 64, 40), [42, 32]),
            ((100, 150, 33), [42, 64]),
            ((37, 1100, 50), [5, 300]),
            ((3, 5, 7), [1, 1]),
            ((1, 40, 1), [1, 8]),
            ((200, 90, 10), [64, 7]),
        ] {
            let shape = [sizes.0, sizes.1];
            let dropout = Dropout::new(Key::new(3), 0.5).unwrap();
            check_layer(sizes, &BlockMask::draw(&dropout, shape, block).unwrap());
            let count = BlockMask::count(shape, block).unwrap();
            for blocks in [Mask::all(count), Mask::none(count)] {
                check_layer(sizes, &BlockMask::new(blocks, shape, block, 1.5).unwrap());
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn any_mask_and_any_block(
        m in 1usize..70, k in 1usize..130, n in 1usize..40,
        rows in 1usize..80, cols in 1usize..140, seed: u64, p in 0.0..1.0f64,
    ) {
        let dropout = Dropout::new(Key::new(seed), p).unwrap();
        check_layer((m, k, n), &BlockMask::draw(&dropout, [m, k], [rows, cols]).unwrap());
    }
}

#[test]
fn what_is_dropped_is_never_read() {
    let (m, k, n) = (84, 128, 16);
    let mask = BlockMask::draw(&Dropout::new(Key::new(9), 0.5).unwrap(), [m, k], [42, 32]).unwrap();
    let clean = Tensor::full(&[m, k], 0.25).unwrap();
    let mut dirty = clean.clone();
    for (x, kept) in dirty
        .as_mut_slice()
        .iter_mut()
        .zip(mask.elements().to_bools())
    {
        *x = if kept { *x } else { f32::NAN };
    }
    let w = Tensor::full(&[n, k], 0.5).unwrap();
    let run = |x: &Tensor| {
        let (y, saved) = ops::linear(mask.over(x).unwrap(), &w, &Epilogue::default()).unwrap();
        let grads =
            ops::linear_backward(&y, mask.over(x).unwrap(), &w, &Epilogue::default(), &saved);
        (y, grads.unwrap())
    };
    assert_eq!(run(&clean), run(&dirty));
}

#[test]
fn threads_change_no_bits() {
    let (m, k, n) = (300, 260, 200);
    let dropout = Dropout::new(Key::new(4), 0.5).unwrap();
    let mask = BlockMask::draw(&dropout, [m, k], [42, 32]).unwrap();
    let (x, w) = (
        Tensor::from_slice(&values(m * k), &[m, k]).unwrap(),
        Tensor::from_slice(&values(n * k), &[n, k]).unwrap(),
    );
    let fused = Epilogue {
        activation: Activation::Relu,
        dropout: Some(dropout),
        ..Epilogue::default()
    };
    let run = || {
        let (y, saved) = ops::linear(mask.over(&x).unwrap(), &w, &fused).unwrap();
        let grads = ops::linear_backward(&y, mask.over(&x).unwrap(), &w, &fused, &saved).unwrap();
        [y, grads.x, grads.w, grads.bias].map(|t| bits(t.as_slice()))
    };
    let one = on_threads(1, run);
    for threads in [2, 3, 8] {
        assert_eq!(on_threads(threads, run), one, "{threads} threads");
    }
}

#[test]
fn a_matrix_of_another_shape_is_an_error() {
    let mask = BlockMask::new(Mask::all(4), [4, 4], [2, 2], 2.0).unwrap();
    assert!(mask.over(&Tensor::zeros(&[4, 5]).unwrap()).is_err());
    assert!(mask.over(&Tensor::zeros(&[16]).unwrap()).is_err());
}
