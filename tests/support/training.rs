//! A small task and a small network for tests of training.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use elision::nn::{Dropout, Layer, Linear, Sequential};
use elision::train::{Loss, Optimizer, OptimizerConfig, Rule, Samples, Targets, Trainer};
use elision::{Activation, Key, Tensor};

pub(crate) const CLASSES: Loss = Loss::CrossEntropy { smoothing: 0.0 };

/// Points of five coordinates around three centres, and the centre of each.
pub(crate) fn clusters(rows: usize) -> Samples {
    let key = Key::new(11);
    let noise = |i: u64| (key.fold_in(i).to_u128() >> 104) as f32 / 8_388_608.0 - 1.0;
    let labels: Vec<u32> = (0..rows as u32).map(|i| i % 3).collect();
    let data = (0..rows * 5).map(|i| {
        let centre = f32::from(u8::from(labels[i / 5] as usize == i % 5));
        2.0 * centre + 0.5 * noise(i as u64)
    });
    let x = Tensor::from_vec(data.collect(), &[rows, 5]).unwrap();
    Samples::new(x, Targets::Labels(labels)).unwrap()
}

/// Two hidden layers of `units` for the clusters, with dropout of them and half as much of the inputs.
pub(crate) fn mlp_of(units: usize, p: f64) -> Sequential {
    let key = Key::new(1);
    let layer = |name: &str, inputs, units, activation| {
        let layer = Linear::new(inputs, units, key.named(name)).unwrap();
        layer.activation(activation)
    };
    let (relu, gelu) = (Activation::Relu, Activation::GeluTanh);
    let first = layer("first", 5, units, relu);
    let second = layer("second", units, units, gelu);
    let output = layer("output", units, 3, Activation::Identity);
    Sequential::new()
        .with("input", Dropout::new(p / 2.0).unwrap())
        .and_then(|model| model.with("first", first.dropout(p)?))
        .and_then(|model| model.with("second", second.dropout(p)?))
        .and_then(|model| model.with("output", output))
        .unwrap()
}

pub(crate) fn mlp(p: f64) -> Sequential {
    mlp_of(24, p)
}

pub(crate) fn sgd(rate: f64) -> OptimizerConfig {
    OptimizerConfig::new(Rule::sgd(0.9), rate)
}

pub(crate) fn adam(rate: f64) -> OptimizerConfig {
    OptimizerConfig::new(Rule::adam(), rate)
}

pub(crate) fn trainer(p: f64, config: OptimizerConfig) -> Trainer<Sequential> {
    let optimizer = Optimizer::new(config).unwrap();
    Trainer::new(mlp(p), optimizer, CLASSES, Key::new(2))
}

/// The bits of all parameters.
pub(crate) fn weights(model: &dyn Layer) -> Vec<u32> {
    let all = model.named_parameters().into_iter();
    all.flat_map(|(_, own)| own.value().as_slice().iter().map(|w| w.to_bits()))
        .collect()
}
