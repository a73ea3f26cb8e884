//! Scaling of features.

use serde::{Deserialize, Serialize};

/// The mean and spread of each feature of the training rows. Nothing of the test rows enters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    mean: Vec<f64>,
    inverse_spread: Vec<f64>,
}

impl Normal {
    /// Fits row-major `x` of `features` columns; a column that does not vary is only centred.
    #[must_use]
    pub fn fit(x: &[f32], features: usize) -> Self {
        let rows = (x.len() / features.max(1)).max(1) as f64;
        let mut mean = vec![0.0; features];
        each(x, features, |column, value| mean[column] += value / rows);
        let mut variance = vec![0.0; features];
        each(x, features, |column, value| {
            variance[column] += (value - mean[column]).powi(2) / rows
        });
        let inverse = |(&variance, &mean): (&f64, &f64)| {
            // What rounding leaves of a constant column's variance is not a spread.
            let spread = variance.sqrt();
            if spread > 1e-7 * mean.abs() && spread > 0.0 {
                1.0 / spread
            } else {
                1.0
            }
        };
        let inverse_spread = variance.iter().zip(&mean).map(inverse).collect();
        Self {
            mean,
            inverse_spread,
        }
    }

    /// The number of columns, if there are as many means as spreads.
    pub(super) fn columns(&self) -> Option<usize> {
        (self.mean.len() == self.inverse_spread.len()).then_some(self.mean.len())
    }

    /// Scales row-major rows to mean 0 and variance 1 as the fitted rows have them.
    pub fn apply(&self, x: &mut [f32]) {
        for row in x.chunks_mut(self.mean.len().max(1)) {
            for ((value, mean), inverse) in row.iter_mut().zip(&self.mean).zip(&self.inverse_spread)
            {
                *value = ((f64::from(*value) - mean) * inverse) as f32;
            }
        }
    }
}

fn each(x: &[f32], features: usize, mut f: impl FnMut(usize, f64)) {
    for row in x.chunks(features.max(1)) {
        for (column, &value) in row.iter().enumerate() {
            f(column, f64::from(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_standard() {
        let mut x = vec![1.0, 7.1, 3.0, 7.1];
        let normal = Normal::fit(&x, 2);
        normal.apply(&mut x);
        assert_eq!(x, [-1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn the_test_rows_use_the_fit_of_the_training_rows() {
        let mut test = vec![5.0];
        Normal::fit(&[1.0, 3.0], 1).apply(&mut test);
        assert_eq!(test, [3.0]);
    }

    #[test]
    fn the_largest_floats_stay_finite() {
        let mut x = vec![f32::MAX, -f32::MAX];
        Normal::fit(&x.clone(), 1).apply(&mut x);
        assert_eq!(x, [1.0, -1.0]);
    }
}
