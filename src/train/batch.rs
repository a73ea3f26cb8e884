//! What a step or an evaluation saw.

use super::loss::Known;
use crate::tensor::View;

/// What a step or an evaluation saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Batch {
    /// The mean loss.
    pub loss: f64,
    /// Rows whose largest output is the label's; 0 if the targets are no labels.
    pub correct: usize,
    /// Rows.
    pub rows: usize,
}

impl Batch {
    /// The share of rows that are correct; 0 of none.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.rows.max(1) as f64
    }

    /// Both together: the loss is the mean over all rows.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rows = self.rows + other.rows;
        let sum = self.loss * self.rows as f64 + other.loss * other.rows as f64;
        Self {
            loss: sum / rows.max(1) as f64,
            correct: self.correct + other.correct,
            rows,
        }
    }

    /// What the rows of `output` with a mean loss say.
    pub(super) fn of(loss: f32, output: View<'_>, target: &Known<'_>) -> Self {
        let correct = match target {
            Known::Labels(labels) => count_correct(output, labels),
            Known::Values(_) => 0,
        };
        Self {
            loss: loss.into(),
            correct,
            rows: output.shape().first().copied().unwrap_or(0),
        }
    }
}

/// Rows whose first largest output is the label's.
fn count_correct(output: View<'_>, labels: &[u32]) -> usize {
    let classes = output.shape().last().copied().unwrap_or(1).max(1);
    let rows = output.data().chunks_exact(classes).zip(labels);
    rows.filter(|(row, label)| argmax(row) == **label as usize)
        .count()
}

fn argmax(row: &[f32]) -> usize {
    (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}
