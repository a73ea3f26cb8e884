//! An operation against a naive function in f64: its output, and its gradients by central differences.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use elision::autograd::{Tape, Var};
use elision::{Result, Tensor};

use crate::support::noise;

/// Half the distance of the two points of a difference, and how far a gradient may be off: sums of some products near 1,
/// in f32 on one side.
const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 2e-5;

/// The elements in f64.
pub(crate) fn wide(x: &Tensor) -> Vec<f64> {
    x.as_slice().iter().copied().map(f64::from).collect()
}

fn near(what: &str, found: &[f32], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{what}: length");
    for (i, (&found, &wanted)) in found.iter().zip(wanted).enumerate() {
        let off = (f64::from(found) - wanted).abs();
        let bound = TOLERANCE * wanted.abs().max(1.0);
        assert!(off <= bound, "{what}[{i}]: {found} instead of {wanted}");
    }
}

/// Compares `f` with the naive `g` at `inputs`, all of which are variables: the output, and the gradients of its product
/// with fixed numbers.
pub(crate) fn check_differences(
    what: &str,
    inputs: &[Tensor],
    f: impl Fn(&[Var]) -> Result<Var>,
    g: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) {
    let tape = Tape::new();
    let leaves: Vec<Var> = inputs.iter().map(|x| tape.variable(x.clone())).collect();
    let y = f(&leaves).unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut at: Vec<Vec<f64>> = inputs.iter().map(wide).collect();
    near(&format!("{what}: output"), y.value().as_slice(), &g(&at));
    let dy = noise(y.shape(), 77);
    let weights = wide(&dy);
    let found = y.backward_from(dy).unwrap();
    let loss = |at: &[Vec<f64>]| -> f64 { g(at).iter().zip(&weights).map(|(y, w)| y * w).sum() };
    for (i, leaf) in leaves.iter().enumerate() {
        let mut wanted = Vec::new();
        for j in 0..at[i].len() {
            let x = at[i][j];
            at[i][j] = x + STEP;
            let above = loss(&at);
            at[i][j] = x - STEP;
            let below = loss(&at);
            at[i][j] = x;
            wanted.push((above - below) / (2.0 * STEP));
        }
        let what = format!("{what}: gradient of input {i}");
        match found.of(leaf) {
            Some(gradient) => near(&what, gradient.to_tensor().unwrap().as_slice(), &wanted),
            None => assert!(wanted.iter().all(|&g| g.abs() < TOLERANCE), "{what}: none"),
        }
    }
}
