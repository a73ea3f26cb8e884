//! Mixout: weights that some elements of a pretrained model take the place of.

#[path = "support/differences.rs"]
mod differences;
mod support;
#[path = "support/zoo.rs"]
mod zoo;

use differences::check_differences;
use elision::autograd::{Tape, Var};
use elision::nn::{Layer, Linear, Mixout, Mode, Pass, Sequential};
use elision::reference::weights;
use elision::train::{Loss, Optimizer, OptimizerConfig, Rule, Target, Trainer};
use elision::{Dropout, Error, Form, Key, Mask, Result, Tensor};
use support::{bits, key, noise, on_every_isa};
use zoo::{RUN, forward, output, randomize};

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(11), p).unwrap()
}

/// A tensor that came of two.
fn mixed(w: &Tensor, u: &Tensor, f: impl Fn(&Var, &Var) -> Result<Var>) -> Tensor {
    let tape = Tape::new();
    let [w, u] = [w, u].map(|x| tape.variable(x.clone()));
    f(&w, &u).unwrap().to_tensor().unwrap()
}

#[test]
fn values_and_gradients_are_those_of_the_paper() {
    let inputs = [noise(&[4, 5], 1), noise(&[4, 5], 2)];
    on_every_isa("mixout", |isa| {
        for p in [0.0, 0.1, 0.5, 0.9] {
            let mix = dropout(p).with_offset(3);
            let kept = Mask::draw(&mix, 20).unwrap().to_bools();
            // The gradient with respect to w is m / (1 - p): the factor that the authors' code forgets.
            check_differences(
                &format!("{isa} {p}"),
                &inputs,
                |v| v[0].mixout(&v[1], &mix),
                |at| weights::mixout(&at[0], &at[1], &kept, p),
            );
            let columns = Mask::draw(&mix, 5).unwrap().to_bools().repeat(4);
            check_differences(
                &format!("{isa} {p} by columns"),
                &inputs,
                |v| v[0].mixout_columns(&v[1], &mix),
                |at| weights::mixout(&at[0], &at[1], &columns, p),
            );
        }
    });
}

#[test]
fn what_is_dropped_is_pretrained() {
    let (w, u) = (noise(&[10, 30], 1), noise(&[10, 30], 2));
    for p in [0.3, 0.7, 1.0] {
        let kept = Mask::draw(&dropout(p), 300).unwrap();
        let found = mixed(&w, &u, |w, u| w.mixout(u, &dropout(p)));
        for i in 0..300 {
            let is_u = found.as_slice()[i] == u.as_slice()[i];
            assert_eq!(is_u, kept.get(i) == Some(false), "{p} {i}");
        }
        // The weights that training has not moved stay where they are, whatever the mask.
        assert_eq!(mixed(&u, &u, |w, u| w.mixout(u, &dropout(p))), u, "{p}");
        assert_eq!(
            mixed(&u, &u, |w, u| w.mixout_columns(u, &dropout(p))),
            u,
            "{p}"
        );
        // Towards nothing it is dropout.
        let nothing = Tensor::zeros(&[10, 30]).unwrap();
        let found = mixed(&w, &nothing, |w, u| w.mixout(u, &dropout(p)));
        assert_eq!(found, mixed(&w, &w, |w, _| w.dropout(&dropout(p))), "{p}");
    }
    let found = mixed(&w, &u, |w, u| w.mixout(u, &dropout(0.0)));
    assert_eq!(bits(found.as_slice()), bits(w.as_slice()));
    // A weight that went wrong is replaced, not multiplied by zero.
    let nan = Tensor::full(&[10, 30], f32::NAN).unwrap();
    assert_eq!(mixed(&nan, &u, |w, u| w.mixout(u, &dropout(1.0))), u);
    assert_eq!(
        mixed(&nan, &u, |w, u| w.mixout_columns(u, &dropout(1.0))),
        u
    );
}

#[test]
fn the_mean_is_the_weights() {
    const DRAWS: u64 = 4000;
    let (w, u, p) = (noise(&[20], 1), noise(&[20], 2), 0.7);
    for (form, share) in [(Form::Inverted, 1.0), (Form::Original, 1.0 - p)] {
        let mut mean = [0.0; 20];
        for draw in 0..DRAWS {
            let mix = Dropout::new(key(3, &[draw]), p).unwrap().with_form(form);
            let found = mixed(&w, &u, |w, u| w.mixout(u, &mix));
            let sums = mean.iter_mut().zip(found.as_slice());
            sums.for_each(|(mean, &y)| *mean += f64::from(y) / DRAWS as f64);
        }
        for (i, mean) in mean.iter().enumerate() {
            let [w, u] = [&w, &u].map(|x| f64::from(x.as_slice()[i]));
            let apart = (w - u) * share / (1.0 - p);
            let error = 5.0 * apart.abs() * (p * (1.0 - p) / DRAWS as f64).sqrt();
            assert!((mean - u - share * (w - u)).abs() <= error + 1e-6, "{i}");
        }
    }
}

fn tuned(p: f64) -> (Linear, Mixout) {
    let linear = Linear::new(6, 4, RUN).unwrap();
    let mut layer = Mixout::new(&linear, p).unwrap();
    randomize(&mut layer);
    (linear, layer)
}

#[test]
fn a_layer_mixes_in_training_alone() {
    let (x, (linear, layer)) = (noise(&[5, 6], 1), tuned(0.7));
    let own = layer.parameters();
    let names: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["weight", "bias", "pretrained"]);
    assert_eq!(own[2].1.value(), linear.parameters()[0].1.value());
    assert!(!own[2].1.is_trainable());
    let tape = Tape::new();
    let [w, b, u] = [0, 1, 2].map(|i| tape.parameter(own[i].1).unwrap());
    let run = |w: &Var| {
        let y = tape
            .constant(x.clone())
            .linear(w, Some(&b), &Default::default());
        bits(y.unwrap().value().as_slice())
    };
    assert_eq!(output(&layer, &x, Mode::Eval, 0), run(&w));
    for pass in [Pass::train(RUN, 3), Pass::mc(RUN, 3)] {
        let mix = Dropout::new(pass.key().named("weight"), 0.7).unwrap();
        let bits_of = |layer: &Mixout| bits(forward(layer, &x, &pass).as_slice());
        assert_eq!(bits_of(&layer), run(&w.mixout(&u, &mix).unwrap()));
        let by_input = layer.clone().by_input();
        assert_eq!(
            bits_of(&by_input),
            run(&w.mixout_columns(&u, &mix).unwrap())
        );
    }
    let still = tuned(0.0).1;
    assert_eq!(
        output(&still, &x, Mode::Train, 1),
        output(&still, &x, Mode::Eval, 1)
    );
    let whole = tuned(1.0).1;
    let y = forward(&whole, &x, &Pass::train(RUN, 1));
    let mut start = linear;
    let bias = whole.parameters()[1].1.value().clone();
    start.parameters_mut()[1].1.set(bias).unwrap();
    assert_eq!(y, forward(&start, &x, &Pass::eval()));
}

/// With the loss the same for all weights, mixing keeps tuned weights where they are: no gradient, no step. With a loss it
/// trains, and the target stays.
#[test]
fn training_leaves_the_target_as_it_is() {
    let (linear, layer) = tuned(0.5);
    let model = Sequential::new().with("it", layer).unwrap();
    let optimizer = Optimizer::new(OptimizerConfig::new(Rule::adam(), 1e-2)).unwrap();
    let loss = Loss::CrossEntropy { smoothing: 0.0 };
    let mut trainer = Trainer::new(model, optimizer, loss, RUN);
    let x = noise(&[5, 6], 1);
    let mut losses = Vec::new();
    for _ in 0..40 {
        let batch = trainer.step(&x, &Target::Labels(&[0, 1, 2, 3, 0])).unwrap();
        losses.push(batch.loss);
    }
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[30..]) < mean(&losses[..10]), "{losses:?}");
    let parameters = trainer.model().named_parameters();
    let target = parameters.iter().find(|(name, _)| name == "it.pretrained");
    assert_eq!(target.unwrap().1.value(), linear.parameters()[0].1.value());
}

#[test]
fn faults_are_named() {
    let tape = Tape::new();
    let (w, other) = (
        tape.variable(noise(&[2, 3], 1)),
        tape.variable(noise(&[3], 1)),
    );
    let mix = dropout(0.5);
    // It would broadcast.
    assert!(matches!(w.mixout(&other, &mix), Err(Error::Shape { .. })));
    assert!(matches!(
        w.mixout_columns(&other, &mix),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        other.mixout_columns(&other, &mix),
        Err(Error::Rank { .. })
    ));
    let late = mix.with_offset(u64::MAX - 2);
    assert!(matches!(w.mixout(&w, &late), Err(Error::Overflow(_))));
    assert!(matches!(
        w.mixout_columns(&w, &late),
        Err(Error::Overflow(_))
    ));
    assert!(matches!(
        w.select(&Mask::all(5), 1.0),
        Err(Error::Length { .. })
    ));
    let linear = Linear::new(3, 2, RUN).unwrap();
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(
            Mixout::new(&linear, p),
            Err(Error::Probability(_))
        ));
        let mut layer = Mixout::new(&linear, 0.5).unwrap();
        assert!(matches!(layer.set_rate(p), Err(Error::Probability(_))));
        assert_eq!(layer.rate(), Some(0.5));
    }
    let dropping = linear.dropout(0.5).unwrap();
    assert!(matches!(
        Mixout::new(&dropping, 0.5),
        Err(Error::Unsupported(_))
    ));
}
