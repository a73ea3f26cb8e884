//! How good the probabilities of a classifier are, beyond the class that it names.

use elision::Tensor;
use elision::ops;
use serde::Serialize;

/// Scores over some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Quality {
    /// Rows.
    pub(crate) rows: usize,
    /// The part of the rows whose class has the largest probability.
    pub(crate) accuracy: f64,
    /// The mean of -ln p(class), in nats.
    pub(crate) nll: f64,
    /// The expected calibration error: the mean distance between the largest probability and the accuracy, over
    /// [`BINS`] equal bins of the former (Guo et al. 2017, <https://arxiv.org/abs/1706.04599>).
    pub(crate) ece: f64,
    /// The mean squared distance between the probabilities and the class as 0 and 1, summed over the classes
    /// (Brier 1950).
    pub(crate) brier: f64,
}

/// Bins of the calibration error, each open below and closed above.
const BINS: usize = 15;

/// Rows, their correct ones and the sum of their largest probabilities.
#[derive(Clone, Copy, Default)]
struct Bin {
    correct: f64,
    confidence: f64,
}

/// The probabilities that the outputs of a model stand for.
pub(crate) fn probabilities(outputs: &Tensor) -> elision::Result<Tensor> {
    ops::softmax(outputs, 1)
}

/// Scores probabilities `[rows, classes]`.
pub(crate) fn quality(probabilities: &Tensor, labels: &[u32]) -> Quality {
    let classes = probabilities.shape().last().copied().unwrap_or(1).max(1);
    let rows = probabilities.as_slice().chunks_exact(classes).zip(labels);
    let (mut bins, mut sum) = ([Bin::default(); BINS], Quality::default());
    for (row, &label) in rows {
        let best = largest(row);
        let (confidence, correct) = (
            f64::from(row[best]),
            f64::from(u8::from(best == label as usize)),
        );
        let bin = &mut bins[bin(confidence)];
        bin.confidence += confidence;
        bin.correct += correct;
        sum.rows += 1;
        sum.accuracy += correct;
        sum.nll -= row
            .get(label as usize)
            .map_or(f64::NAN, |&p| f64::from(p).ln());
        sum.brier += brier(row, label);
    }
    let n = sum.rows.max(1) as f64;
    let gaps = bins.iter().map(|bin| (bin.confidence - bin.correct).abs());
    Quality {
        rows: sum.rows,
        accuracy: sum.accuracy / n,
        nll: sum.nll / n,
        ece: gaps.sum::<f64>() / n,
        brier: sum.brier / n,
    }
}

/// The first largest.
pub(crate) fn largest(row: &[f32]) -> usize {
    (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

fn bin(confidence: f64) -> usize {
    let above = (confidence * BINS as f64).ceil() as usize;
    above.clamp(1, BINS) - 1
}

fn brier(row: &[f32], label: u32) -> f64 {
    let squares = row.iter().zip(0u32..).map(|(&p, class)| {
        let truth = f64::from(u8::from(class == label));
        (f64::from(p) - truth).powi(2)
    });
    squares.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_rows_that_can_be_counted() {
        let p =
            Tensor::from_slice(&[1.0, 0.0, 0.5, 0.5, 0.25, 0.75], &[3, 2]).expect("3 rows of 2");
        let score = quality(&p, &[0, 1, 0]);
        assert_eq!(score.rows, 3);
        assert!((score.accuracy - 1.0 / 3.0).abs() < 1e-12);
        let nll = (0.0 + 2f64.ln() + 4f64.ln()) / 3.0;
        assert!((score.nll - nll).abs() < 1e-12);
        assert!((score.brier - (0.0 + 0.5 + 2.0 * 0.5625) / 3.0).abs() < 1e-12);
        // Each row has a bin of its own: gaps of 0, 0.5 and 0.75.
        assert!((score.ece - 1.25 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn bins_are_open_below_and_closed_above() {
        assert_eq!([0.0, 0.01, 0.2, 0.21, 1.0].map(bin), [0, 0, 2, 3, 14]);
    }
}
