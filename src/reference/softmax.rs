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
