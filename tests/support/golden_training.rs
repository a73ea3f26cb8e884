//! The cases of optimisers, clipping and schedules, by the optimiser that trains.

use elision::autograd::{Gradients, Tape};
use elision::nn::{Layer, Linear, Sequential};
use elision::train::{Optimizer, OptimizerConfig, Rule, Schedule};
use elision::{Tensor, ops};

use crate::golden::{Case, OPERATION, REFERENCE, assert_near};
use crate::support::key;

/// A layer whose only parameter is a matrix of these elements: biases do not decay, and weights do.
fn weights(elements: &Tensor) -> Linear {
    let shape = match *elements.shape() {
        [units, inputs] => [units, inputs],
        _ => [1, elements.len()],
    };
    let mut layer = Linear::new(shape[1], shape[0], key(1, &[])).unwrap();
    layer = layer.without_bias();
    let value = Tensor::from_slice(elements.as_slice(), &shape).unwrap();
    layer.parameters_mut()[0].1.set(value).unwrap();
    layer
}

/// Gradients of a layer's weights with these elements: those of a sum of products with them.
fn gradients(layer: &Linear, g: &[f32], into: &mut Gradients) {
    let (_, own) = layer.parameters()[0];
    let tape = Tape::new();
    let w = tape.parameter(own).unwrap();
    let g = tape.constant(Tensor::from_slice(g, w.shape()).unwrap());
    let sum = w.mul(&g).unwrap().sum().unwrap();
    sum.backward_into(into).unwrap();
}

/// Runs the steps of an optimiser on one parameter.
fn optimise(case: &Case, rule: Rule) {
    let mut optimizer = Optimizer::new(OptimizerConfig {
        weight_decay: case.param("weight_decay"),
        ..OptimizerConfig::new(rule, case.number("lr"))
    })
    .unwrap();
    let mut layer = weights(&case.tensor("w"));
    let mut after = Vec::new();
    for g in case.tensor("g").as_slice().chunks(case.tensor("w").len()) {
        let mut found = Gradients::default();
        gradients(&layer, g, &mut found);
        optimizer.step(&mut layer, &mut found).unwrap();
        after.extend_from_slice(layer.parameters()[0].1.value().as_slice());
    }
    assert_near(case, "w_after", &after, OPERATION);
}

pub(crate) fn sgd(case: &Case) {
    let (momentum, nesterov) = (case.param("momentum"), case.number("nesterov") == 1.0);
    optimise(case, Rule::Sgd { momentum, nesterov });
}

pub(crate) fn adam(case: &Case) {
    optimise(case, adam_rule(case, false));
}

pub(crate) fn adamw(case: &Case) {
    optimise(case, adam_rule(case, true));
}

fn adam_rule(case: &Case, decoupled: bool) -> Rule {
    let [beta1, beta2, epsilon] = ["beta1", "beta2", "eps"].map(|name| case.param(name));
    Rule::Adam {
        beta1,
        beta2,
        epsilon,
        decoupled,
    }
}

/// From zeros, a step of rate 1 takes the weights to the clipped gradients with the other sign.
pub(crate) fn clip_grad_norm(case: &Case) {
    let squares = ["a", "b"].map(|name| ops::squared_norm(&case.tensor(name)).unwrap());
    let norm = (squares[0] + squares[1]).sqrt();
    assert_near(case, "norm", &[norm], OPERATION);

    let mut found = Gradients::default();
    let [a, b] = ["a", "b"].map(|name| {
        let g = case.tensor(name);
        let layer = weights(&Tensor::zeros(g.shape()).unwrap());
        gradients(&layer, g.as_slice(), &mut found);
        layer
    });
    let model = Sequential::new().with("a", a);
    let mut model = model.and_then(|model| model.with("b", b)).unwrap();
    let mut optimizer = Optimizer::new(OptimizerConfig {
        clip_norm: Some(case.param("max_norm")),
        ..OptimizerConfig::new(Rule::sgd(0.0), 1.0)
    })
    .unwrap();
    optimizer.step(&mut model, &mut found).unwrap();
    for ((_, own), name) in model
        .named_parameters()
        .into_iter()
        .zip(["a_clipped", "b_clipped"])
    {
        let clipped: Vec<f32> = own.value().as_slice().iter().map(|w| -w).collect();
        assert_near(case, name, &clipped, OPERATION);
    }
}

/// Compares the rates of the first steps.
fn rates(case: &Case, rate: f64, schedule: &Schedule) {
    let steps = case.tensor("rates").len() as u64;
    let found: Vec<f64> = (0..steps).map(|t| rate * schedule.factor(t)).collect();
    assert_near(case, "rates", &found, REFERENCE);
}

pub(crate) fn step_lr(case: &Case) {
    let schedule = Schedule::step(case.param("step_size"), case.number("gamma"));
    rates(case, case.number("lr"), &schedule.unwrap());
}

pub(crate) fn cosine_annealing_lr(case: &Case) {
    let (rate, least) = (case.number("lr"), case.number("eta_min"));
    let schedule = Schedule::cosine(case.param("T_max"), least / rate);
    rates(case, rate, &schedule.unwrap());
}

pub(crate) fn one_cycle_lr(case: &Case) {
    let [up, start, end] =
        ["pct_start", "div_factor", "final_div_factor"].map(|name| case.number(name));
    let schedule = Schedule::one_cycle_with(case.param("total_steps"), up, start, end);
    rates(case, case.number("max_lr"), &schedule.unwrap());
}

/// A warm-up here begins at one step's share of the rate, so that a line from a tenth to the whole in four steps
/// is none of its cases; both are lines that end at the whole and stay there.
pub(crate) fn warm_up(case: &Case) {
    let (rate, found) = (case.number("lr"), case.tensor("rates"));
    let length: usize = case.param("total_iters");
    let schedule = Schedule::warm_up(length as u64, Schedule::Constant).unwrap();
    let share = |t: usize| f64::from(found.as_slice()[t]) / rate;
    let (start, whole) = (case.number("start_factor"), 1.0);
    for t in 0..length {
        // The share of the way from the start to the whole, which here is that from zero a step earlier.
        let way = (share(t + 1) - start) / (whole - start);
        assert!((schedule.factor(t as u64) - way).abs() < 1e-6, "{t}: {way}");
    }
    for t in length..found.len() {
        assert!((schedule.factor(t as u64) - share(t)).abs() < 1e-6, "{t}");
    }
}
