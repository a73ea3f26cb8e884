//! Norms and directions of gradients: against the definition, and their identities.

mod support;
#[path = "support/training.rs"]
mod training;

use elision::nn::{BatchNorm, Layer, Linear, Pass, Sequential};
use elision::reference::gradients::{direction_error, direction_variance};
use elision::train::diagnose::{
    BatchGradients, Diagnosis, GradientStatistics, GradientSummary, diagnose, distance,
    draw_batches,
};
use elision::train::{Samples, Target, Targets};
use elision::{Error, Isa, Key, Tensor};
use support::{noise, on_every_isa, on_threads};
use training::{CLASSES, clusters, mlp, sgd, trainer, weights};

fn summary(gradients: &[Vec<f32>], full: &[f64]) -> GradientSummary {
    let mut statistics = GradientStatistics::new(full.len()).against(full).unwrap();
    for gradient in gradients {
        statistics.push(gradient).unwrap();
    }
    statistics.finish()
}

fn random(count: u64, len: usize) -> Vec<Vec<f32>> {
    let of = |seed| noise(&[len], seed).as_slice().to_vec();
    (0..count).map(of).collect()
}

fn wide(gradient: &[f32]) -> Vec<f64> {
    gradient.iter().map(|&x| f64::from(x)).collect()
}

#[track_caller]
fn near(found: Option<f64>, expected: f64) {
    let found = found.expect("it is defined");
    assert!((found - expected).abs() < 1e-12, "{found} and {expected}");
}

#[test]
fn they_are_the_means_over_pairs() {
    for len in [1, 2, 7, 8, 9, 1000] {
        for count in [2, 3, 17] {
            let gradients = random(count, len);
            let naive: Vec<_> = gradients.iter().map(|g| wide(g)).collect();
            let full = wide(&random(100, len)[99]);
            let found = summary(&gradients, &full);
            near(found.gdv, direction_variance(&naive));
            near(found.gde, direction_error(&naive, &full));
            let norms = naive.iter().map(|g| g.iter().map(|x| x * x).sum::<f64>());
            let norms: Vec<f64> = norms.map(f64::sqrt).collect();
            let mean = norms.iter().sum::<f64>() / count as f64;
            let squares = norms.iter().map(|norm| (norm - mean).powi(2));
            let deviation = (squares.sum::<f64>() / (count - 1) as f64).sqrt();
            near(Some(found.norm), mean);
            near(Some(found.norm_deviation), deviation);
        }
    }
}

#[test]
fn simple_directions_have_simple_distances() {
    let full = [1.0, 0.0, 0.0];
    let same = summary(&vec![vec![2.0, 0.0, 0.0]; 5], &full);
    near(same.gdv, 0.0);
    near(same.gde, 0.0);
    let right = [[3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 7.0]].map(Vec::from);
    near(summary(&right, &full).gdv, 0.5);
    near(summary(&right[1..], &full).gde, 0.5);
    let opposite = [[-1.0, 0.0, 0.0], [5.0, 0.0, 0.0]].map(Vec::from);
    near(summary(&opposite, &full).gdv, 1.0);
    near(summary(&opposite[..1], &full).gde, 1.0);
}

#[test]
fn lengths_do_not_matter_and_signs_turn_the_error_round() {
    let (gradients, full) = (random(9, 50), wide(&random(12, 50)[11]));
    let before = summary(&gradients, &full);
    let scaled = |by: fn(usize) -> f32| -> Vec<Vec<f32>> {
        let each = gradients.iter().enumerate();
        each.map(|(i, g)| g.iter().map(|x| by(i) * x).collect())
            .collect()
    };
    // Powers of two are exact, and so are the results.
    let longer = summary(&scaled(|i| 2f32.powi(i as i32 - 4)), &full);
    near(longer.gdv, before.gdv.unwrap());
    near(longer.gde, before.gde.unwrap());
    let turned = summary(&scaled(|_| -1.0), &full);
    near(turned.gdv, before.gdv.unwrap());
    near(turned.gde, 1.0 - before.gde.unwrap());
    assert_eq!(turned.norm, before.norm);
    // Neither the largest nor the smallest numbers overflow or vanish.
    for extreme in [f32::MAX, 1e-45] {
        let found = summary(&[vec![extreme, 0.0], vec![0.0, extreme]], &[1.0, 0.0]);
        near(found.gdv, 0.5);
    }
}

#[test]
fn what_has_no_direction_is_not_divided_by() {
    let full = [1.0, 0.0];
    let none = summary(&[], &full);
    assert_eq!(none.count + none.zeros, 0);
    assert_eq!((none.norm, none.norm_deviation), (0.0, 0.0));
    assert_eq!((none.gdv, none.gde), (None, None));
    let one = summary(&[vec![0.0, 2.0]], &full);
    assert_eq!((one.norm, one.gdv), (2.0, None));
    near(one.gde, 0.5);
    let zeros = summary(&vec![vec![0.0, 0.0]; 3], &full);
    assert_eq!((zeros.zeros, zeros.gdv, zeros.gde), (3, None, None));
    // A zero among others takes part in the norm alone.
    let mixed = summary(&[vec![0.0, 4.0], vec![0.0, 0.0], vec![2.0, 0.0]], &full);
    assert_eq!((mixed.count, mixed.zeros, mixed.norm), (3, 1, 2.0));
    near(mixed.gdv, 0.5);
    near(mixed.gde, 0.25);
    // A full gradient of zeros has no direction either.
    let flat = summary(&[vec![0.0, 4.0], vec![1.0, 0.0]], &[0.0, 0.0]);
    assert_eq!((flat.gdv, flat.gde), (Some(0.5), None));
    let nan = summary(&[vec![f32::NAN, 0.0], vec![1.0, 0.0]], &full);
    assert!(nan.norm.is_nan() && nan.gdv.unwrap().is_nan() && nan.gde.unwrap().is_nan());
    // No parameters at all.
    assert_eq!(summary(&[vec![], vec![]], &[]).gdv, None);
}

#[test]
fn lengths_must_agree() {
    let length = |expected, found| Error::Length {
        what: "gradient",
        expected,
        found,
    };
    let mut statistics = GradientStatistics::new(2);
    assert_eq!(statistics.push(&[1.0]), Err(length(2, 1)));
    assert_eq!(
        statistics.finish().count,
        0,
        "a failed call changes nothing"
    );
    let against = statistics.against(&[1.0, 2.0, 3.0]);
    assert_eq!(against.map(|_| ()), Err(length(2, 3)));
}

fn rows(range: std::ops::Range<usize>) -> Vec<usize> {
    range.collect()
}

fn found(model: &dyn Layer, samples: &Samples, batches: &[Vec<usize>]) -> Diagnosis {
    diagnose(model, &CLASSES, samples, batches, Key::new(5)).unwrap()
}

#[test]
fn a_gradient_is_that_of_a_step() {
    // A step of plain descent moves the weights by the rate times the gradient.
    let (samples, rate) = (clusters(60), 0.25);
    let mut plain = sgd(rate);
    plain.rule = elision::train::Rule::sgd(0.0);
    let mut trainer = trainer(0.5, plain);
    let before = trainer.model().clone();
    let mut gradients = BatchGradients::new(&before, CLASSES, &samples);
    let pass = Pass::train(trainer.key(), 0);
    let (seen, gradient) = gradients.of(&rows(0..20), &pass).unwrap();
    let batch = trainer.step_rows(&samples, &rows(0..20)).unwrap();
    assert_eq!(seen, batch);
    let after = trainer.model().named_parameters().into_iter();
    let after: Vec<f32> = after
        .flat_map(|(_, own)| own.value().as_slice().to_vec())
        .collect();
    let before: Vec<f32> = before
        .named_parameters()
        .into_iter()
        .flat_map(|(_, own)| own.value().as_slice().to_vec())
        .collect();
    assert_eq!(gradient.len(), after.len());
    let moved = before.iter().zip(&after).map(|(old, new)| old - new);
    for (moved, g) in moved.zip(gradient) {
        assert!((moved - rate as f32 * g).abs() < 1e-6, "{moved} {g}");
    }
    // The step was as long as the model is now away from where it was.
    let norm = gradient
        .iter()
        .map(|&g| f64::from(g).powi(2))
        .sum::<f64>()
        .sqrt();
    let start = mlp(0.5);
    let far = distance(trainer.model(), &start).unwrap();
    assert!((far - rate * norm).abs() < 1e-5, "{far} {norm}");
    assert_eq!(distance(&start, &start), Ok(0.0));
}

#[test]
fn without_dropout_the_whole_set_has_the_full_gradient() {
    let samples = clusters(60);
    let whole = found(&mlp(0.0), &samples, &[rows(0..60)]);
    assert!(whole.batches.gde.unwrap() < 1e-9, "{whole:?}");
    assert!((whole.batches.norm / whole.full_norm - 1.0).abs() < 1e-5);
    assert_eq!((whole.batches.gdv, whole.full.rows), (None, 60));
    // The same rows without dropout are the same gradient; with it, masks differ.
    let twice = [rows(0..20), rows(0..20)];
    near(found(&mlp(0.0), &samples, &twice).batches.gdv, 0.0);
    assert!(found(&mlp(0.5), &samples, &twice).batches.gdv.unwrap() > 1e-3);
    // The full gradient has no dropout, whatever the model has.
    let [with, without] = [0.5, 0.0].map(|p| found(&mlp(p), &samples, &[rows(0..20)]));
    assert_eq!(with.full_norm.to_bits(), without.full_norm.to_bits());
    assert_eq!(with.full, without.full);
}

#[test]
fn means_of_batches_that_are_the_set_are_the_full_gradient() {
    // With normalisation by the batch's own statistics too: one batch is the set, in another order.
    let samples = clusters(60);
    let model = normalised();
    let before = weights(&model);
    let whole = found(&model, &samples, &[rows(0..60)]);
    assert!(whole.batches.gde.unwrap() < 1e-9, "{whole:?}");
    assert_eq!(
        weights(&model),
        before,
        "running statistics stay as they are"
    );
}

/// Linear layers around batch norm.
fn normalised() -> Sequential {
    let layer = |name: &str, inputs, units| Linear::new(inputs, units, Key::new(3).named(name));
    Sequential::new()
        .with("first", layer("first", 5, 8).unwrap())
        .and_then(|model| model.with("norm", BatchNorm::new(8)?))
        .and_then(|model| model.with("output", layer("output", 8, 3)?))
        .unwrap()
}

#[test]
fn frozen_parameters_have_no_gradient_and_no_distance() {
    let (samples, mut model) = (clusters(30), mlp(0.0));
    let start = model.clone();
    let count = model.parameter_count();
    model
        .for_each_parameter_mut(&mut |name, own| {
            if name == "first.weight" {
                own.set_trainable(false);
                own.value_mut().as_mut_slice().fill(9.0);
            }
            Ok(())
        })
        .unwrap();
    let mut gradients = BatchGradients::new(&model, CLASSES, &samples);
    let (_, gradient) = gradients.of(&rows(0..30), &Pass::eval()).unwrap();
    assert_eq!(gradient.len(), count - 24 * 5);
    assert_eq!(distance(&model, &start), Ok(0.0));
}

#[test]
fn it_is_a_function_of_its_arguments() {
    let samples = clusters(60);
    let batches = draw_batches(Key::new(1), 60, 16, 5);
    on_every_isa("diagnosis", |isa: Isa| {
        let measure = || isa.install(|| found(&mlp(0.4), &samples, &batches));
        let one = on_threads(1, measure);
        for threads in [2, 3] {
            assert_eq!(on_threads(threads, measure), one);
        }
        let gdv = one.batches.gdv.unwrap();
        assert!(gdv > 0.0 && gdv < 0.5, "{one:?}");
    });
    let other = diagnose(&mlp(0.4), &CLASSES, &samples, &batches, Key::new(6));
    let one = found(&mlp(0.4), &samples, &batches);
    assert_ne!(other.unwrap().batches, one.batches, "masks are the key's");
}

#[test]
fn batches_are_those_of_epochs() {
    let batches = draw_batches(Key::new(3), 100, 30, 7);
    assert_eq!(batches.len(), 7);
    assert!(batches.iter().all(|batch| batch.len() == 30));
    let mut first = batches[..3].concat();
    first.sort_unstable();
    first.dedup();
    assert_eq!(first.len(), 90, "no row comes twice in an epoch");
    assert_ne!(batches[0], batches[3]);
    assert_eq!(draw_batches(Key::new(3), 100, 30, 2), batches[..2]);
    let few = draw_batches(Key::new(3), 4, 30, 2);
    assert!(few.iter().all(|batch| batch.len() == 4));
    assert!(draw_batches(Key::new(3), 0, 30, 2).is_empty());
    assert!(draw_batches(Key::new(3), 9, 0, 2).is_empty());
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (samples, model, key) = (clusters(30), mlp(0.2), Key::new(1));
    let diagnose = |batches: &[Vec<usize>]| diagnose(&model, &CLASSES, &samples, batches, key);
    let empty = Err(Error::Empty("a batch"));
    assert_eq!(diagnose(&[]), empty);
    assert_eq!(diagnose(&[vec![]]), empty);
    assert_eq!(diagnose(&[rows(0..3), vec![]]), empty);
    assert!(matches!(
        diagnose(&[rows(29..31)]),
        Err(Error::Range { .. })
    ));
    let mut gradients = BatchGradients::new(&model, CLASSES, &samples);
    assert!(gradients.of(&[99], &Pass::eval()).is_err());
    assert!(
        gradients.of(&[1], &Pass::eval()).is_ok(),
        "it goes on after a fault"
    );
    let values = Samples::new(Tensor::zeros(&[2, 5]).unwrap(), {
        Targets::Values(Tensor::zeros(&[2, 3]).unwrap())
    });
    let values = values.unwrap();
    assert!(matches!(values.target(), Target::Values(_)));
    let mut wrong = BatchGradients::new(&model, CLASSES, &values);
    assert!(matches!(
        wrong.of(&[0], &Pass::eval()),
        Err(Error::Unsupported(_))
    ));
    let narrow = training::mlp_of(3, 0.0);
    assert!(matches!(
        distance(&model, &narrow),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        distance(&model, &normalised()),
        Err(Error::Unsupported(_))
    ));
}
