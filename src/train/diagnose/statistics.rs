//! How long gradients are, and how much their directions differ.

use crate::error::{Error, Result};
use crate::ops::squared_norm;
use crate::tensor::View;

/// Norms and directions of gradients, which are pushed one after the other and not kept.
///
/// With the unit vectors `u_i` of k gradients and `R = |u_1 + ... + u_k|^2`, the mean of all pairs' cosines is
/// `(R - k) / (k (k - 1))`, so that the pairwise distances of k gradients of d numbers take k d steps and the memory
/// of one gradient. Sums are formed in f64, in an order that d alone decides.
///
/// ```
/// use elision::train::diagnose::GradientStatistics;
/// let mut gradients = GradientStatistics::new(2);
/// gradients.push(&[3.0, 0.0])?;
/// gradients.push(&[0.0, 5.0])?;
/// let summary = gradients.finish();
/// assert_eq!((summary.norm, summary.gdv, summary.gde), (4.0, Some(0.5), None));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradientStatistics {
    /// The sum of the unit vectors.
    sum: Vec<f64>,
    /// The direction of the full gradient.
    full: Option<Vec<f64>>,
    count: usize,
    zeros: usize,
    /// The mean of the norms, and the sum of their squared deviations from it.
    norm: f64,
    squares: f64,
    /// The sum of the distances from the full gradient.
    error: f64,
}

/// What [`GradientStatistics`] came to. Distances are `(1 - cosine) / 2`: 0 for one direction, 1/2 at a right angle, 1
/// for opposite ones. The factor 1/2 is as we recall it from the paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientSummary {
    /// Gradients that were pushed.
    pub count: usize,
    /// Those of them that are zero. They have no direction and take part in the norm alone.
    pub zeros: usize,
    /// The mean norm; 0 of no gradients.
    pub norm: f64,
    /// The sample deviation of the norms, whose divisor is one less than their number; 0 of fewer than two.
    pub norm_deviation: f64,
    /// Gradient direction variance: the mean distance of all pairs. `None` with fewer than two directions.
    pub gdv: Option<f64>,
    /// Gradient direction error: the mean distance from the full gradient. `None` without a direction, or if the full
    /// gradient is not given or zero.
    pub gde: Option<f64>,
}

impl GradientStatistics {
    /// Of gradients of `len` numbers.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self {
            sum: vec![0.0; len],
            full: None,
            count: 0,
            zeros: 0,
            norm: 0.0,
            squares: 0.0,
            error: 0.0,
        }
    }

    /// The same, none pushed, with the gradient from whose direction errors are measured.
    ///
    /// # Errors
    /// [`Error::Length`] if it has another length.
    pub fn against(self, full: &[f64]) -> Result<Self> {
        let len = self.sum.len();
        check(len, full.len())?;
        let norm = sum(len, |i| full[i] * full[i]).sqrt();
        let unit = || full.iter().map(|x| x / norm).collect();
        Ok(Self {
            full: (norm != 0.0).then(unit),
            ..Self::new(len)
        })
    }

    /// Takes one more gradient into account. One that is not finite makes the results NaN.
    ///
    /// # Errors
    /// [`Error::Length`] if it has another length.
    pub fn push(&mut self, gradient: &[f32]) -> Result<()> {
        let len = self.sum.len();
        check(len, gradient.len())?;
        let norm = squared_norm(View::contiguous(gradient, &[len])?)?.sqrt();
        self.count += 1;
        let deviation = norm - self.norm;
        self.norm += deviation / self.count as f64;
        self.squares += deviation * (norm - self.norm);
        if norm == 0.0 {
            self.zeros += 1;
            return Ok(());
        }
        if let Some(full) = &self.full {
            let cosine = sum(len, |i| f64::from(gradient[i]) * full[i]) / norm;
            self.error += half_distance(cosine);
        }
        let pairs = self.sum.iter_mut().zip(gradient);
        pairs.for_each(|(sum, &g)| *sum += f64::from(g) / norm);
        Ok(())
    }

    /// What they came to so far.
    #[must_use]
    pub fn finish(&self) -> GradientSummary {
        let directions = (self.count - self.zeros) as f64;
        let gdv = || {
            let r = sum(self.sum.len(), |i| self.sum[i] * self.sum[i]);
            half_distance((r - directions) / (directions * (directions - 1.0)))
        };
        let gde = self.full.is_some() && directions > 0.0;
        GradientSummary {
            count: self.count,
            zeros: self.zeros,
            norm: self.norm,
            norm_deviation: (self.squares / (self.count.max(2) - 1) as f64).sqrt(),
            gdv: (directions > 1.0).then(gdv),
            gde: gde.then(|| self.error / directions),
        }
    }
}

/// Rounding may take a cosine a little out of its range; a NaN stays.
fn half_distance(cosine: f64) -> f64 {
    (0.5 * (1.0 - cosine)).clamp(0.0, 1.0)
}

fn check(expected: usize, found: usize) -> Result<()> {
    let what = "gradient";
    match expected == found {
        true => Ok(()),
        false => Err(Error::Length {
            what,
            expected,
            found,
        }),
    }
}

/// The sum of so many terms: eight side by side, which are then added up.
pub(super) fn sum(terms: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    for start in (0..terms).step_by(sums.len()) {
        for (i, sum) in (start..terms).zip(&mut sums) {
            *sum += term(i);
        }
    }
    sums.iter().sum()
}
