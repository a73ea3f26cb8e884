//! Matrix products, one element at a time, in f64.

/// A product in f64: `m x k` by `k x n`, both row-major; each element with the sum of the magnitudes of
/// its products, of which error bounds are multiples.
#[must_use]
pub fn matmul(a: &[f32], b: &[f32], (m, k, n): (usize, usize, usize)) -> Vec<(f64, f64)> {
    let element = |i: usize, j: usize| {
        let products = (0..k).map(|p| f64::from(a[i * k + p]) * f64::from(b[p * n + j]));
        products.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()))
    };
    (0..m)
        .flat_map(|i| (0..n).map(move |j| (i, j)))
        .map(|(i, j)| element(i, j))
        .collect()
}

/// The transpose of a row-major `rows x cols` matrix.
#[must_use]
pub fn transpose(x: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    (0..cols)
        .flat_map(|j| (0..rows).map(move |i| x[i * cols + j]))
        .collect()
}

/// The error that a product of depth `k` may have, given the sum of the magnitudes of its products: each
/// of k multiply-adds rounds by at most 2^-24, and blocks of depth add a few roundings.
#[must_use]
pub fn tolerance(k: usize, magnitude: f64) -> f64 {
    2.0 * (k as f64 + 4.0) * 2f64.powi(-24) * magnitude + 1e-37
}
