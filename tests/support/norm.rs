//! What the tests of normalisation share.

use elision::Tensor;

/// Numbers from -1 to 1 that differ from seed to seed.
pub(crate) fn numbers(seed: usize, n: usize) -> Vec<f32> {
    let number = |i: usize| ((i * 7919 + seed * 4099) % 16_001) as f32 / 8000.5 - 1.0;
    (0..n).map(number).collect()
}

/// The elements in f64.
pub(crate) fn exact(x: &Tensor) -> Vec<f64> {
    x.as_slice().iter().copied().map(f64::from).collect()
}

/// Fails if an element is further off than `tolerance * (1 + |exact|)`.
pub(crate) fn close(found: &[f32], exact: &[f64], tolerance: f64) {
    assert_eq!(found.len(), exact.len());
    for (i, (&found, exact)) in found.iter().zip(exact).enumerate() {
        let error = (f64::from(found) - exact).abs();
        assert!(
            error <= tolerance * (1.0 + exact.abs()),
            "{i}: {found} for {exact}"
        );
    }
}

/// Central differences of `sum(dy * f(x))` in each element of `x`.
pub(crate) fn slopes(x: &[f64], dy: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut x = x.to_vec();
    let mut slopes = Vec::new();
    for i in 0..x.len() {
        let middle = x[i];
        let mut sum = |step| {
            x[i] = middle + step;
            f(&x).iter().zip(dy).map(|(y, dy)| y * dy).sum::<f64>()
        };
        slopes.push((sum(STEP) - sum(-STEP)) / (2.0 * STEP));
        x[i] = middle;
    }
    slopes
}

/// A matrix with rows and columns exchanged in memory.
pub(crate) fn transposed(x: &Tensor) -> Tensor {
    let view = x.view().transpose(0, 1).expect("a matrix");
    view.to_tensor().expect("it fits in memory")
}

/// Each element beside a number that nobody should read: a vector of stride 2.
pub(crate) fn columns(x: &Tensor) -> Tensor {
    let pairs = x.as_slice().iter().flat_map(|&x| [x, f32::NAN]);
    Tensor::from_vec(pairs.collect(), &[x.len(), 2]).expect("two a row")
}
