//! Softmax in f64, a row at a time.

/// e^(x - max) / sum; NaN throughout where that is undefined.
#[must_use]
pub fn softmax(row: &[f32]) -> Vec<f64> {
    log_softmax(row).into_iter().map(f64::exp).collect()
}

/// x - max - ln(sum of e^(x - max)).
#[must_use]
pub fn log_softmax(row: &[f32]) -> Vec<f64> {
    let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let ln_sum = row.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
    row.iter().map(|x| x - max - ln_sum).collect()
}

/// The mean over the rows of `-log_softmax(row)[label]`.
#[must_use]
pub fn cross_entropy(logits: &[f32], classes: usize, labels: &[u32]) -> f64 {
    let losses = logits
        .chunks(classes)
        .zip(labels)
        .map(|(row, &label)| -log_softmax(row)[label as usize]);
    losses.sum::<f64>() / labels.len() as f64
}

/// R-Drop's loss in f64: the mean over 2 B rows of their cross-entropies, and `alpha` times the mean over B of
/// (KL(P, Q) + KL(Q, P)) / 2, for the distributions P of row i and Q of row B + i.
#[must_use]
pub fn r_drop(logits: &[f64], classes: usize, labels: &[u32], alpha: f64) -> f64 {
    let ln_softmax = |row: &[f64]| -> Vec<f64> {
        let ln_sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
        row.iter().map(|x| x - ln_sum).collect()
    };
    let rows: Vec<Vec<f64>> = logits.chunks(classes).map(ln_softmax).collect();
    let (first, second) = rows.split_at(labels.len());
    let mut sum = 0.0;
    for (i, &label) in labels.iter().enumerate() {
        let (p, q) = (&first[i], &second[i]);
        sum -= 0.5 * (p[label as usize] + q[label as usize]);
        for c in 0..classes {
            sum += alpha * 0.5 * p[c].exp() * (p[c] - q[c]);
            sum += alpha * 0.5 * q[c].exp() * (q[c] - p[c]);
        }
    }
    sum / labels.len() as f64
}
