//! Methods that drop weights or states, in f64, given which elements are kept.
//!
//! # Panics
//! This is a tool of tests: arrays that are too short panic.

/// The factor of a kept element: `1 / (1 - p)`, or 1 where nothing is kept.
fn scale(p: f64) -> f64 {
    if p == 1.0 { 1.0 } else { 1.0 / (1.0 - p) }
}

/// `x w^T` for `x` of `rows` rows of `inputs` numbers and one row of weights a unit.
#[must_use]
pub fn product(x: &[f64], w: &[f64], [rows, inputs, units]: [usize; 3]) -> Vec<f64> {
    let mut y = vec![0.0; rows * units];
    for row in 0..rows {
        for unit in 0..units {
            for input in 0..inputs {
                y[row * units + unit] += x[row * inputs + input] * w[unit * inputs + input];
            }
        }
    }
    y
}

/// Inverted dropout.
#[must_use]
pub fn dropout(x: &[f64], kept: &[bool], p: f64) -> Vec<f64> {
    let element = |i: usize| if kept[i] { x[i] * scale(p) } else { 0.0 };
    (0..x.len()).map(element).collect()
}

/// DropConnect (Wan et al. 2013), inverted, with one mask over the weights.
#[must_use]
pub fn drop_connect(x: &[f64], w: &[f64], kept: &[bool], p: f64, sizes: [usize; 3]) -> Vec<f64> {
    product(x, &dropout(w, kept, p), sizes)
}

/// Zoneout (Krueger et al. 2017): the new state where kept, the previous one elsewhere.
#[must_use]
pub fn zoneout(new: &[f64], previous: &[f64], kept: &[bool]) -> Vec<f64> {
    let element = |i: usize| if kept[i] { new[i] } else { previous[i] };
    (0..new.len()).map(element).collect()
}

/// Mixout (Lee et al. 2020) as the paper writes it, with p < 1: `(m w + (1 - m) u - p u) / (1 - p)`.
#[must_use]
pub fn mixout(w: &[f64], u: &[f64], kept: &[bool], p: f64) -> Vec<f64> {
    let chosen = |i: usize| if kept[i] { w[i] } else { u[i] };
    let element = |i: usize| (chosen(i) - p * u[i]) / (1.0 - p);
    (0..w.len()).map(element).collect()
}

/// Shakeout (Kang et al. 2016) with p < 1: `W (x m / q) + c sgn(W) (x (m / q - 1))`, with bits over the inputs.
#[must_use]
pub fn shakeout(
    x: &[f64],
    w: &[f64],
    kept: &[bool],
    [p, c]: [f64; 2],
    sizes: [usize; 3],
) -> Vec<f64> {
    let y = product(&dropout(x, kept, p), w, sizes);
    let sign = |w: &f64| if *w == 0.0 { 0.0 } else { w.signum() };
    let signs: Vec<f64> = w.iter().map(sign).collect();
    let factor = |i: usize| if kept[i] { scale(p) - 1.0 } else { -1.0 };
    let rest: Vec<f64> = (0..x.len()).map(|i| x[i] * factor(i)).collect();
    let rest = product(&rest, &signs, sizes).into_iter();
    y.into_iter()
        .zip(rest)
        .map(|(y, rest)| y + c * rest)
        .collect()
}
