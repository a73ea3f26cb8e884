//! Normalisation in f64, of matrices whose rows of `n` elements lie one after the other.

/// `(x - mean) / sqrt(variance + eps)` of one sequence, with the biased variance.
fn standardise(x: &[f64], eps: f64) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let root = (variance + eps).sqrt();
    x.iter().map(|x| (x - mean) / root).collect()
}

/// Times the weight of the column, plus its bias.
fn scale_and_shift(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let columns = weight.iter().zip(bias).cycle();
    let pairs = x.iter().zip(columns);
    pairs.map(|(x, (weight, bias))| x * weight + bias).collect()
}

/// Each row standardised.
#[must_use]
pub fn layer_norm(x: &[f64], weight: &[f64], bias: &[f64], eps: f64) -> Vec<f64> {
    let rows = x.chunks(weight.len());
    let y: Vec<f64> = rows.flat_map(|row| standardise(row, eps)).collect();
    scale_and_shift(&y, weight, bias)
}

/// Each row divided by its root mean square.
#[must_use]
pub fn rms_norm(x: &[f64], weight: &[f64], eps: f64) -> Vec<f64> {
    let n = weight.len();
    let y = x.chunks(n).flat_map(|row| {
        let square = row.iter().map(|x| x * x).sum::<f64>() / n as f64;
        row.iter().map(move |x| x / (square + eps).sqrt())
    });
    scale_and_shift(&y.collect::<Vec<_>>(), weight, &vec![0.0; n])
}

/// Each column standardised.
#[must_use]
pub fn batch_norm(x: &[f64], weight: &[f64], bias: &[f64], eps: f64) -> Vec<f64> {
    let n = weight.len();
    let mut y = vec![0.0; x.len()];
    for column in 0..n {
        let values: Vec<f64> = x.iter().skip(column).step_by(n).copied().collect();
        let slots = y.iter_mut().skip(column).step_by(n);
        for (slot, value) in slots.zip(standardise(&values, eps)) {
            *slot = value;
        }
    }
    scale_and_shift(&y, weight, bias)
}
