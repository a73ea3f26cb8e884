//! The trainer: its steps, its randomness, and what it refuses.

mod support;
#[path = "support/training.rs"]
mod training;

use elision::autograd::Var;
use elision::nn::{Dropout, Layer, Linear, Pass, Sequential};
use elision::train::{
    Batch, Loss, Optimizer, OptimizerConfig, Rule, Samples, Target, Targets, Trainer, evaluate,
    predict, reestimate_statistics,
};
use elision::{Error, Key, Result, Tensor};
use support::{on_every_isa, on_threads};
use training::{CLASSES, adam, clusters, mlp, sgd, trainer, weights};

/// The batches of some steps on all clusters, and the weights after them.
fn train(p: f64, config: OptimizerConfig, steps: usize) -> (Vec<Batch>, Vec<u32>) {
    let samples = clusters(60);
    let mut trainer = trainer(p, config);
    let batches = (0..steps).map(|_| trainer.step(samples.x(), &samples.target()).unwrap());
    let batches = batches.collect();
    (batches, weights(trainer.model()))
}

#[test]
fn a_step_without_momentum_goes_down_the_gradient() {
    // For a small step of rate r along -g, the loss falls by r |g|^2, and twice the rate by twice as much.
    let fall = |rate: f64| {
        let samples = clusters(60);
        let mut trainer = trainer(0.0, OptimizerConfig::new(Rule::sgd(0.0), rate));
        let before = trainer.evaluate(&samples).unwrap().loss;
        trainer.step(samples.x(), &samples.target()).unwrap();
        before - trainer.evaluate(&samples).unwrap().loss
    };
    let (one, two) = (fall(1e-3), fall(2e-3));
    assert!(
        one > 0.0 && (two / one - 2.0).abs() < 0.05,
        "{one} and {two}"
    );
}

#[test]
fn it_learns_with_and_without_dropout() {
    let samples = clusters(60);
    for p in [0.0, 0.3] {
        for config in [sgd(0.1), adam(0.01)] {
            let mut trainer = trainer(p, config.clone());
            for _ in 0..150 {
                trainer.step(samples.x(), &samples.target()).unwrap();
            }
            let after = trainer.evaluate(&samples).unwrap();
            assert!(after.correct >= 58, "{config} p = {p}: {after:?}");
            assert_eq!(after.accuracy(), after.correct as f64 / 60.0);
        }
    }
}

#[test]
fn every_loss_is_learnt() {
    let x = Tensor::from_vec((0..40).map(|i| i as f32 / 20.0 - 1.0).collect(), &[40, 1]).unwrap();
    let of = |f: fn(f32) -> f32| {
        let y = x.as_slice().iter().map(|&x| f(x)).collect();
        let y = Tensor::from_vec(y, &[40, 1]).unwrap();
        Samples::new(x.clone(), Targets::Values(y)).unwrap()
    };
    let line: fn(f32) -> f32 = |x| 2.0 * x + 1.0;
    let side: fn(f32) -> f32 = |x| f32::from(u8::from(x > 0.0));
    for (loss, samples, outputs, limit) in [
        (Loss::MeanSquaredError, of(line), 1, 1e-3),
        (Loss::GaussianNll, of(line), 2, -2.0),
        (Loss::BinaryCrossEntropy, of(side), 1, 0.1),
    ] {
        let model = Linear::new(1, outputs, Key::new(1)).unwrap();
        let optimizer = Optimizer::new(adam(0.1)).unwrap();
        let mut trainer = Trainer::new(model, optimizer, loss, Key::new(2));
        for _ in 0..300 {
            trainer.step(samples.x(), &samples.target()).unwrap();
        }
        let after = trainer.evaluate(&samples).unwrap();
        assert!(after.loss < limit, "{loss}: {after:?}");
        assert_eq!(after.correct, 0);
    }
}

#[test]
fn the_same_key_gives_the_same_network_on_any_number_of_threads_and_again() {
    on_every_isa("training", |isa| {
        let run = || isa.install(|| train(0.4, adam(0.01), 20));
        let runs = [1, 2, 4, 1].map(|threads| on_threads(threads, run));
        assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{isa}");
    });
}

#[test]
fn dropout_changes_training_and_not_evaluation() {
    let samples = clusters(60);
    let (mut with, without) = (trainer(0.5, sgd(1e-9)), trainer(0.0, sgd(1e-9)));
    assert_eq!(
        with.evaluate(&samples).unwrap(),
        without.evaluate(&samples).unwrap(),
    );
    let step = |_| with.step(samples.x(), &samples.target()).unwrap().loss;
    let losses: Vec<f64> = (0..3).map(step).collect();
    assert!(
        losses[0] != losses[1] && losses[1] != losses[2],
        "each step has masks of its own"
    );
}

/// Hands its input on, and shows what dropout left of ones.
fn mask_of(model: &Sequential, step: u64) -> Vec<f32> {
    let x = Tensor::full(&[8, 16], 1.0).unwrap();
    let x = elision::autograd::Tape::new().constant(x);
    let y = model.forward(&x, &Pass::train(Key::new(3), step)).unwrap();
    y.to_tensor().unwrap().as_slice().to_vec()
}

#[test]
fn another_layer_leaves_the_masks_of_all_others() {
    let dropout = || Dropout::new(0.5).unwrap();
    let alone = Sequential::new().with("late", dropout()).unwrap();
    let none = Dropout::new(0.0).unwrap();
    let both = Sequential::new().with("early", none).unwrap();
    let both = both.with("late", dropout()).unwrap();
    assert_eq!(mask_of(&alone, 7), mask_of(&both, 7));
    assert_ne!(mask_of(&alone, 7), mask_of(&alone, 8));
}

#[test]
fn parts_of_a_batch_give_the_step_of_the_whole() {
    let samples = clusters(50);
    let run = |parts| {
        let mut trainer = trainer(0.0, sgd(0.05)).accumulate(parts).unwrap();
        for _ in 0..5 {
            trainer.step(samples.x(), &samples.target()).unwrap();
        }
        let loss = trainer.step(samples.x(), &samples.target()).unwrap().loss;
        (loss, predict(trainer.model(), samples.x()).unwrap())
    };
    let (whole, outputs) = run(1);
    for parts in [2, 3, 7, 100] {
        let (loss, found) = run(parts);
        assert!((loss - whole).abs() < 1e-5, "{parts}: {loss} {whole}");
        let pairs = found.as_slice().iter().zip(outputs.as_slice());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{parts} parts: {worst}");
    }
    assert!(matches!(
        trainer(0.0, sgd(0.1)).accumulate(0),
        Err(Error::Empty(_))
    ));
}

#[test]
fn parts_have_masks_of_their_own() {
    // Equal halves of a batch would have equal losses under one mask.
    let half = Tensor::full(&[1, 5], 1.0).unwrap();
    let both = Tensor::full(&[2, 5], 1.0).unwrap();
    let mut one = trainer(0.5, sgd(0.1)).accumulate(2).unwrap();
    let first = one.step(&half, &Target::Labels(&[0])).unwrap().loss;
    let mut two = trainer(0.5, sgd(0.1)).accumulate(2).unwrap();
    assert_ne!(
        two.step(&both, &Target::Labels(&[0, 0])).unwrap().loss,
        first
    );
}

#[test]
fn rows_are_those_of_the_batch() {
    let samples = clusters(60);
    let rows: Vec<usize> = (0..60).rev().step_by(3).collect();
    let part = samples.gather(&rows).unwrap();
    let (mut a, mut b) = (trainer(0.3, adam(0.01)), trainer(0.3, adam(0.01)));
    let seen = a.step_rows(&samples, &rows).unwrap();
    assert_eq!(b.step(part.x(), &part.target()).unwrap(), seen);
    assert_eq!(weights(a.model()), weights(b.model()));
    let outside = a.step_rows(&samples, &[0, 60]);
    assert!(matches!(outside, Err(Error::Range { .. })));
}

#[test]
fn a_refused_batch_changes_nothing() {
    let samples = clusters(6);
    let (x, labels) = (samples.x(), [0, 1, 2, 0, 1, 2]);
    let mut trainer = trainer(0.2, adam(0.01));
    let mut again = training::trainer(0.2, adam(0.01));
    for trainer in [&mut trainer, &mut again] {
        trainer.step(x, &Target::Labels(&labels)).unwrap();
    }
    let empty = Tensor::zeros(&[0, 5]).unwrap();
    let narrow = Tensor::zeros(&[6, 4]).unwrap();
    let values = Tensor::zeros(&[6, 3]).unwrap();
    let refused = [
        trainer.step(x, &Target::Labels(&[0, 1, 2, 3, 0, 1])),
        trainer.step(x, &Target::Labels(&labels[1..])),
        trainer.step(&empty, &Target::Labels(&[])),
        trainer.step(&narrow, &Target::Labels(&labels)),
        trainer.step(x, &Target::Values(values.view())),
        trainer.step(&Tensor::zeros(&[]).unwrap(), &Target::Labels(&[0])),
    ];
    let [label, length, none, shape, kind, rank] = refused.map(Result::unwrap_err);
    assert!(matches!(
        label,
        Error::Label {
            row: 3,
            label: 3,
            classes: 3
        }
    ));
    assert!(matches!(length, Error::Length { .. }) && matches!(none, Error::Empty(_)));
    assert!(matches!(shape, Error::Shape { .. }) && matches!(rank, Error::Rank { .. }));
    assert!(matches!(kind, Error::Unsupported(_)));
    assert_eq!(trainer.steps(), 1);
    // Nothing of the failures is left in the optimiser or the tape either.
    for trainer in [&mut trainer, &mut again] {
        trainer.step(x, &Target::Labels(&labels)).unwrap();
    }
    assert_eq!(weights(trainer.model()), weights(again.model()));
    assert_eq!(trainer.tape().live_bytes(), 0);
}

#[test]
fn a_batch_that_fails_in_a_later_part_changes_nothing() {
    let samples = clusters(6);
    let mut trainer = trainer(0.2, adam(0.01)).accumulate(3).unwrap();
    let before = weights(trainer.model());
    let failed = trainer.step(samples.x(), &Target::Labels(&[0, 1, 2, 0, 1, 9]));
    assert!(matches!(failed, Err(Error::Label { .. })));
    assert_eq!((weights(trainer.model()), trainer.steps()), (before, 0));
    assert_eq!(trainer.tape().live_bytes(), 0);
}

#[test]
fn frozen_parameters_stay() {
    let samples = clusters(60);
    let mut trainer = trainer(0.0, adam(0.01));
    let freeze = &mut |path: &str, own: &mut elision::autograd::Parameter| {
        own.set_trainable(!path.starts_with("first"));
        Ok(())
    };
    trainer.model_mut().for_each_parameter_mut(freeze).unwrap();
    let before = trainer.model().clone();
    trainer.step(samples.x(), &samples.target()).unwrap();
    let after = trainer.model().named_parameters();
    for ((path, old), (_, new)) in before.named_parameters().into_iter().zip(after) {
        assert_eq!(
            old.value() == new.value(),
            path.starts_with("first"),
            "{path}"
        );
    }
}

#[test]
fn evaluation_is_the_mean_over_pieces() {
    // 2,500 rows are three pieces; the losses of parts add up to that of the whole.
    let samples = clusters(2500);
    let (first, last) = samples.split_last(700).unwrap();
    let model = mlp(0.5);
    let [whole, first, last] =
        [&samples, &first, &last].map(|part| evaluate(&model, &CLASSES, part).unwrap());
    let sum = first.and(last);
    assert!((whole.loss - sum.loss).abs() < 1e-6);
    assert_eq!((whole.rows, whole.correct), (2500, sum.correct));
    let outputs = predict(&model, samples.x()).unwrap();
    let some = predict(&model, samples.x().view().slice(0, 2000..2100).unwrap()).unwrap();
    assert_eq!(&outputs.as_slice()[6000..6300], some.as_slice());
    let none = Samples::new(Tensor::zeros(&[0, 5]).unwrap(), Targets::Labels(vec![])).unwrap();
    assert!(matches!(
        evaluate(&model, &CLASSES, &none),
        Err(Error::Empty(_))
    ));
    assert_eq!(predict(&model, none.x()).unwrap().shape(), [0, 3]);
}

/// Notes the mean of its input as its running state.
#[derive(Clone, Debug)]
struct Watching(elision::autograd::Parameter);

impl Layer for Watching {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        if pass.uses_batch_statistics() {
            pass.update(&self.0, x.mean()?.to_tensor()?.reshape(&[1])?, 0.1);
        }
        Ok(x.clone())
    }

    fn parameters(&self) -> Vec<(&str, &elision::autograd::Parameter)> {
        vec![("mean", &self.0)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut elision::autograd::Parameter)> {
        vec![("mean", &mut self.0)]
    }
}

#[test]
fn statistics_are_estimated_anew_as_a_mean_over_batches() {
    let zero = Tensor::zeros(&[1]).unwrap();
    let mut layer = Watching(elision::autograd::Parameter::state(zero));
    let batch = |x| Tensor::full(&[4, 2], x).unwrap();
    reestimate_statistics(&mut layer, [1.0, 2.0, 6.0].map(batch).into_iter()).unwrap();
    assert!((layer.0.value().as_slice()[0] - 3.0).abs() < 1e-6);
    // In training they follow by their own rate, once the step is done.
    let model = Sequential::new().with("watching", layer).unwrap();
    let output = Linear::new(2, 2, Key::new(1)).unwrap();
    let model = model.with("output", output).unwrap();
    let optimizer = Optimizer::new(sgd(0.1)).unwrap();
    let mut trainer = Trainer::new(model, optimizer, CLASSES, Key::new(2));
    let mean = |trainer: &Trainer<Sequential>| {
        trainer.model().named_parameters()[0].1.value().as_slice()[0]
    };
    let bad = Target::Labels(&[0, 1, 0, 5]);
    trainer.step(&batch(4.0), &bad).unwrap_err();
    assert!((mean(&trainer) - 3.0).abs() < 1e-6);
    let good = Target::Labels(&[0, 1, 0, 1]);
    trainer.step(&batch(4.0), &good).unwrap();
    assert!((mean(&trainer) - 3.1).abs() < 1e-6);
}

#[test]
fn words_name_losses() {
    for loss in [
        CLASSES,
        Loss::CrossEntropy { smoothing: 0.1 },
        Loss::MeanSquaredError,
        Loss::GaussianNll,
        Loss::BinaryCrossEntropy,
    ] {
        assert_eq!(loss.to_string().parse(), Ok(loss));
    }
    for word in [
        "",
        "cross-entropy:",
        "cross-entropy:1",
        "cross-entropy:NaN",
        "l2",
    ] {
        assert!(
            matches!(word.parse::<Loss>(), Err(Error::Unsupported(_))),
            "{word}"
        );
    }
}
