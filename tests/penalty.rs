//! What layers add to the loss: when, how much, and what is refused.

mod support;

use elision::autograd::{Parameter, Tape, Var};
use elision::nn::{Checkpoint, Layer, Linear, Pass, multi_sample};
use elision::train::{
    Batch, Callback, Fit, Loss, Optimizer, OptimizerConfig, Rule, Samples, Target, Targets,
    Trainer, WarmUp,
};
use elision::{Error, Key, Result, Tensor};
use support::{bits, noise, on_every_isa};

/// A linear layer that is punished for half the squared norm of its weights.
#[derive(Clone, Debug)]
struct Ridge {
    linear: Linear,
    strength: f32,
}

impl Ridge {
    fn new(strength: f32) -> Self {
        let linear = Linear::new(3, 2, Key::new(1)).unwrap();
        Self { linear, strength }
    }
}

impl Layer for Ridge {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        if self.strength > 0.0 {
            let weight = x.tape().parameter(self.linear.parameters()[0].1)?;
            let norm = weight.mul(&weight)?.sum()?;
            pass.penalize(&norm.scale(0.5 * self.strength)?)?;
        }
        pass.run("linear", &self.linear, x)
    }

    fn children(&self) -> Vec<(&str, &dyn Layer)> {
        vec![("linear", &self.linear)]
    }

    fn children_mut(&mut self) -> Vec<(&str, &mut dyn Layer)> {
        vec![("linear", &mut self.linear)]
    }
}

fn trainer<M: Layer>(model: M, weight_decay: f32) -> Trainer<M> {
    let config = OptimizerConfig {
        weight_decay,
        ..OptimizerConfig::new(Rule::sgd(0.0), 0.1)
    };
    let optimizer = Optimizer::new(config).unwrap();
    Trainer::new(model, optimizer, Loss::MeanSquaredError, Key::new(2))
}

fn step<M: Layer>(trainer: &mut Trainer<M>, rows: usize) -> Result<Batch> {
    let y = noise(&[rows, 2], 4);
    trainer.step(&noise(&[rows, 3], 3), &Target::Values(y.view()))
}

fn weights(model: &dyn Layer) -> Vec<f32> {
    let all = model.named_parameters().into_iter();
    all.flat_map(|(_, own)| own.value().as_slice().to_vec())
        .collect()
}

fn assert_near(found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-6, "{found} is not {wanted}");
    }
}

/// The gradient of half the squared norm is the weight, which is what weight decay adds.
#[test]
fn a_penalty_of_the_norm_is_weight_decay() {
    on_every_isa("penalty as decay", |_| {
        for (weight, decay) in [(1.0, 0.3), (0.5, 0.15), (0.0, 0.0)] {
            let mut punished = trainer(Ridge::new(0.3), 0.0);
            punished.set_penalty_weight(weight).unwrap();
            let mut decayed = trainer(Ridge::new(0.0), decay);
            for _ in 0..3 {
                let norm: f32 = weights(punished.model())[..6].iter().map(|w| w * w).sum();
                let seen = step(&mut punished, 7).unwrap();
                let wanted = step(&mut decayed, 7).unwrap();
                assert!((seen.loss - wanted.loss).abs() < 1e-6);
                assert!((punished.penalty() - 0.15 * f64::from(norm)).abs() < 1e-6);
                assert_eq!(decayed.penalty(), 0.0);
            }
            assert_near(&weights(punished.model()), &weights(decayed.model()));
        }
    });
}

/// The reported loss is the data's, and a weight of 0 leaves every bit as it is without penalties.
#[test]
fn a_weight_of_nothing_changes_no_bit() {
    let mut plain = trainer(Ridge::new(0.0), 0.0);
    let mut off = trainer(Ridge::new(5.0), 0.0);
    off.set_penalty_weight(0.0).unwrap();
    for _ in 0..3 {
        assert_eq!(step(&mut plain, 5).unwrap(), step(&mut off, 5).unwrap());
    }
    assert_eq!(bits(&weights(plain.model())), bits(&weights(off.model())));
    assert!(off.penalty() > 0.0);
}

#[test]
fn parts_of_a_batch_do_not_add_up_penalties() {
    let mut whole = trainer(Ridge::new(0.3), 0.0);
    step(&mut whole, 7).unwrap();
    for parts in [2, 3, 7] {
        let mut cut = trainer(Ridge::new(0.3), 0.0).accumulate(parts).unwrap();
        step(&mut cut, 7).unwrap();
        assert!((cut.penalty() - whole.penalty()).abs() < 1e-6);
        assert_near(&weights(cut.model()), &weights(whole.model()));
    }
}

/// Two layers: the penalties add up, each once, though a pass is taken down to children.
#[test]
fn all_layers_are_heard_once() {
    let model = elision::nn::Sequential::new()
        .with("first", Ridge::new(0.5))
        .and_then(|model| model.with("second", elision::nn::Flatten))
        .unwrap();
    let tape = Tape::new();
    let x = tape.constant(noise(&[4, 3], 1));
    let pass = Pass::train(Key::new(1), 0);
    model.forward(&x, &pass).unwrap();
    model.forward(&x, &pass.child("again")).unwrap();
    assert!(pass.takes_penalties());
    assert_eq!(pass.take_penalties().len(), 2);
    assert!(pass.take_penalties().is_empty());
    for silent in [Pass::eval(), Pass::mc(Key::new(1), 0), Pass::reestimate()] {
        model.forward(&x, &silent).unwrap();
        assert!(!silent.takes_penalties() && silent.take_penalties().is_empty());
    }
}

/// Layers that run several times on one set of features are punished once.
#[test]
fn several_samples_count_a_penalty_once() {
    let (model, tape) = (Ridge::new(0.5), Tape::new());
    let x = tape.constant(noise(&[4, 3], 1));
    let pass = Pass::train(Key::new(1), 0);
    multi_sample(5, &pass, |pass| model.forward(&x, pass)).unwrap();
    assert_eq!(pass.take_penalties().len(), 1);
    let free = pass.without_penalties();
    model.forward(&x, &free.child("it")).unwrap();
    assert!(!free.takes_penalties() && pass.take_penalties().is_empty());
}

#[test]
fn only_one_finite_number_is_a_penalty() {
    let (tape, pass) = (Tape::new(), Pass::train(Key::new(1), 0));
    for shape in [&[2][..], &[0], &[1, 3]] {
        let x = tape.variable(Tensor::zeros(shape).unwrap());
        for pass in [&pass, &Pass::eval()] {
            let refused = pass.penalize(&x);
            assert!(matches!(
                refused,
                Err(Error::Shape {
                    what: "penalty",
                    ..
                })
            ));
        }
    }
    let one = tape.variable(Tensor::full(&[1, 1], 3.0).unwrap());
    pass.penalize(&one).unwrap();
    let penalty = &pass.take_penalties()[0];
    assert_eq!((penalty.shape(), penalty.item().unwrap()), (&[][..], 3.0));

    let mut trainer = trainer(Ridge::new(1.0), 0.0);
    for bad in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        let refused = trainer.set_penalty_weight(bad);
        assert!(matches!(refused, Err(Error::Number { .. })));
        assert_eq!(trainer.penalty_weight(), 1.0);
    }
}

/// A segment whose inner values are not kept has a tape of its own, on which a penalty would be lost.
#[test]
fn a_checkpointed_segment_with_a_penalty_is_refused() {
    let mut segment = trainer(Checkpoint::new(Ridge::new(0.3)), 0.0);
    let before = bits(&weights(segment.model()));
    assert!(matches!(step(&mut segment, 7), Err(Error::Unsupported(_))));
    assert_eq!(bits(&weights(segment.model())), before);
    assert_eq!(segment.steps(), 0);
    // Without a penalty, and outside of training, a segment is what it was.
    let mut free = trainer(Checkpoint::new(Ridge::new(0.0)), 0.0);
    step(&mut free, 7).unwrap();
    let x = Tape::new().constant(noise(&[4, 3], 1));
    segment.model().forward(&x, &Pass::eval()).unwrap();
}

/// A layer that checkpoints by itself, and penalises within.
#[derive(Clone, Debug)]
struct Sly(Ridge);

impl Layer for Sly {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let (inner, pass) = (self.0.clone(), pass.clone());
        x.checkpoint(move |x| inner.forward(x, &pass))
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        Vec::new()
    }
}

#[test]
fn a_penalty_of_another_tape_is_refused() {
    let mut sly = trainer(Sly(Ridge::new(0.3)), 0.0);
    assert!(matches!(step(&mut sly, 7), Err(Error::Unsupported(_))));
    assert_eq!(sly.steps(), 0);
}

#[test]
fn a_warm_up_is_a_line() {
    let warm_up = WarmUp::new(2, 6).unwrap();
    let weights: Vec<f64> = (0..8).map(|step| warm_up.weight(step)).collect();
    assert_eq!(weights, [0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0]);
    assert_eq!(WarmUp::epochs(1, 3, 2), Ok(warm_up));
    let jump = WarmUp::new(3, 3).unwrap();
    assert_eq!([2, 3].map(|step| jump.weight(step)), [0.0, 1.0]);
    assert_eq!(WarmUp::new(0, 0).unwrap().weight(0), 1.0);
    assert!(matches!(WarmUp::new(3, 2), Err(Error::Number { .. })));
    assert_eq!(
        WarmUp::epochs(u64::MAX, u64::MAX, 9).unwrap().weight(9),
        0.0
    );
}

/// Sets a weight in each step, one of which is none.
struct Falling;

impl Callback for Falling {
    fn penalty_weight(&mut self, step: u64) -> Option<f64> {
        Some(1.0 - step as f64)
    }
}

#[test]
fn a_callback_sets_the_weight_before_each_step() {
    let samples = || {
        let targets = Targets::Values(noise(&[6, 2], 4));
        Samples::new(noise(&[6, 3], 3), targets).unwrap()
    };
    let fit = Fit::new(3, 6);
    let mut model = trainer(Ridge::new(0.3), 0.0);
    model
        .fit(&samples(), None, &fit, &mut WarmUp::new(1, 5).unwrap())
        .unwrap();
    assert_eq!((model.steps(), model.penalty_weight()), (3, 0.25));
    let failed = model.fit(&samples(), None, &Fit::new(9, 6), &mut Falling);
    assert!(matches!(failed, Err(Error::Number { .. })));
    assert_eq!(model.steps(), 3);
}
