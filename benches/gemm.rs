//! Matrix products, in floating-point operations.

mod common;

use common::{Case, Name, integers, places, time};
use elision::{Tensor, ops, reference};

/// Rows, depth and columns: what a layer calls batch, inputs and outputs. The first three are for every
/// instruction set.
const SHAPES: [[usize; 3]; 6] = [
    [1, 1024, 1024],
    [16, 1024, 1024],
    [64, 512, 512],
    [128, 784, 2048],
    [512, 768, 3072],
    [1024, 1024, 1024],
];

struct Gemm {
    a: Tensor,
    b: Tensor,
    c: Tensor,
}

impl Gemm {
    fn new([m, k, n]: [usize; 3]) -> Self {
        let matrix = |rows, cols, seed| {
            Tensor::from_slice(&integers(rows * cols, seed), &[rows, cols]).unwrap()
        };
        Self {
            a: matrix(m, k, 1),
            b: matrix(k, n, 2),
            c: Tensor::zeros(&[m, n]).unwrap(),
        }
    }
}

impl Case for Gemm {
    fn run(&mut self) {
        ops::matmul_into(&self.a, &self.b, &mut self.c).unwrap();
    }

    /// The sum of all rows of C is the sum of all rows of A, times B; and one row alone.
    fn check(&self) {
        let (k, n) = (self.b.shape()[0], self.b.shape()[1]);
        let (a, c) = (self.a.as_slice(), self.c.as_slice());
        let row = |a: &[f32]| reference::gemm::matmul(a, self.b.as_slice(), (1, k, n));
        let same = |expected: &[(f64, f64)], found: &[f32]| {
            expected
                .iter()
                .zip(found)
                .all(|(&(sum, _), &c)| sum == f64::from(c))
        };
        assert!(
            same(&row(&sum_of_rows(a, k)), &sum_of_rows(c, n)),
            "the sum of the rows"
        );
        assert!(
            same(&row(&a[a.len() - k..]), &c[c.len() - n..]),
            "the last row"
        );
    }
}

/// Exact for integers this small.
fn sum_of_rows(x: &[f32], cols: usize) -> Vec<f32> {
    let mut sum = vec![0.0; cols];
    for row in x.chunks(cols) {
        for (sum, x) in sum.iter_mut().zip(row) {
            *sum += x;
        }
    }
    sum
}

fn main() {
    let mut criterion = common::criterion();
    for place in places() {
        let shapes = match (place.is_best, place.is_slow()) {
            (true, _) => &SHAPES[..],
            (_, false) => &SHAPES[..4],
            (_, true) => &SHAPES[..3],
        };
        for &shape in shapes {
            let [m, k, n] = shape;
            let name = Name {
                operation: "gemm",
                shape: format!("{m}x{k}x{n}"),
                work: 2 * m * n * k,
            };
            time(&mut criterion, &place, name, || Gemm::new(shape));
        }
    }
    criterion.final_summary();
}
