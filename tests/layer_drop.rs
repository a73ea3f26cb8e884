//! Layers that are left out, and heads that are run several times.

mod support;
#[path = "support/zoo.rs"]
mod zoo;

use elision::autograd::{Tape, Var};
use elision::nn::{
    Dropout, Layer, LayerDrop, Linear, Mode, MultiSample, Pass, Sequential, multi_sample,
};
use elision::{Activation, Error, Mask, Result, Tensor};
use support::{bits, noise, on_every_isa};
use zoo::{RUN, forward, output, pass, randomize};

const LAYERS: usize = 6;

fn stack() -> Sequential {
    let mut stack = Sequential::new();
    for l in 0..LAYERS {
        let layer = Linear::new(5, 5, RUN.fold_in(l as u64)).unwrap().residual();
        let layer = layer.activation(Activation::Tanh);
        stack = stack.with(&l.to_string(), layer).unwrap();
    }
    randomize(&mut stack);
    stack
}

/// The layers that a pass keeps.
fn kept(pass: &Pass, p: f64) -> Mask {
    let dropout = elision::Dropout::new(pass.key(), p).unwrap();
    Mask::draw(&dropout, LAYERS).unwrap()
}

#[test]
fn a_layer_runs_if_its_bit_says_so() {
    let (x, stack) = (noise(&[4, 5], 1), stack());
    let dropped = LayerDrop::new(stack.clone(), 0.4).unwrap();
    on_every_isa("layer drop", |isa| {
        let mut seen = 0;
        for step in 0..20 {
            for mode in [Mode::Train, Mode::Mc] {
                let pass = pass(mode, step);
                let (tape, kept) = (Tape::new(), kept(&pass, 0.4));
                let x = tape.variable(x.clone());
                let y = dropped.forward(&x, &pass).unwrap();
                let mut want = x.clone();
                for (l, (name, layer)) in stack.children().into_iter().enumerate() {
                    if kept.get(l) == Some(true) {
                        want = pass.run(name, layer, &want).unwrap();
                    }
                }
                assert_eq!(
                    bits(y.value().as_slice()),
                    bits(want.value().as_slice()),
                    "{isa}"
                );
                let Ok(gradients) = y.backward_from(noise(y.shape(), 2)) else {
                    panic!("the input has a gradient");
                };
                for (l, (_, layer)) in stack.children().into_iter().enumerate() {
                    let found = gradients.get(layer.parameters()[0].1).is_some();
                    assert_eq!(Some(found), kept.get(l), "{isa} step {step} layer {l}");
                }
                seen += kept.count_kept();
            }
        }
        // 240 decisions at 0.6, five deviations either way.
        assert!((106..182).contains(&seen), "{seen}");
    });
}

#[test]
fn evaluation_runs_all_of_them() {
    let (x, stack) = (noise(&[4, 5], 1), stack());
    let whole = output(&stack, &x, Mode::Eval, 0);
    let with = |p| LayerDrop::new(stack.clone(), p).unwrap();
    assert_eq!(output(&with(0.7), &x, Mode::Eval, 1), whole);
    assert_eq!(output(&with(0.0), &x, Mode::Train, 1), whole);
    assert_eq!(forward(&with(1.0), &x, &Pass::train(RUN, 1)), x);
    let names = |layer: &dyn Layer| {
        let all = layer.named_parameters().into_iter();
        all.map(|(name, own)| (name, own.id())).collect::<Vec<_>>()
    };
    assert_eq!(names(&with(0.5)), names(&stack));
    let none = LayerDrop::new(Sequential::new(), 0.5).unwrap();
    assert_eq!(forward(&none, &x, &Pass::train(RUN, 1)), x);
}

fn head(p: f64) -> Sequential {
    let mut head = Sequential::new()
        .with("dropout", Dropout::new(p).unwrap())
        .and_then(|it| it.with("output", Linear::new(6, 3, RUN)?))
        .unwrap();
    randomize(&mut head);
    head
}

const LABELS: [u32; 4] = [0, 2, 1, 1];

/// Logits and loss of one sample of a head, under the key of a pass.
fn sample(head: &dyn Layer, x: &Var, pass: &Pass) -> Result<(Var, Var)> {
    let logits = pass.run("head", head, x)?;
    let loss = logits.cross_entropy(&LABELS, 0.0)?;
    Ok((logits, loss))
}

#[test]
fn samples_have_masks_of_their_own_and_are_averaged() {
    let (features, head) = (noise(&[4, 6], 1), head(0.5));
    on_every_isa("samples of a head", |isa| {
        for k in [1, 2, 5] {
            for mode in Mode::ALL {
                let what = format!("{isa} {k} {mode}");
                let (tape, pass) = (Tape::new(), pass(mode, 3));
                let x = tape.variable(features.clone());
                let samples = match (k, mode) {
                    (1, _) | (_, Mode::Eval) => vec![sample(&head, &x, &pass).unwrap()],
                    _ => (0..k)
                        .map(|i| sample(&head, &x, &pass.child(&i.to_string())).unwrap())
                        .collect(),
                };
                let distinct = samples.len() == 1
                    || samples[0].0.value().as_slice() != samples[1].0.value().as_slice();
                assert!(distinct, "{what}: masks");
                let mean = |values: Vec<f64>| values.iter().sum::<f64>() / samples.len() as f64;
                let want = mean(samples.iter().map(|s| s.1.item().unwrap().into()).collect());
                let loss = multi_sample(k, &pass, |pass| Ok(sample(&head, &x, pass)?.1)).unwrap();
                assert!(
                    (f64::from(loss.item().unwrap()) - want).abs() < 1e-5,
                    "{what}"
                );
                let layer = MultiSample::new(head.clone(), k).unwrap();
                let logits = layer.forward(&x, &pass).unwrap();
                for (i, found) in logits.view().iter().enumerate() {
                    let each = samples.iter().map(|s| s.0.value().as_slice()[i].into());
                    assert!(
                        (f64::from(found) - mean(each.collect())).abs() < 1e-5,
                        "{what}"
                    );
                }
                // The loss of a mean is at most the mean of the losses.
                let of_mean = logits.cross_entropy(&LABELS, 0.0).unwrap().item().unwrap();
                assert!(f64::from(of_mean) <= want + 1e-6, "{what}");
            }
        }
    });
}

/// The gradient of the mean is the mean of the gradients.
#[test]
fn gradients_of_samples_are_averaged() {
    let (features, head, pass) = (noise(&[4, 6], 1), head(0.5), Pass::train(RUN, 3));
    let gradient = |f: &dyn Fn(&Var) -> Result<Var>| {
        let x = Tape::new().variable(features.clone());
        let found = f(&x).unwrap().backward().unwrap();
        let weights = head.named_parameters()[0].1.clone();
        [found.of(&x), found.get(&weights)].map(|g| g.unwrap().to_tensor().unwrap())
    };
    let of = |i: u32| {
        let pass = pass.child(&i.to_string());
        gradient(&|x| Ok(sample(&head, x, &pass)?.1))
    };
    let each: Vec<[Tensor; 2]> = (0..4).map(of).collect();
    let all = gradient(&|x| multi_sample(4, &pass, |pass| Ok(sample(&head, x, pass)?.1)));
    for which in 0..2 {
        for (i, &found) in all[which].as_slice().iter().enumerate() {
            let want: f32 = each.iter().map(|it| it[which].as_slice()[i] / 4.0).sum();
            assert!((found - want).abs() < 1e-6, "{found} instead of {want}");
        }
    }
}

#[test]
fn faults_are_named() {
    for p in [-0.1, 1.1, f64::NAN] {
        let wrong = LayerDrop::new(Sequential::new(), p);
        assert!(matches!(wrong, Err(Error::Probability(_))));
        let mut layer = LayerDrop::new(Sequential::new(), 0.5).unwrap();
        assert!(matches!(layer.set_rate(p), Err(Error::Probability(_))));
    }
    let wide = Sequential::new().with("wide", Linear::new(5, 7, RUN).unwrap());
    let wide = LayerDrop::new(wide.unwrap(), 0.0).unwrap();
    let x = Tape::new().variable(noise(&[4, 5], 1));
    for pass in [Pass::eval(), Pass::train(RUN, 0)] {
        assert!(matches!(wide.forward(&x, &pass), Err(Error::Shape { .. })));
        let none = multi_sample(0, &pass, |_| Ok(x.clone()));
        assert!(matches!(none, Err(Error::Empty(_))));
    }
    assert!(matches!(
        MultiSample::new(head(0.5), 0),
        Err(Error::Empty(_))
    ));
}
