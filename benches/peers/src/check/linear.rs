//! Linear layers against sums in f64: all outputs of a small layer, a random sample of a large one's.

use elision::Key;
use elision::reference::dropout::scale;
use elision::reference::gemm::{matmul, tolerance};

use super::{check_close, check_share};
use crate::inputs::Inputs;
use crate::work::{RATE, Shape};

/// Elements of a large array that are computed again.
const SAMPLE: usize = 2000;
/// Products that one check computes at most before it takes a sample.
const PRODUCTS: usize = 1 << 25;

/// The places that are checked of `len` sums of `depth` products.
fn places(len: usize, depth: usize) -> Vec<usize> {
    if len * depth <= PRODUCTS || len <= SAMPLE {
        return (0..len).collect();
    }
    let key = Key::new(7);
    let place = |i| (key.fold_in(i).to_u128() % len as u128) as usize;
    (0..SAMPLE as u64).map(place).collect()
}

/// A sum of products in f64, and how far an f32 may be from it.
fn dot(a: &[f32], b: &[f32]) -> (f64, f64) {
    let depth = a.len();
    let (sum, magnitude) = matmul(a, b, (1, depth, 1))[0];
    (sum, tolerance(depth, magnitude))
}

/// Output `at` of `x w^T`.
fn product(Shape { k, n, .. }: Shape, inputs: &Inputs, at: usize) -> (f64, f64) {
    let (i, j) = (at / n, at % n);
    dot(&inputs.x[i * k..][..k], &inputs.w[j * k..][..k])
}

/// `y = x w^T`.
pub(super) fn check_plain(shape: Shape, inputs: &Inputs, y: &[f32]) -> Result<(), String> {
    for at in places(y.len(), shape.k) {
        let (sum, tolerance) = product(shape, inputs, at);
        check_close("y", at, y[at], sum, tolerance)?;
    }
    Ok(())
}

/// `y = dropout(relu(x w^T + bias))`: what is not zero is the scaled sum, what the reference finds negative
/// is zero, and of what it finds positive the right share is kept.
pub(super) fn check_fused(shape: Shape, inputs: &Inputs, y: &[f32]) -> Result<(), String> {
    let scale = f64::from(scale(RATE));
    let (mut positive, mut kept) = (0, 0);
    for at in places(y.len(), shape.k) {
        let bias = f64::from(inputs.bias[at % shape.n]);
        let (sum, tolerance) = product(shape, inputs, at);
        let (sum, tolerance) = (sum + bias, tolerance + 2f64.powi(-22) * bias.abs());
        if y[at] != 0.0 {
            let expected = scale * sum.max(0.0);
            check_close("y", at, y[at], expected, scale * tolerance)?;
        }
        if sum > tolerance {
            positive += 1;
            kept += usize::from(y[at] != 0.0);
        }
    }
    check_share(kept, positive, RATE)
}

/// The gradients of x, w and bias, given the mask that the output shows.
pub(super) fn check_gradients(
    shape: Shape,
    inputs: &Inputs,
    answer: &[Vec<f32>],
) -> Result<(), String> {
    let Shape { m, k, n } = shape;
    let [y, dx, dw, dbias] = answer else {
        return Err("gradients are missing".to_owned());
    };
    let dz = masked(&inputs.g, y);
    let row = |i: usize| &dz[i * n..][..n];
    let column = |j: usize| -> Vec<f32> { (0..m).map(|i| dz[i * n + j]).collect() };
    let ones = vec![1.0; m];
    for at in places(dx.len(), n) {
        let w: Vec<f32> = (0..n).map(|j| inputs.w[j * k + at % k]).collect();
        let (sum, tolerance) = dot(row(at / k), &w);
        check_close("dx", at, dx[at], sum, tolerance)?;
    }
    for at in places(dw.len(), m) {
        let x: Vec<f32> = (0..m).map(|i| inputs.x[i * k + at % k]).collect();
        let (sum, tolerance) = dot(&column(at / k), &x);
        check_close("dw", at, dw[at], sum, tolerance)?;
    }
    for at in places(n, m) {
        let (sum, tolerance) = dot(&column(at), &ones);
        check_close("dbias", at, dbias[at], sum, tolerance)?;
    }
    Ok(())
}

/// The gradient before ReLU and dropout: after both, an output that is not zero was kept and positive.
fn masked(g: &[f32], y: &[f32]) -> Vec<f32> {
    let scale = scale(RATE);
    let one = |(&g, &y): (&f32, &f32)| if y == 0.0 { 0.0 } else { g * scale };
    g.iter().zip(y).map(one).collect()
}
