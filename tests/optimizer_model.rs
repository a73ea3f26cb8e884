//! The optimiser on a model: what it changes, by which rule, and how far.

mod support;
#[path = "support/training.rs"]
mod training;

use elision::autograd::{Gradients, Parameter, Tape};
use elision::nn::{Layer, Linear, Pass, Sequential};
use elision::ops::{self, AdamParameters, SgdParameters};
use elision::train::{Optimizer, OptimizerConfig, Rule, Schedule};
use elision::{Error, Key, Tensor};
use support::bits;
use training::{adam, clusters, mlp, sgd, trainer, weights};

/// A layer and the gradients of a sum of its outputs.
fn layer() -> (Linear, Gradients) {
    let model = Linear::new(5, 4, Key::new(1)).unwrap();
    let x = Tape::new().constant(clusters(7).x().clone());
    let y = model.forward(&x, &Pass::eval()).unwrap();
    let gradients = y.mul(&y).unwrap().sum().unwrap().backward().unwrap();
    (model, gradients)
}

fn stepped(config: &OptimizerConfig, steps: usize) -> Linear {
    let (mut model, mut gradients) = layer();
    let mut optimizer = Optimizer::new(config.clone()).unwrap();
    for _ in 0..steps {
        optimizer.step(&mut model, &mut gradients).unwrap();
    }
    model
}

fn values(parameter: &Parameter) -> &[f32] {
    parameter.value().as_slice()
}

#[test]
fn steps_are_those_of_the_operations_and_biases_do_not_decay() {
    let rules = [
        Rule::Sgd {
            momentum: 0.9,
            nesterov: true,
        },
        Rule::adam(),
        Rule::adamw(),
    ];
    for rule in rules {
        let config = OptimizerConfig {
            weight_decay: 0.1,
            l1: 0.01,
            ..OptimizerConfig::new(rule, 0.05)
        };
        let found = stepped(&config, 3);
        let (model, gradients) = layer();
        for ((name, before), (_, after)) in model.parameters().into_iter().zip(found.parameters()) {
            let g = gradients.get(before).unwrap();
            let mut w = values(before).to_vec();
            let mut means = [vec![0.0; w.len()], vec![0.0; w.len()]];
            let decays = f32::from(u8::from(name == "weight"));
            for t in 1..=3 {
                by_hand(&config, decays, &mut w, &mut means, g.data(), t);
            }
            assert_eq!(bits(&w), bits(values(after)), "{config}: {name}");
        }
    }
}

fn by_hand(
    config: &OptimizerConfig,
    decays: f32,
    w: &mut [f32],
    [first, second]: &mut [Vec<f32>; 2],
    g: &[f32],
    t: u64,
) {
    let (learning_rate, weight_decay) = (0.05, decays * config.weight_decay);
    let l1 = decays * config.l1;
    match config.rule {
        Rule::Sgd { momentum, nesterov } => {
            let parameters = SgdParameters {
                learning_rate,
                momentum,
                nesterov,
                weight_decay,
                l1,
            };
            ops::sgd_step(w, first, g, &parameters).unwrap();
        }
        Rule::Adam {
            beta1,
            beta2,
            epsilon,
            decoupled,
        } => {
            let parameters = AdamParameters {
                learning_rate,
                beta1,
                beta2,
                epsilon,
                weight_decay,
                decoupled,
                l1,
            };
            ops::adam_step(w, [first, second], g, &parameters, t).unwrap();
        }
    }
}

/// How far plain steps of rate 1 go, as one vector.
fn way(config: OptimizerConfig) -> Vec<f32> {
    let (before, after) = (layer().0, stepped(&config, 1));
    let pairs = before.parameters().into_iter().zip(after.parameters());
    pairs
        .flat_map(|((_, a), (_, b))| {
            values(a)
                .iter()
                .zip(values(b))
                .map(|(a, b)| a - b)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn norm(x: &[f32]) -> f64 {
    x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn gradients_are_clipped_by_their_norm_together_and_one_by_one() {
    let plain = OptimizerConfig::new(Rule::sgd(0.0), 1.0);
    let whole = way(plain.clone());
    assert!(norm(&whole) > 1.0);
    let clip_norm = Some(0.5);
    let short = way(OptimizerConfig {
        clip_norm,
        ..plain.clone()
    });
    assert!((norm(&short) - 0.5).abs() < 1e-5);
    let factor = 0.5 / norm(&whole);
    for (short, whole) in short.iter().zip(&whole) {
        assert!((f64::from(*short) - factor * f64::from(*whole)).abs() < 1e-6);
    }
    let clip_norm = Some(1e6);
    assert_eq!(
        way(OptimizerConfig {
            clip_norm,
            ..plain.clone()
        }),
        whole
    );
    let clip_value = Some(0.25);
    let flat = way(OptimizerConfig {
        clip_value,
        ..plain
    });
    for (flat, whole) in flat.iter().zip(&whole) {
        assert!((flat - whole.clamp(-0.25, 0.25)).abs() < 1e-6);
    }
}

#[test]
fn rows_of_weights_stay_short() {
    let max_norm = Some(0.5);
    let samples = clusters(60);
    let mut trainer = trainer(
        0.2,
        OptimizerConfig {
            max_norm,
            ..sgd(0.1)
        },
    );
    for _ in 0..20 {
        trainer.step(samples.x(), &samples.target()).unwrap();
    }
    let all = trainer.model().named_parameters();
    let longest = |own: &Parameter| {
        let rows = values(own).chunks(own.value().shape()[1]);
        rows.map(norm).fold(0.0, f64::max)
    };
    let weights = all.iter().filter(|(_, own)| own.value().rank() == 2);
    for (path, own) in weights {
        assert!(longest(own) < 0.500_01, "{path}: {}", longest(own));
    }
}

#[test]
fn the_schedule_is_followed() {
    let schedule = Schedule::step(2, 0.5).unwrap();
    let config = OptimizerConfig {
        schedule,
        ..OptimizerConfig::new(Rule::sgd(0.0), 1.0)
    };
    let (mut model, mut gradients) = layer();
    let mut optimizer = Optimizer::new(config).unwrap();
    let mut bias = values(model.parameters()[1].1)[0];
    let slope = gradients.get(model.parameters()[1].1).unwrap().data()[0];
    for (step, rate) in (0..).zip([1.0_f32, 1.0, 0.5, 0.5, 0.25]) {
        assert_eq!(
            (optimizer.steps(), optimizer.learning_rate()),
            (step, rate.into())
        );
        optimizer.step(&mut model, &mut gradients).unwrap();
        bias -= rate * slope;
        assert_eq!(values(model.parameters()[1].1)[0], bias);
    }
}

#[test]
fn a_parameter_without_gradient_is_left_alone() {
    let (mut model, _) = layer();
    let before = weights(&model);
    let config = OptimizerConfig {
        weight_decay: 0.5,
        ..adam(0.1)
    };
    let mut optimizer = Optimizer::new(config).unwrap();
    optimizer
        .step(&mut model, &mut Gradients::default())
        .unwrap();
    assert_eq!((weights(&model), optimizer.steps()), (before, 1));
}

#[test]
fn a_parameter_that_thaws_begins_as_a_fresh_one() {
    // The first step of Adam is the learning rate, whenever it comes.
    let samples = clusters(60);
    let mut trainer = trainer(0.0, adam(0.01));
    let freeze = |trainer: &mut elision::train::Trainer<_>, frozen: bool| {
        let model: &mut elision::nn::Sequential = trainer.model_mut();
        let set = &mut |path: &str, own: &mut Parameter| {
            own.set_trainable(!(frozen && path == "output.bias"));
            Ok(())
        };
        model.for_each_parameter_mut(set).unwrap();
    };
    freeze(&mut trainer, true);
    for _ in 0..30 {
        trainer.step(samples.x(), &samples.target()).unwrap();
    }
    freeze(&mut trainer, false);
    trainer.step(samples.x(), &samples.target()).unwrap();
    let all = trainer.model().named_parameters();
    let (_, bias) = all.iter().find(|(path, _)| path == "output.bias").unwrap();
    for x in values(bias) {
        assert!((x.abs() - 0.01).abs() < 1e-5, "{x}");
    }
}

#[test]
fn another_model_of_the_same_names_is_refused_unchanged() {
    let (mut model, mut gradients) = layer();
    let mut optimizer = Optimizer::new(sgd(0.1)).unwrap();
    optimizer.step(&mut model, &mut gradients).unwrap();
    let mut other = Linear::new(3, 4, Key::new(1)).unwrap();
    let x = Tape::new().constant(Tensor::full(&[1, 3], 1.0).unwrap());
    let y = other.forward(&x, &Pass::eval()).unwrap();
    let mut gradients = y.sum().unwrap().backward().unwrap();
    let before = weights(&other);
    let refused = optimizer.step(&mut other, &mut gradients);
    assert!(matches!(refused, Err(Error::Shape { .. })));
    assert_eq!((weights(&other), optimizer.steps()), (before, 1));
}

#[test]
fn a_model_that_holds_a_clone_of_its_own_layer_is_refused() {
    let (first, mut gradients) = layer();
    let mut model = Sequential::new()
        .with("first", first.clone())
        .and_then(|model| model.with("second", first))
        .unwrap();
    let mut optimizer = Optimizer::new(OptimizerConfig::new(Rule::adam(), 0.1)).unwrap();
    let refused = optimizer.step(&mut model, &mut gradients).unwrap_err();
    assert!(refused.to_string().contains("two names"), "{refused}");
    assert_eq!(optimizer.steps(), 0);
}

#[test]
fn numbers_out_of_range_are_refused() {
    let good = adam(0.1);
    let rule = |rule| OptimizerConfig {
        rule,
        ..good.clone()
    };
    let mut bad = vec![rule(Rule::sgd(1.0)), rule(Rule::sgd(f32::NAN))];
    bad.push(rule(Rule::Adam {
        beta1: 0.9,
        beta2: -0.1,
        epsilon: 1e-8,
        decoupled: false,
    }));
    for learning_rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        bad.push(OptimizerConfig {
            learning_rate,
            ..good.clone()
        });
    }
    for x in [-1.0, f32::NAN, f32::INFINITY] {
        bad.push(OptimizerConfig {
            weight_decay: x,
            ..good.clone()
        });
        bad.push(OptimizerConfig {
            l1: x,
            ..good.clone()
        });
        bad.push(OptimizerConfig {
            max_norm: Some(x),
            ..good.clone()
        });
        bad.push(OptimizerConfig {
            clip_norm: Some(x),
            ..good.clone()
        });
        bad.push(OptimizerConfig {
            clip_value: Some(x),
            ..good.clone()
        });
    }
    for config in bad {
        let refused = Optimizer::new(config.clone());
        assert!(matches!(refused, Err(Error::Number { .. })), "{config}");
    }
    assert!(Optimizer::new(good).is_ok() && mlp(0.0).parameter_count() > 0);
}
