//! A run that is taken up from a checkpoint is the run that was not stopped.

mod support;
#[path = "support/training.rs"]
mod training;

use elision::autograd::Parameter;
use elision::nn::{BatchNorm, Layer, Linear, Sequential};
use elision::train::{
    Callback, Checkpoint, Control, Fit, Loss, Optimizer, OptimizerConfig, Progress, Rule, Trainer,
};
use elision::{CheckpointFault, Error, Key};
use support::on_every_isa;
use training::{CLASSES, adam, clusters, mlp, mlp_of, sgd, trainer, weights};

/// Stops after a step.
struct StopAt(u64);

impl Callback for StopAt {
    fn batch(&mut self, progress: &Progress) -> Control {
        match progress.step == self.0 {
            true => Control::Stop,
            false => Control::Continue,
        }
    }
}

/// Through bytes where there are some.
fn travelled(checkpoint: Checkpoint) -> Checkpoint {
    #[cfg(feature = "safetensors")]
    let checkpoint = Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap();
    checkpoint
}

#[test]
fn it_is_the_same_from_any_step_for_any_rule() {
    let (samples, fit) = (clusters(50), Fit::new(3, 16));
    let nesterov = Rule::Sgd {
        momentum: 0.9,
        nesterov: true,
    };
    let configs = [sgd(0.05), adam(0.01), OptimizerConfig::new(nesterov, 0.02)];
    on_every_isa("resuming", |_| {
        for config in &configs {
            let mut whole = trainer(0.4, config.clone());
            whole.fit(&samples, None, &fit, &mut ()).unwrap();
            // In the middle of an epoch, at its end, and before the first step.
            for stop in [0, 1, 6, 8] {
                let mut first = trainer(0.4, config.clone());
                if stop > 0 {
                    first.fit(&samples, None, &fit, &mut StopAt(stop)).unwrap();
                }
                let checkpoint = travelled(first.checkpoint().unwrap());
                drop(first);
                let optimizer = Optimizer::new(config.clone()).unwrap();
                let mut second = Trainer::new(mlp(0.4), optimizer, CLASSES, Key::new(999));
                second.restore(&checkpoint).unwrap();
                assert_eq!((second.steps(), second.key()), (stop, whole.key()));
                second.fit(&samples, None, &fit, &mut ()).unwrap();
                assert_eq!(
                    weights(second.model()),
                    weights(whole.model()),
                    "{config} {stop}"
                );
                assert_eq!(second.checkpoint(), whole.checkpoint());
            }
        }
    });
}

/// A run in which the output's bias is trained from step 3 on.
fn thawing(steps: u64, from: Option<&Checkpoint>) -> Trainer<Sequential> {
    let samples = clusters(20);
    let mut trainer = trainer(0.4, adam(0.01)).accumulate(2).unwrap();
    if let Some(checkpoint) = from {
        trainer.restore(checkpoint).unwrap();
    }
    while trainer.steps() < steps {
        let trained = trainer.steps() >= 3;
        let set = &mut |path: &str, own: &mut Parameter| {
            own.set_trainable(trained || path != "output.bias");
            Ok(())
        };
        trainer.model_mut().for_each_parameter_mut(set).unwrap();
        trainer.step(samples.x(), &samples.target()).unwrap();
    }
    trainer
}

#[test]
fn a_parameter_that_was_frozen_goes_on_too() {
    let whole = thawing(8, None);
    for stop in [2, 5] {
        let checkpoint = travelled(thawing(stop, None).checkpoint().unwrap());
        let resumed = thawing(8, Some(&checkpoint));
        assert_eq!(weights(resumed.model()), weights(whole.model()), "{stop}");
    }
}

/// A network with state of its own: running statistics, and units that are dropped.
fn with_state() -> Trainer<Sequential> {
    let key = Key::new(7);
    let model = Sequential::new()
        .with("hidden", Linear::new(5, 12, key).unwrap())
        .and_then(|model| model.with("norm", BatchNorm::new(12)?))
        .and_then(|model| model.with("units", Linear::new(12, 12, key)?.unit_dropout(0.4)?))
        .and_then(|model| model.with("output", Linear::new(12, 3, key)?))
        .unwrap();
    let optimizer = Optimizer::new(adam(0.01)).unwrap();
    Trainer::new(model, optimizer, CLASSES, key)
}

#[test]
fn running_statistics_go_on_too() {
    let samples = clusters(20);
    let steps = |trainer: &mut Trainer<Sequential>, steps: u64| {
        for _ in 0..steps {
            trainer.step(samples.x(), &samples.target()).unwrap();
        }
    };
    let mut whole = with_state();
    steps(&mut whole, 6);
    let before = weights(with_state().model());
    assert_ne!(weights(whole.model()), before);
    for stop in [1, 4] {
        let mut first = with_state();
        steps(&mut first, stop);
        let mut second = with_state();
        second
            .restore(&travelled(first.checkpoint().unwrap()))
            .unwrap();
        steps(&mut second, 6 - stop);
        assert_eq!(second.checkpoint(), whole.checkpoint(), "{stop}");
    }
}

/// A checkpoint that was changed, and the fault that it has then.
type Change = (&'static str, fn(&mut Checkpoint));

#[test]
fn the_checkpoint_of_another_run_changes_nothing() {
    let samples = clusters(20);
    let mut source = trainer(0.4, adam(0.01));
    source.step(samples.x(), &samples.target()).unwrap();
    let good = source.checkpoint().unwrap();
    let changes: [Change; 9] = [
        ("elision.step", |c| drop(c.metadata.remove("elision.step"))),
        ("elision.step", |c| set(c, "elision.step", "-1")),
        ("elision.key", |c| set(c, "elision.key", "key")),
        ("elision.loss", |c| set(c, "elision.loss", "mse")),
        ("elision.optimizer", |c| set(c, "elision.optimizer", "sgd")),
        ("model.first.bias", |c| {
            drop(c.tensors.remove("model.first.bias"))
        }),
        ("optimizer.second.first.bias", |c| {
            c.tensors.remove("optimizer.second.first.bias");
        }),
        ("optimizer.first.other", |c| {
            let bias = c.tensors["model.first.bias"].clone();
            c.tensors.insert("optimizer.first.other".to_owned(), bias);
        }),
        ("optimizer.first.first.bias", |c| {
            let weight = c.tensors["model.first.weight"].clone();
            c.tensors
                .insert("optimizer.first.first.bias".to_owned(), weight);
        }),
    ];
    let mut trainer = trainer(0.4, adam(0.01));
    let before = trainer.checkpoint().unwrap();
    for (name, change) in changes {
        let mut bad = good.clone();
        change(&mut bad);
        let Err(Error::Checkpoint(fault)) = trainer.restore(&bad) else {
            panic!("{name} is not missed");
        };
        assert!(
            fault.to_string().contains(name),
            "{fault} does not name {name}"
        );
        assert_eq!(trainer.checkpoint().unwrap(), before, "{name}");
    }
    trainer.restore(&good).unwrap();
    assert_eq!(trainer.checkpoint().unwrap(), good);
}

fn set(checkpoint: &mut Checkpoint, name: &str, word: &str) {
    checkpoint.metadata.insert(name.to_owned(), word.to_owned());
}

#[test]
fn a_trainer_of_another_kind_refuses() {
    let good = trainer(0.4, adam(0.01)).checkpoint().unwrap();
    let optimizer = || Optimizer::new(adam(0.01)).unwrap();
    let smoothed = Loss::CrossEntropy { smoothing: 0.1 };
    for mut other in [
        trainer(0.4, adam(0.02)),
        trainer(0.4, sgd(0.01)),
        trainer(0.4, adam(0.01)).accumulate(2).unwrap(),
        Trainer::new(mlp(0.4), optimizer(), smoothed, Key::new(2)),
    ] {
        let refused = other.restore(&good);
        assert!(matches!(
            refused,
            Err(Error::Checkpoint(CheckpointFault::Metadata { .. }))
        ));
    }
    let mut wide = Trainer::new(mlp_of(25, 0.4), optimizer(), CLASSES, Key::new(2));
    assert!(matches!(
        wide.restore(&good),
        Err(Error::Checkpoint(CheckpointFault::Shape { .. }))
    ));
}
