//! Every layer in every mode.

mod support;
#[path = "support/zoo.rs"]
mod zoo;

use elision::autograd::{Parameter, Tape};
use elision::nn::{Checkpoint, Dropout, Layer, Linear, Mode, Pass, Sequential};
use elision::{Error, Tensor};
use support::{bits, noise, on_every_isa, on_threads};
use zoo::{RUN, Specimen, all, forward, output, pass};

/// Output and all gradients, the input's last, as bits.
fn step(model: &dyn Layer, x: &Tensor, pass: &Pass) -> Vec<Option<Vec<u32>>> {
    let tape = Tape::new();
    let x = tape.variable(x.clone());
    let y = model.forward(&x, pass).unwrap();
    let gradients = y.backward_from(noise(y.shape(), 8)).unwrap();
    let of = |g: elision::View<'_>| bits(g.to_tensor().unwrap().as_slice());
    let parameters = model.named_parameters();
    let all = parameters.iter().map(|(_, p)| gradients.get(p).map(of));
    let rest = [gradients.of(&x).map(of), Some(bits(y.value().as_slice()))];
    all.chain(rest).collect()
}

/// Which of those there are: of what is trained, of the input, and the output.
fn reached(it: &Specimen) -> Vec<bool> {
    let parameters = it.plain.named_parameters().into_iter();
    let trained = parameters.map(|(_, own)| own.is_trainable());
    trained.chain([it.differentiable, true]).collect()
}

#[test]
fn layers_in_every_mode() {
    on_every_isa("layers", |isa| {
        for it in all().unwrap() {
            let (x, model) = (it.x.clone(), &it.plain);
            for mode in Mode::ALL {
                let what = format!("{isa} {} {mode}", it.name);
                let first = output(model, &x, mode, 0);
                assert!(
                    first.iter().all(|&y| f32::from_bits(y).is_finite()),
                    "{what}"
                );
                assert_eq!(output(model, &x, mode, 0), first, "{what}: the same again");
                let draws = it.drops && mode.drops();
                assert_eq!(
                    output(model, &x, mode, 1) != first,
                    draws,
                    "{what}: another step"
                );
                for threads in [1, 2, 4] {
                    let found = || isa.install(|| output(&it.plain, &x, mode, 0));
                    let found = on_threads(threads, found);
                    assert_eq!(found, first, "{what}: {threads} threads");
                }
            }
            // Evaluation asks for no key: that of another path gives the same.
            let elsewhere = forward(model, &x, &Pass::eval().child("elsewhere"));
            let eval = output(model, &x, Mode::Eval, 0);
            assert_eq!(bits(elsewhere.as_slice()), eval, "{isa} {}", it.name);
            // What does not drop is the same in evaluation and under Monte Carlo, bit for bit.
            let mut still = it.plain.clone();
            let mut has_rate = !it.drops;
            let mut silence = |_: &str, layer: &mut dyn Layer| {
                has_rate |= layer.rate().is_some();
                layer.set_rate(0.0)
            };
            still.for_each_layer_mut(&mut silence).unwrap();
            assert_eq!(output(&still, &x, Mode::Eval, 0), eval, "{isa} {}", it.name);
            // Noise that is no dropout has no rate to be silenced by.
            if has_rate {
                assert_eq!(output(&still, &x, Mode::Mc, 0), eval, "{isa} {}", it.name);
            }
        }
    });
}

#[test]
fn checkpointed_layers_have_the_same_gradients() {
    on_every_isa("checkpointed layers", |isa| {
        for it in all().unwrap() {
            let x = it.x.clone();
            for mode in Mode::ALL {
                let (plain, segment) = (pass(mode, 4), pass(mode, 4));
                let want = step(&it.plain, &x, &plain);
                let found: Vec<bool> = want.iter().map(Option::is_some).collect();
                assert_eq!(found, reached(&it), "{isa} {}: gradients", it.name);
                let what = format!("{isa} {} {mode}", it.name);
                assert_eq!(step(&it.segment, &x, &segment), want, "{what}");
                let state = |mut model: Sequential, pass: &Pass| {
                    pass.take_updates().apply(&mut model).unwrap();
                    let all = model.named_parameters().into_iter();
                    all.map(|(_, own)| bits(own.value().as_slice()))
                        .collect::<Vec<_>>()
                };
                let [plain, segment] = [(it.plain.clone(), plain), (it.segment.clone(), segment)]
                    .map(|(model, pass)| state(model, &pass));
                assert_eq!(segment, plain, "{what}: state");
            }
        }
    });
}

/// The sum of the outputs times numbers without a pattern.
fn loss(model: &dyn Layer, x: &Tensor) -> f64 {
    let y = forward(model, x, &pass(Mode::Train, 4));
    let weights = noise(y.shape(), 8);
    let pairs = y.as_slice().iter().zip(weights.as_slice());
    pairs.map(|(&y, &w)| f64::from(y) * f64::from(w)).sum()
}

/// Moves every element of a tensor by `h` times a number of its own.
fn moved(x: &mut Tensor, h: f32, seed: u64) {
    let direction = noise(x.shape(), seed);
    let pairs = x.as_mut_slice().iter_mut().zip(direction.as_slice());
    pairs.for_each(|(x, d)| *x += h * d);
}

/// Along one direction for all parameters and one for the input, in f32: a wrong sign or factor is found, a wrong
/// bit is not.
#[test]
fn gradients_of_layers_are_central_differences() {
    const STEP: f32 = 1e-3;
    const TOLERANCE: f64 = 5e-3;
    for it in all().unwrap() {
        let x = it.x.clone();
        let tape = Tape::new();
        let v = tape.variable(x.clone());
        let y = it.plain.forward(&v, &pass(Mode::Train, 4)).unwrap();
        let gradients = y.backward_from(noise(y.shape(), 8)).unwrap();
        let along = |g: elision::View<'_>, seed| -> f64 {
            let direction = noise(g.shape(), seed);
            let pairs = g.iter().zip(direction.as_slice());
            pairs.map(|(g, &d)| f64::from(g) * f64::from(d)).sum()
        };
        let near = |what: &str, found: f64, at: [f64; 2]| {
            let want = (at[1] - at[0]) / (2.0 * f64::from(STEP));
            let off = (found - want).abs() / want.abs().max(1.0);
            assert!(
                off <= TOLERANCE,
                "{} {what}: {found} instead of {want}",
                it.name
            );
        };
        if it.differentiable {
            let at = [-STEP, STEP].map(|h| {
                let mut x = x.clone();
                moved(&mut x, h, 50);
                loss(&it.plain, &x)
            });
            near("input", along(gradients.of(&v).unwrap(), 50), at);
        }
        let at = [-STEP, STEP].map(|h| {
            let (mut model, mut seed) = (it.plain.clone(), 50);
            let mut shift = |_: &str, p: &mut Parameter| {
                seed += 1;
                if p.is_trainable() {
                    moved(p.value_mut(), h, seed);
                }
                Ok(())
            };
            model.for_each_parameter_mut(&mut shift).unwrap();
            loss(&model, &x)
        });
        let parameters = it.plain.named_parameters();
        let each = (51..)
            .zip(&parameters)
            .filter(|(_, (_, p))| p.is_trainable());
        let found = each
            .map(|(seed, (_, p))| along(gradients.get(p).unwrap(), seed))
            .sum();
        near("parameters", found, at);
    }
}

#[test]
fn layers_name_the_same_parameters_in_all_ways() {
    for it in all().unwrap() {
        let names = |model: &dyn Layer| {
            let all = model.named_parameters().into_iter();
            all.map(|(name, p)| (name, p.id())).collect::<Vec<_>>()
        };
        let mut model = it.plain.clone();
        let mut seen = Vec::new();
        model
            .for_each_parameter_mut(&mut |name, p| {
                seen.push((name.to_owned(), p.id()));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, names(&it.plain), "{}", it.name);
        assert_eq!(names(&it.segment), seen, "{}: as a segment", it.name);
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{}", it.name);
        let count: usize = it
            .plain
            .named_parameters()
            .iter()
            .map(|(_, p)| p.value().len())
            .sum();
        assert!(it.plain.parameter_count() <= count);
    }
}

#[test]
fn a_clone_shares_memory_until_it_is_trained() {
    for it in all().unwrap() {
        for original in [it.plain, it.segment] {
            let places = |model: &dyn Layer| {
                let all = model.named_parameters().into_iter();
                all.map(|(_, p)| p.value().as_slice().as_ptr())
                    .collect::<Vec<_>>()
            };
            let x = it.x.clone();
            let before = output(&original, &x, Mode::Eval, 0);
            let mut copy = original.clone();
            assert_eq!(places(&copy), places(&original));
            let change = &mut |_: &str, p: &mut Parameter| {
                p.value_mut().as_mut_slice().fill(0.5);
                Ok(())
            };
            copy.for_each_parameter_mut(change).unwrap();
            let pairs = places(&copy).into_iter().zip(places(&original));
            assert!(pairs.into_iter().all(|(a, b)| a != b), "{}", it.name);
            assert_eq!(output(&original, &x, Mode::Eval, 0), before, "{}", it.name);
        }
    }
}

#[test]
fn models_go_to_other_threads() {
    fn sent<T: Send + Sync + Clone + 'static>(_: &T) {}
    for it in all().unwrap() {
        sent(&it.plain);
        let (x, model) = (it.x.clone(), it.plain.clone());
        let here = output(&model, &x, Mode::Train, 2);
        let there = std::thread::spawn(move || output(&model, &x, Mode::Train, 2));
        assert_eq!(there.join().unwrap(), here, "{}", it.name);
    }
    sent::<Checkpoint<Linear>>(&Checkpoint::new(Linear::new(1, 1, RUN).unwrap()));
}

#[test]
fn dropout_is_the_identity_in_evaluation() {
    let layer = Dropout::new(0.5).unwrap();
    let x = Tensor::from_slice(&support::SPECIAL, &[12]).unwrap();
    assert_eq!(output(&layer, &x, Mode::Eval, 0), bits(&support::SPECIAL));
    let ones = Tensor::full(&[1000], 1.0).unwrap();
    for mode in [Mode::Train, Mode::Mc] {
        let y = forward(&layer, &ones, &pass(mode, 0));
        let kept = y.as_slice().iter().filter(|&&y| y == 2.0).count();
        let dropped = y.as_slice().iter().filter(|&&y| y == 0.0).count();
        assert!(
            kept + dropped == 1000 && (400..600).contains(&kept),
            "{kept}"
        );
    }
    // Nothing at rate 0, everything at rate 1.
    assert_eq!(
        forward(&Dropout::new(0.0).unwrap(), &ones, &pass(Mode::Train, 0)),
        ones
    );
    let none = forward(&Dropout::new(1.0).unwrap(), &ones, &pass(Mode::Mc, 0));
    assert!(none.as_slice().iter().all(|&y| y == 0.0));
    assert!(matches!(Dropout::new(1.5), Err(Error::Probability(_))));
    assert!(matches!(Dropout::new(f64::NAN), Err(Error::Probability(_))));
}
