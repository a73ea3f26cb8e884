//! The cases of optimisers, clipping and schedules, by their formulas in f64.

use std::f64::consts::PI;

use crate::golden::{Case, REFERENCE, assert_near};

/// Runs the steps of an optimiser: `step` gets a parameter's number and value, its gradient and the number of
/// the step (from 1), and returns the new value.
fn optimise(case: &Case, mut step: impl FnMut(usize, f64, f64, i32) -> f64) {
    let (mut w, g) = (case.array("w").data, case.array("g").data);
    let (n, mut after) = (w.len(), Vec::new());
    for (g, t) in g.chunks(n).zip(1..) {
        for i in 0..n {
            w[i] = step(i, w[i], g[i], t);
        }
        after.extend_from_slice(&w);
    }
    assert_near(case, "w_after", &after, REFERENCE);
}

pub(crate) fn sgd(case: &Case) {
    let [rate, momentum, decay] = ["lr", "momentum", "weight_decay"].map(|name| case.number(name));
    let nesterov = case.number("nesterov") == 1.0;
    let mut velocity = case.array("w").map(|_| 0.0).data;
    optimise(case, |i, w, g, _| {
        let g = g + decay * w;
        velocity[i] = momentum * velocity[i] + g;
        let ahead = g + momentum * velocity[i];
        w - rate * if nesterov { ahead } else { velocity[i] }
    });
}

pub(crate) fn adam(case: &Case) {
    let decay = case.number("weight_decay");
    adam_steps(case, |w, g| (w, g + decay * w));
}

pub(crate) fn adamw(case: &Case) {
    let shrink = 1.0 - case.number("lr") * case.number("weight_decay");
    adam_steps(case, |w, g| (w * shrink, g));
}

/// Steps of Adam, after `decay` has changed parameter and gradient.
fn adam_steps(case: &Case, decay: impl Fn(f64, f64) -> (f64, f64)) {
    let [rate, beta1, beta2, eps] = ["lr", "beta1", "beta2", "eps"].map(|name| case.number(name));
    let mut mean = case.array("w").map(|_| 0.0).data;
    let mut square = mean.clone();
    optimise(case, |i, w, g, t| {
        let (w, g) = decay(w, g);
        mean[i] = beta1 * mean[i] + (1.0 - beta1) * g;
        square[i] = beta2 * square[i] + (1.0 - beta2) * g * g;
        let mean = mean[i] / (1.0 - beta1.powi(t));
        let square = square[i] / (1.0 - beta2.powi(t));
        w - rate * mean / (square.sqrt() + eps)
    });
}

pub(crate) fn clip_grad_norm(case: &Case) {
    let grads = ["a", "b"].map(|name| case.array(name));
    let squares = grads.iter().flat_map(|g| &g.data).map(|g| g * g);
    let norm = squares.sum::<f64>().sqrt();
    assert_near(case, "norm", &[norm], REFERENCE);
    let factor = (case.number("max_norm") / (norm + 1e-6)).min(1.0);
    for (g, clipped) in grads.iter().zip(["a_clipped", "b_clipped"]) {
        assert_near(case, clipped, &g.map(|g| g * factor).data, REFERENCE);
    }
}

/// Compares the rates of the first steps, counted from 0.
fn rates(case: &Case, rate: impl Fn(f64) -> f64) {
    let steps = case.tensor("rates").len() as u32;
    let found: Vec<f64> = (0..steps).map(f64::from).map(rate).collect();
    assert_near(case, "rates", &found, REFERENCE);
}

/// From `start` to `end` along half a cosine.
fn cosine(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) * (1.0 + (PI * part).cos()) / 2.0
}

pub(crate) fn step_lr(case: &Case) {
    let [rate, size, gamma] = ["lr", "step_size", "gamma"].map(|name| case.number(name));
    rates(case, |t| rate * gamma.powf((t / size).floor()));
}

pub(crate) fn cosine_annealing_lr(case: &Case) {
    let [rate, length, least] = ["lr", "T_max", "eta_min"].map(|name| case.number(name));
    rates(case, |t| cosine(rate, least, t / length));
}

pub(crate) fn one_cycle_lr(case: &Case) {
    let [most, steps, up] = ["max_lr", "total_steps", "pct_start"].map(|name| case.number(name));
    let first = most / case.number("div_factor");
    let last = first / case.number("final_div_factor");
    let top = up * steps - 1.0;
    rates(case, |t| match t <= top {
        true => cosine(first, most, t / top),
        false => cosine(most, last, (t - top) / (steps - 1.0 - top)),
    });
}

pub(crate) fn warm_up(case: &Case) {
    let [rate, start, length] = ["lr", "start_factor", "total_iters"].map(|name| case.number(name));
    rates(case, |t| {
        rate * (start + (1.0 - start) * (t / length).min(1.0))
    });
}
