//! What makes groups of numbers comparable: softmax, and the normalisations.

use super::{Array, Tape, Value};

impl Tape {
    /// x - ln(sum of e^x), over the last axis.
    pub fn log_softmax(&mut self, x: Value) -> Value {
        let mut y = self.value(x).clone();
        for row in rows(&y.shape) {
            let elements = row.iter().map(|&i| y.data[i]);
            let max = elements.fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|&i| (y.data[i] - max).exp()).sum();
            for i in row {
                y.data[i] -= max + sum.ln();
            }
        }
        let logarithms = y.clone();
        self.push(y, move |_, dy| {
            let mut dx = dy.clone();
            for row in rows(&dy.shape) {
                let sum: f64 = row.iter().map(|&i| dy.data[i]).sum();
                for i in row {
                    dx.data[i] -= logarithms.data[i].exp() * sum;
                }
            }
            vec![(x, dx)]
        })
    }

    /// e^x / (sum of e^x), over the last axis.
    pub fn softmax(&mut self, x: Value) -> Value {
        let logarithms = self.log_softmax(x);
        self.exp(logarithms)
    }

    /// Each row (the last axis) to mean 0 and variance 1, then times `gamma` plus `beta`, both of its length
    /// ([Ba, Kiros and Hinton 2016](https://arxiv.org/abs/1607.06450)).
    pub fn layer_norm(&mut self, x: Value, gamma: Value, beta: Value, epsilon: f64) -> Value {
        let y = self.standardize(x, rows(&self.value(x).shape), epsilon);
        let y = self.mul(y, gamma);
        self.add(y, beta)
    }

    /// Each row divided by the root of its mean square, then times `gamma`
    /// ([Zhang and Sennrich 2019](https://arxiv.org/abs/1910.07467)).
    pub fn rms_norm(&mut self, x: Value, gamma: Value, epsilon: f64) -> Value {
        let root = move |x: &Array, row: &[usize]| {
            let squares: f64 = row.iter().map(|&i| x.data[i] * x.data[i]).sum();
            (squares / row.len() as f64 + epsilon).sqrt()
        };
        let mut y = self.value(x).clone();
        for row in rows(&y.shape) {
            let root = root(&y, &row);
            for i in row {
                y.data[i] /= root;
            }
        }
        let y = self.push(y, move |tape, dy| {
            let x_is = tape.value(x);
            let mut dx = dy.clone();
            for row in rows(&dy.shape) {
                let root = root(x_is, &row);
                let products: f64 = row.iter().map(|&i| dy.data[i] * x_is.data[i]).sum();
                for &i in &row {
                    let through_root = x_is.data[i] * products / row.len() as f64;
                    dx.data[i] = dy.data[i] / root - through_root / root.powi(3);
                }
            }
            vec![(x, dx)]
        });
        self.mul(y, gamma)
    }

    /// Each channel (the last axis) to mean 0 and variance 1 over all else, then times `gamma` plus `beta`, of
    /// one number a channel ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)); in training.
    pub fn batch_norm(&mut self, x: Value, gamma: Value, beta: Value, epsilon: f64) -> Value {
        let y = self.standardize(x, columns(&self.value(x).shape), epsilon);
        let y = self.mul(y, gamma);
        self.add(y, beta)
    }

    /// (x - mean) / sqrt(variance + epsilon), each of a group of elements.
    fn standardize(&mut self, x: Value, groups: Vec<Vec<usize>>, epsilon: f64) -> Value {
        let mut y = self.value(x).clone();
        let mut roots = Vec::new();
        for group in &groups {
            let (mean, variance) = statistics(self.value(x), group);
            let root = (variance + epsilon).sqrt();
            for &i in group {
                y.data[i] = (y.data[i] - mean) / root;
            }
            roots.push(root);
        }
        let standard = y.clone();
        self.push(y, move |_, dy| {
            let mut dx = dy.clone();
            for (group, root) in groups.iter().zip(&roots) {
                let n = group.len() as f64;
                let sum: f64 = group.iter().map(|&i| dy.data[i]).sum();
                let products = group.iter().map(|&i| dy.data[i] * standard.data[i]);
                let slope = products.sum::<f64>() / n;
                for &i in group {
                    dx.data[i] = (dy.data[i] - sum / n - standard.data[i] * slope) / root;
                }
            }
            vec![(x, dx)]
        })
    }
}

/// The mean of each column (the last axis) over all else, and its variance, of which the divisor is the number
/// of elements.
#[must_use]
pub fn column_statistics(x: &Array) -> Vec<(f64, f64)> {
    let columns = columns(&x.shape).into_iter();
    columns.map(|column| statistics(x, &column)).collect()
}

fn statistics(x: &Array, group: &[usize]) -> (f64, f64) {
    let n = group.len() as f64;
    let mean = group.iter().map(|&i| x.data[i]).sum::<f64>() / n;
    let squares = group.iter().map(|&i| (x.data[i] - mean).powi(2));
    (mean, squares.sum::<f64>() / n)
}

/// The places of the elements of each row: those that differ in the last index only.
fn rows(shape: &[usize]) -> Vec<Vec<usize>> {
    let (count, n) = sizes(shape);
    let row = |row: usize| (0..n).map(|column| row * n + column).collect();
    (0..count).map(row).collect()
}

/// The places of the elements of each column: those that agree in the last index.
fn columns(shape: &[usize]) -> Vec<Vec<usize>> {
    let (count, n) = sizes(shape);
    let column = |column: usize| (0..count).map(|row| row * n + column).collect();
    (0..n).map(column).collect()
}

/// The number of rows and their length.
fn sizes(shape: &[usize]) -> (usize, usize) {
    let (n, leading) = shape.split_last().expect("an axis");
    (leading.iter().product(), *n)
}
