//! R-Drop: the loss, its gradient, and training with it.

mod support;
#[path = "support/training.rs"]
mod training;

use elision::nn::Sequential;
use elision::reference::softmax;
use elision::train::{Fit, Loss, Optimizer, Target, Trainer};
use elision::{CheckpointFault, Error, Key, Tensor, ops};
use support::{bits, noise, on_every_isa, on_threads};
use training::{CLASSES, adam, clusters, mlp, sgd, trainer, weights};

fn labels(rows: usize, classes: usize) -> Vec<u32> {
    (0..rows).map(|i| (i * 7 % classes) as u32).collect()
}

fn wide(x: &Tensor) -> Vec<f64> {
    x.as_slice().iter().map(|&x| 3.0 * f64::from(x)).collect()
}

/// Logits of two passes of a few units, as f32 and f64.
fn logits(rows: usize, classes: usize, seed: u64) -> (Tensor, Vec<f64>) {
    let x = noise(&[2 * rows, classes], seed);
    let exact = wide(&x);
    let data = exact.iter().map(|&x| x as f32).collect();
    let x = Tensor::from_vec(data, &[2 * rows, classes]).unwrap();
    let exact = x.as_slice().iter().map(|&x| x.into()).collect();
    (x, exact)
}

fn loss_and_gradient(x: &Tensor, labels: &[u32], alpha: f64) -> (f64, Tensor) {
    let mut grad = Tensor::full(x.shape(), f32::NAN).unwrap();
    let loss = ops::r_drop(x, labels, 0.0, alpha, Some(grad.view_mut())).unwrap();
    assert_eq!(ops::r_drop(x, labels, 0.0, alpha, None), Ok(loss));
    (loss, grad)
}

#[test]
fn it_is_the_reference_and_its_differences() {
    on_every_isa("R-Drop", |isa| {
        for (rows, classes) in [(1, 1), (1, 2), (3, 7), (33, 17)] {
            let ((x, exact), labels) = (logits(rows, classes, 1), labels(rows, classes));
            for alpha in [0.0, 0.7, 5.0] {
                let value = |x: &[f64]| softmax::r_drop(x, classes, &labels, alpha);
                let (loss, grad) = loss_and_gradient(&x, &labels, alpha);
                let expected = value(&exact);
                assert!(
                    (loss - expected).abs() < 1e-6 * (1.0 + expected),
                    "{isa}: {loss}, {expected}"
                );
                for (i, &grad) in grad
                    .as_slice()
                    .iter()
                    .enumerate()
                    .step_by(1 + exact.len() / 60)
                {
                    let at = |step: f64| {
                        let mut x = exact.clone();
                        x[i] += step;
                        value(&x)
                    };
                    let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                    assert!(
                        (f64::from(grad) - slope).abs() < 2e-7 * (1.0 + alpha),
                        "{isa} {rows}x{classes} {alpha} {i}"
                    );
                }
            }
        }
    });
}

/// The two passes changed over.
fn swapped(x: &Tensor) -> Tensor {
    let (first, second) = x.as_slice().split_at(x.len() / 2);
    Tensor::from_vec([second, first].concat(), x.shape()).unwrap()
}

fn halves(x: &Tensor) -> [Tensor; 2] {
    let (rows, classes) = (x.shape()[0] / 2, x.shape()[1]);
    let (first, second) = x.as_slice().split_at(rows * classes);
    [first, second].map(|half| Tensor::from_slice(half, &[rows, classes]).unwrap())
}

#[test]
fn the_divergence_is_symmetric_and_not_below_zero() {
    on_every_isa("symmetric divergence", |_| {
        for seed in 0..20 {
            let (x, _) = logits(5, 9, seed);
            let [p, q] = halves(&x);
            let mut grads = [(); 2].map(|()| Tensor::full(p.shape(), f32::NAN).unwrap());
            let [of_p, of_q] = &mut grads;
            let into = Some([of_p.view_mut(), of_q.view_mut()]);
            let divergence = ops::symmetric_kl(&p, &q, into).unwrap();
            assert!(divergence > 0.0);
            let mut others = [(); 2].map(|()| Tensor::zeros(p.shape()).unwrap());
            let [of_q, of_p] = &mut others;
            let into = Some([of_q.view_mut(), of_p.view_mut()]);
            assert_eq!(ops::symmetric_kl(&q, &p, into), Ok(divergence));
            assert_eq!(bits(grads[0].as_slice()), bits(others[1].as_slice()));
            assert_eq!(bits(grads[1].as_slice()), bits(others[0].as_slice()));
            let labels = labels(5, 9);
            let [(loss, grad), (other, turned)] =
                [x.clone(), swapped(&x)].map(|x| loss_and_gradient(&x, &labels, 2.0));
            assert!((loss - other).abs() < 1e-12);
            assert_eq!(bits(grad.as_slice()), bits(swapped(&turned).as_slice()));
            // Nearly equal passes: no rounding makes a divergence of less than nothing.
            let nearly = Tensor::from_vec(
                p.as_slice().iter().map(|x| x * (1.0 + 1e-7)).collect(),
                p.shape(),
            )
            .unwrap();
            assert!(ops::symmetric_kl(&p, &nearly, None).unwrap() >= 0.0);
        }
    });
}

#[test]
fn equal_passes_leave_the_cross_entropy() {
    on_every_isa("R-Drop of equal passes", |_| {
        let (x, _) = logits(6, 5, 3);
        let [p, _] = halves(&x);
        let both = Tensor::from_vec([p.as_slice(), p.as_slice()].concat(), x.shape()).unwrap();
        let labels = labels(6, 5);
        let twice = [&labels[..], &labels].concat();
        for (x, alpha) in [(&both, 5.0), (&x, 0.0)] {
            let (loss, grad) = loss_and_gradient(x, &labels, alpha);
            let mut of_entropy = Tensor::zeros(x.shape()).unwrap();
            let entropy = ops::softmax_cross_entropy(x, &twice, Some(of_entropy.view_mut()));
            assert_eq!(entropy, Ok(loss));
            assert_eq!(grad.as_slice(), of_entropy.as_slice());
        }
        assert_eq!(ops::symmetric_kl(&p, &p, None), Ok(0.0));
        let (_, grad) = loss_and_gradient(&x, &labels, 1.0);
        // What is added to all logits of a row changes nothing.
        for row in grad.as_slice().chunks(5) {
            assert!(row.iter().sum::<f32>().abs() < 1e-6);
        }
    });
}

#[test]
fn threads_and_strides_do_not_matter() {
    let (x, _) = logits(700, 33, 5);
    let labels = labels(700, 33);
    let runs = [1, 2, 3].map(|threads| {
        on_threads(threads, || {
            let (loss, grad) = loss_and_gradient(&x, &labels, 1.5);
            (loss.to_bits(), bits(grad.as_slice()))
        })
    });
    assert!(runs[0] == runs[1] && runs[0] == runs[2]);
    // Columns that lie apart, in and out.
    let turned = x.view().transpose(0, 1).unwrap().to_tensor().unwrap();
    let mut grad = Tensor::zeros(turned.shape()).unwrap();
    let into = grad.view_mut().transpose(0, 1).unwrap();
    let view = turned.view().transpose(0, 1).unwrap();
    let loss = ops::r_drop(view, &labels, 0.0, 1.5, Some(into)).unwrap();
    let grad = grad.view().transpose(0, 1).unwrap().to_tensor().unwrap();
    assert_eq!((loss.to_bits(), bits(grad.as_slice())), runs[0]);
}

#[test]
fn extreme_logits_are_told_truly() {
    let divergence = |p: &[f32], q: &[f32]| {
        let [p, q] = [p, q].map(|row| Tensor::from_slice(row, &[1, row.len()]).unwrap());
        let mut grads = [(); 2].map(|()| Tensor::zeros(p.shape()).unwrap());
        let [of_p, of_q] = &mut grads;
        let into = Some([of_p.view_mut(), of_q.view_mut()]);
        let divergence = ops::symmetric_kl(&p, &q, into).unwrap();
        (divergence, grads.map(Tensor::into_vec))
    };
    let (far, [of_p, _]) = divergence(&[1e4, 0.0], &[0.0, 1e4]);
    // P = (1, 0) and Q = (0, 1) but for what an exponential can tell: (1 - 0) (1e4 + 1e4).
    assert!(
        (far - 1e4).abs() < 1e-6 && of_p == [0.5, -0.5],
        "{far} {of_p:?}"
    );
    let none = f32::NEG_INFINITY;
    let (both, [of_p, of_q]) = divergence(&[none, 1.0, 0.0], &[none, 0.0, 1.0]);
    let (alone, [p, q]) = divergence(&[1.0, 0.0], &[0.0, 1.0]);
    assert_eq!((both, of_p[0], of_q[0]), (alone, 0.0, 0.0));
    assert_eq!((&of_p[1..], &of_q[1..]), (&p[..], &q[..]));
    assert_eq!(divergence(&[none, 1.0], &[0.0, 1.0]).0, f64::INFINITY);
    for wrong in [f32::NAN, f32::INFINITY] {
        assert!(divergence(&[wrong, 1.0], &[0.0, 1.0]).0.is_nan());
    }
    assert!(divergence(&[none, none], &[0.0, 1.0]).0.is_nan());
}

#[test]
fn what_is_wrong_changes_nothing() {
    let x = noise(&[4, 3], 1);
    let mut grad = Tensor::full(&[4, 3], 7.0).unwrap();
    let mut r_drop = |x: &Tensor, labels: &[u32], smoothing, alpha| {
        let result = ops::r_drop(x, labels, smoothing, alpha, Some(grad.view_mut()));
        assert!(grad.as_slice().iter().all(|&g| g == 7.0));
        result.unwrap_err()
    };
    for alpha in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            r_drop(&x, &[0, 1], 0.0, alpha),
            Error::Number { .. }
        ));
    }
    assert!(matches!(
        r_drop(&x, &[0, 1], 1.0, 1.0),
        Error::Number { .. }
    ));
    assert!(matches!(
        r_drop(&x, &[0, 1, 2, 0], 0.0, 1.0),
        Error::Length { .. }
    ));
    assert!(matches!(r_drop(&x, &[0, 3], 0.0, 1.0), Error::Label { .. }));
    assert!(matches!(
        r_drop(&noise(&[4], 1), &[0, 1], 0.0, 1.0),
        Error::Rank { .. }
    ));
    assert!(matches!(
        r_drop(&noise(&[2, 3], 1), &[0], 0.0, 1.0),
        Error::Shape { .. }
    ));
    let none = Tensor::zeros(&[0, 3]).unwrap();
    assert!(matches!(
        ops::r_drop(&none, &[], 0.0, 1.0, None),
        Err(Error::Empty(_))
    ));
    assert!(matches!(
        ops::symmetric_kl(&none, &none, None),
        Err(Error::Empty(_))
    ));
    let narrow = Tensor::zeros(&[3, 0]).unwrap();
    assert!(matches!(
        ops::symmetric_kl(&narrow, &narrow, None),
        Err(Error::Empty(_))
    ));
    assert!(matches!(
        ops::symmetric_kl(&x, &noise(&[4, 2], 1), None),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        ops::symmetric_kl(&noise(&[4], 1), &noise(&[4], 1), None),
        Err(Error::Rank { .. })
    ));
}

fn r_dropped(p: f64, alpha: f64) -> Trainer<Sequential> {
    trainer(p, adam(0.01)).r_drop(alpha).unwrap()
}

#[test]
fn a_step_is_two_passes_of_one_batch() {
    let samples = clusters(16);
    let mut stepped = r_dropped(0.4, 2.0);
    let seen = stepped.step(samples.x(), &samples.target()).unwrap();
    // By hand: the rows twice, in one pass.
    let by_hand = trainer(0.4, adam(0.01));
    let rows: Vec<usize> = (0..16).chain(0..16).collect();
    let both = samples.gather(&rows).unwrap();
    let tape = elision::autograd::Tape::new();
    let pass = elision::nn::Pass::train(by_hand.key(), 0);
    let output =
        elision::nn::Layer::forward(by_hand.model(), &tape.constant(both.x().clone()), &pass)
            .unwrap();
    let Target::Labels(labels) = samples.target() else {
        panic!("labels")
    };
    let loss = output.r_drop(labels, 0.0, 2.0).unwrap().item().unwrap();
    assert_eq!((seen.loss, seen.rows), (f64::from(loss), 16));
    assert!(seen.correct <= 16);
    let [first, second] = halves(&output.to_tensor().unwrap());
    assert_ne!(first.as_slice(), second.as_slice(), "masks of their own");
    assert!(ops::symmetric_kl(&first, &second, None).unwrap() > 0.0);
    // Gathered rows are no other step.
    let mut gathered = r_dropped(0.4, 2.0);
    let rows: Vec<usize> = (0..16).collect();
    assert_eq!(gathered.step_rows(&samples, &rows), Ok(seen));
    assert_eq!(weights(gathered.model()), weights(stepped.model()));
}

#[test]
fn without_dropout_it_is_cross_entropy() {
    let (samples, fit) = (clusters(50), Fit::new(2, 16));
    let mut plain = trainer(0.0, sgd(0.05));
    let mut doubled = trainer(0.0, sgd(0.05)).r_drop(5.0).unwrap();
    let histories = [&mut plain, &mut doubled]
        .map(|trainer| trainer.fit(&samples, None, &fit, &mut ()).unwrap());
    for (plain, doubled) in histories[0].epochs.iter().zip(&histories[1].epochs) {
        assert!((plain.train.loss - doubled.train.loss).abs() < 1e-5);
        assert_eq!(
            (plain.train.correct, plain.train.rows),
            (doubled.train.correct, doubled.train.rows)
        );
    }
    let all = weights(plain.model())
        .into_iter()
        .zip(weights(doubled.model()));
    assert!(
        all.into_iter()
            .all(|(a, b)| (f32::from_bits(a) - f32::from_bits(b)).abs() < 1e-4)
    );
}

#[test]
fn it_brings_the_passes_together() {
    let (samples, fit) = (clusters(60), Fit::new(30, 20));
    let divergence = |alpha: f64| {
        let mut trainer = r_dropped(0.5, alpha);
        trainer.fit(&samples, None, &fit, &mut ()).unwrap();
        let tape = elision::autograd::Tape::new();
        let outputs = [0, 1].map(|sample| {
            let pass = elision::nn::Pass::mc(Key::new(5), sample);
            let x = tape.constant(samples.x().clone());
            let y = elision::nn::Layer::forward(trainer.model(), &x, &pass).unwrap();
            y.to_tensor().unwrap()
        });
        ops::symmetric_kl(&outputs[0], &outputs[1], None).unwrap()
    };
    let [without, with] = [0.0, 5.0].map(divergence);
    assert!(with < 0.5 * without, "{with} {without}");
}

#[test]
fn parts_of_a_batch_and_threads_go_together() {
    let samples = clusters(24);
    let run = |threads| {
        on_threads(threads, || {
            let mut trainer = r_dropped(0.3, 1.0).accumulate(3).unwrap();
            let seen = trainer.step(samples.x(), &samples.target()).unwrap();
            (seen, weights(trainer.model()))
        })
    };
    assert!(run(1) == run(3));
    // Without dropout the parts change nothing but roundings.
    let [whole, parts] = [1, 4].map(|parts| {
        let mut trainer = trainer(0.0, sgd(0.05))
            .r_drop(2.0)
            .unwrap()
            .accumulate(parts)
            .unwrap();
        trainer.step(samples.x(), &samples.target()).unwrap()
    });
    assert!((whole.loss - parts.loss).abs() < 1e-6);
    assert_eq!((whole.correct, whole.rows), (parts.correct, parts.rows));
}

#[test]
fn it_goes_on_bit_for_bit() {
    let (samples, fit) = (clusters(50), Fit::new(2, 16));
    on_every_isa("resuming R-Drop", |_| {
        for parts in [1, 2] {
            let fresh = || r_dropped(0.4, 0.7).accumulate(parts).unwrap();
            let mut whole = fresh();
            whole.fit(&samples, None, &fit, &mut ()).unwrap();
            let mut first = fresh();
            let one = Fit::new(1, 16);
            first.fit(&samples, None, &one, &mut ()).unwrap();
            let checkpoint = first.checkpoint().unwrap();
            let mut second = fresh();
            second.restore(&checkpoint).unwrap();
            second.fit(&samples, None, &fit, &mut ()).unwrap();
            assert_eq!(weights(second.model()), weights(whole.model()));
        }
    });
    let r_drop = r_dropped(0.4, 0.7).checkpoint().unwrap();
    let plain = trainer(0.4, adam(0.01)).checkpoint().unwrap();
    let metadata = |error: Error| matches!(error, Error::Checkpoint(CheckpointFault::Metadata { ref name, .. }) if name == "elision.r_drop");
    assert!(metadata(
        trainer(0.4, adam(0.01)).restore(&r_drop).unwrap_err()
    ));
    assert!(metadata(r_dropped(0.4, 0.8).restore(&r_drop).unwrap_err()));
    assert!(r_dropped(0.4, 0.7).restore(&plain).is_err());
    assert_eq!(trainer(0.4, adam(0.01)).restore(&plain), Ok(()));
}

#[test]
fn it_is_for_classes() {
    let with = |loss, alpha| {
        let optimizer = Optimizer::new(sgd(0.1)).unwrap();
        Trainer::new(mlp(0.1), optimizer, loss, Key::new(1)).r_drop(alpha)
    };
    assert!(matches!(
        with(Loss::MeanSquaredError, 1.0),
        Err(Error::Unsupported(_))
    ));
    for alpha in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(with(CLASSES, alpha), Err(Error::Number { .. })));
    }
    let mut trainer = with(Loss::CrossEntropy { smoothing: 0.1 }, 1.0).unwrap();
    let (samples, values) = (clusters(4), noise(&[4, 3], 1));
    let result = trainer.step(samples.x(), &Target::Values(values.view()));
    assert!(matches!(result, Err(Error::Unsupported(_))));
    assert_eq!(trainer.steps(), 0);
    assert!(trainer.step(samples.x(), &samples.target()).is_ok());
    assert!(matches!(
        trainer.step(&Tensor::zeros(&[0, 5]).unwrap(), &Target::Labels(&[])),
        Err(Error::Empty(_))
    ));
}
