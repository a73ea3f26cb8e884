//! The same computation on the differentiable tape and on the naive one in f64.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use elision::autograd::{Tape, Var};
use elision::reference::tape as naive;
use elision::{Result, Tensor};

use crate::support::{bits, noise};

/// How far a number may be from the naive tape's, in units of max(1, the naive number's size).
///
/// Sums here have at most some 50 terms of size 1 or so; the largest distance that was ever seen is 2e-6.
pub(crate) const TOLERANCE: f64 = 1e-5;

/// The elements in f64.
pub(crate) fn array(x: &Tensor) -> naive::Array {
    let elements = x.as_slice().iter().copied().map(f64::from);
    naive::Array::new(elements.collect(), x.shape())
}

/// Numbers from 0.5 to 1.5.
pub(crate) fn positive(shape: &[usize], seed: u64) -> Tensor {
    let elements = noise(shape, seed).into_vec().into_iter();
    Tensor::from_vec(elements.map(|x| 1.0 + 0.5 * x).collect(), shape).unwrap()
}

/// Output and gradients of one run, `None` for a constant.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) y: Tensor,
    pub(crate) gradients: Vec<Option<Tensor>>,
}

impl Run {
    /// All bits, for comparisons that tell NaN from NaN and -0.0 from 0.0.
    pub(crate) fn bits(&self) -> (Vec<u32>, Vec<Option<Vec<u32>>>) {
        let of = |x: &Tensor| bits(x.as_slice());
        let gradients = self.gradients.iter().map(|g| g.as_ref().map(of));
        (of(&self.y), gradients.collect())
    }
}

/// Runs `f` on `tape`, with the inputs that `trained` says as variables and all others as constants.
pub(crate) fn run(
    tape: &Tape,
    inputs: &[Tensor],
    trained: impl Fn(usize) -> bool,
    f: impl Fn(&[Var]) -> Result<Var>,
) -> Result<Run> {
    let leaf = |(i, x): (usize, &Tensor)| match trained(i) {
        true => tape.variable(x.clone()),
        false => tape.constant(x.clone()),
    };
    let leaves: Vec<Var> = inputs.iter().enumerate().map(leaf).collect();
    let y = f(&leaves)?;
    let dy = noise(y.shape(), 77);
    let found = y.backward_from(dy)?;
    let gradients = leaves.iter().map(|leaf| {
        let gradient = found.of(leaf).map(|g| g.to_tensor());
        gradient.transpose()
    });
    Ok(Run {
        y: y.to_tensor()?,
        gradients: gradients.collect::<Result<_>>()?,
    })
}

/// The same on the naive tape.
pub(crate) fn naive_run(
    inputs: &[Tensor],
    f: impl Fn(&mut naive::Tape, &[naive::Value]) -> naive::Value,
) -> (naive::Array, Vec<Option<naive::Array>>) {
    let mut tape = naive::Tape::default();
    let leaves: Vec<_> = inputs.iter().map(|x| tape.leaf(array(x))).collect();
    let y = f(&mut tape, &leaves);
    let dy = noise(&tape.value(y).shape.clone(), 77);
    let dy = tape.leaf(array(&dy));
    let products = tape.mul(y, dy);
    let loss = tape.sum(products, None);
    let mut gradients = tape.backward(loss);
    let of_leaves = leaves.iter().map(|leaf| gradients[leaf.index()].take());
    (tape.value(y).clone(), of_leaves.collect())
}

/// Fails on the first element that is too far off, measured by `unit` at least.
pub(crate) fn assert_near(what: &str, found: &Tensor, expected: &naive::Array, unit: f64) {
    assert_eq!(found.shape(), expected.shape, "{what}: the shape");
    for (i, (&x, &want)) in found.as_slice().iter().zip(&expected.data).enumerate() {
        let off = (f64::from(x) - want).abs() / want.abs().max(unit);
        assert!(off <= TOLERANCE, "{what}[{i}]: {x} instead of {want}");
    }
}

/// Compares an operation with its naive twin: output and all gradients. Then what must not change a bit: memory
/// that was used before, masks that are recomputed, inputs that are constants, a tape that notes nothing.
pub(crate) fn check(
    what: &str,
    inputs: &[Tensor],
    f: impl Fn(&[Var]) -> Result<Var>,
    g: impl Fn(&mut naive::Tape, &[naive::Value]) -> naive::Value,
) {
    let tape = Tape::new();
    let first = run(&tape, inputs, |_| true, &f).unwrap_or_else(|e| panic!("{what}: {e}"));
    let (y, gradients) = naive_run(inputs, g);
    assert_near(&format!("{what}: output"), &first.y, &y, 1.0);
    for (i, (found, expected)) in first.gradients.iter().zip(&gradients).enumerate() {
        let what = format!("{what}: gradient of input {i}");
        match (found, expected) {
            (Some(found), Some(expected)) => assert_near(&what, found, expected, 1.0),
            (found, expected) => panic!("{what}: {found:?} instead of {expected:?}"),
        }
    }
    let want = first.bits();
    let again = run(&tape, inputs, |_| true, &f).unwrap();
    assert_eq!(again.bits(), want, "{what}: on used memory");
    tape.set_recomputing(true);
    let recomputed = run(&tape, inputs, |_| true, &f).unwrap();
    assert_eq!(recomputed.bits(), want, "{what}: recomputing");
    for alone in 0..inputs.len() {
        let mut want = first.bits();
        let others = want.1.iter_mut().enumerate().filter(|(i, _)| *i != alone);
        others.for_each(|(_, gradient)| *gradient = None);
        let found = run(&tape, inputs, |i| i == alone, &f).unwrap();
        assert_eq!(found.bits(), want, "{what}: input {alone} alone");
    }
    assert_eq!(tape.live_bytes(), 0, "{what}: memory in use");
    let constants: Vec<_> = inputs.iter().map(|x| tape.variable(x.clone())).collect();
    let y = tape.no_grad(|| f(&constants)).unwrap();
    assert_eq!(tape.notes().len(), inputs.len(), "{what}: notes");
    assert_eq!(bits(y.value().as_slice()), want.0, "{what}: without notes");
}
