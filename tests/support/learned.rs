//! Layers with a penalty, differentiated by the tape and by differences.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use elision::autograd::{Gradients, Parameter, Tape};
use elision::nn::{Layer, Pass};
use elision::{Key, Tensor, ops};

use crate::support::{noise, on_every_isa};

/// Output, penalty and gradients of a layer, for the loss `sum(y dy) + penalty` with dy of [`weights_of`].
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) y: Vec<f64>,
    pub(crate) penalty: f64,
    /// Of the input, then of each parameter.
    pub(crate) gradients: Vec<Vec<f64>>,
}

pub(crate) fn f64s(x: &[f32]) -> Vec<f64> {
    x.iter().copied().map(f64::from).collect()
}

/// The gradient that comes from above.
pub(crate) fn weights_of(shape: &[usize]) -> Tensor {
    noise(shape, 77)
}

pub(crate) fn run(layer: &dyn Layer, x: &Tensor, pass: &Pass) -> Found {
    let tape = Tape::new();
    let x = tape.variable(x.clone());
    let y = layer.forward(&x, pass).unwrap();
    let dy = tape.constant(weights_of(y.shape()));
    let mut loss = y.mul(&dy).unwrap().sum().unwrap();
    let mut penalty = 0.0;
    for own in pass.take_penalties() {
        penalty += f64::from(own.item().unwrap());
        loss = loss.add(&own).unwrap();
    }
    let all = loss.backward().unwrap();
    let mut gradients = vec![f64s(all.of(&x).unwrap().data())];
    gradients.extend(
        layer
            .named_parameters()
            .iter()
            .map(|(_, own)| of(&all, own)),
    );
    Found {
        y: f64s(y.value().as_slice()),
        penalty,
        gradients,
    }
}

/// A parameter's gradient, zeros if none reached it.
fn of(all: &Gradients, own: &Parameter) -> Vec<f64> {
    match all.get(own) {
        Some(gradient) => f64s(gradient.data()),
        None => vec![0.0; own.value().len()],
    }
}

/// What a layer is a function of: the input, then each parameter.
pub(crate) fn arguments(layer: &dyn Layer, x: &Tensor) -> Vec<Vec<f64>> {
    let own = layer.named_parameters().into_iter();
    let own = own.map(|(_, own)| f64s(own.value().as_slice()));
    std::iter::once(f64s(x.as_slice())).chain(own).collect()
}

/// The gradients of `f` by central differences of fourth order.
pub(crate) fn differences(at: &[Vec<f64>], f: impl Fn(&[Vec<f64>]) -> f64) -> Vec<Vec<f64>> {
    let h = 1e-4;
    let moved = |i: usize, j: usize, steps: f64| {
        let mut at = at.to_vec();
        at[i][j] += steps * h;
        f(&at)
    };
    let slope = |i: usize, j: usize| {
        let near = moved(i, j, 1.0) - moved(i, j, -1.0);
        let far = moved(i, j, 2.0) - moved(i, j, -2.0);
        (8.0 * near - far) / (12.0 * h)
    };
    let each = (0..at.len()).map(|i| (0..at[i].len()).map(|j| slope(i, j)).collect());
    each.collect()
}

/// `sum(y dy)`.
pub(crate) fn weighted(y: &[f64], shape: &[usize]) -> f64 {
    let dy = weights_of(shape);
    let pairs = y.iter().zip(dy.as_slice());
    pairs.map(|(y, dy)| y * f64::from(*dy)).sum()
}

/// `x w^T + bias`, rows of `w.len() / bias.len()` inputs.
pub(crate) fn linear(x: &[f64], w: &[f64], bias: &[f64]) -> Vec<f64> {
    let inputs = w.len() / bias.len();
    let unit = |x: &[f64], w: &[f64], b: &f64| x.iter().zip(w).fold(*b, |sum, (x, w)| sum + x * w);
    let row = |x: &[f64]| -> Vec<f64> {
        let units = w.chunks(inputs).zip(bias);
        units.map(|(w, b)| unit(x, w, b)).collect()
    };
    x.chunks(inputs).flat_map(row).collect()
}

#[track_caller]
pub(crate) fn assert_close(what: &str, found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let off = (found - wanted).abs() / wanted.abs().max(1.0);
        assert!(
            off <= tolerance,
            "{what}, element {i}: {found} is not {wanted}"
        );
    }
}

#[track_caller]
pub(crate) fn assert_all_close(found: &[Vec<f64>], wanted: &[Vec<f64>], tolerance: f64) {
    assert_eq!(found.len(), wanted.len());
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert_close(&format!("gradient {i}"), found, wanted, tolerance);
    }
}

/// The standard normal numbers that a layer of that key draws.
pub(crate) fn normals(shape: &[usize], key: Key) -> Vec<f64> {
    f64s(ops::normal(key, shape).unwrap().as_slice())
}

/// The uniform numbers that a layer of that key draws.
pub(crate) fn uniforms(len: usize, key: Key) -> Vec<f64> {
    f64s(ops::uniform(key, &[len]).unwrap().as_slice())
}

/// Puts other numbers into a parameter of the layer.
pub(crate) fn set(layer: &mut dyn Layer, name: &str, value: Tensor) {
    let mut all = layer.parameters_mut().into_iter();
    let own = all.find(|(own, _)| *own == name);
    own.expect("a parameter of the name").1.set(value).unwrap();
}

pub(crate) fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

pub(crate) fn variance(x: &[f64]) -> f64 {
    let centre = mean(x);
    x.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / x.len() as f64
}

/// Asserts that output, penalty and gradients of a layer are those of `naive`, a function of the input and the
/// parameters, on every instruction set, within these tolerances.
pub(crate) fn assert_is(
    what: &str,
    (layer, x): (&dyn Layer, &Tensor),
    pass: impl Fn() -> Pass,
    naive: impl Fn(&[Vec<f64>]) -> (Vec<f64>, f64),
    [output, penalty, gradients]: [f64; 3],
) {
    let at = arguments(layer, x);
    let (y, regulariser) = naive(&at);
    let rows = x.shape()[0];
    let shape = [rows, y.len() / rows];
    let wanted = differences(&at, |at| {
        let (y, regulariser) = naive(at);
        weighted(&y, &shape) + regulariser
    });
    on_every_isa(what, |_| {
        let found = run(layer, x, &pass());
        assert_close("output", &found.y, &y, output);
        assert_close("penalty", &[found.penalty], &[regulariser], penalty);
        assert_all_close(&found.gradients, &wanted, gradients);
    });
}
