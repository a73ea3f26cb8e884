//! Observed passes: the decisions that layers note are those that they make.

mod support;
#[path = "support/training.rs"]
mod training;
#[path = "support/zoo.rs"]
mod zoo;

use elision::autograd::Tape;
use elision::nn::{
    Drawn, DropBlock, DropConnect, DropHead, Dropout, Layer, Linear, Mode, Pass, Sequential,
};
use elision::train::diagnose::RealisedRates;
use elision::{Error, Key, Mask, Tensor};
use support::{on_every_isa, on_threads};
use training::{clusters, mlp};

/// The layer's decisions for an input of that shape, and its output for ones.
fn drawn(layer: &dyn Layer, shape: &[usize]) -> (Vec<Drawn>, Tensor) {
    let x = Tape::new().constant(Tensor::full(shape, 1.0).unwrap());
    let pass = Pass::train(Key::new(7), 3).observed();
    let y = layer.forward(&x, &pass).unwrap().to_tensor().unwrap();
    (pass.take_drawn(), y)
}

#[test]
fn observation_changes_nothing() {
    on_every_isa("observed layers", |_| {
        for specimen in zoo::all().unwrap() {
            for model in [&specimen.plain, &specimen.segment] {
                let run = |pass: &Pass| {
                    let y = zoo::forward(model, &specimen.x, pass);
                    (support::bits(y.as_slice()), pass.take_drawn())
                };
                let (plain, none) = run(&zoo::pass(Mode::Train, 1));
                let (observed, drawn) = run(&zoo::pass(Mode::Train, 1).observed());
                assert!(plain == observed && none.is_empty(), "{}", specimen.name);
                assert!(drawn.is_empty() || specimen.drops, "{}", specimen.name);
                let name = &specimen.name;
                let notes = ["Linear", "Conv2d", "Dropout"];
                if notes.iter().any(|kind| name.starts_with(kind)) {
                    assert_eq!(!drawn.is_empty(), specimen.drops, "{name}");
                }
                let eval = zoo::pass(Mode::Eval, 1).observed();
                assert!(run(&eval).1.is_empty(), "{}", specimen.name);
                let paths = drawn.iter().all(|drawn| drawn.path.starts_with("it"));
                assert!(paths, "{}: {drawn:?}", specimen.name);
            }
        }
    });
}

#[test]
fn decisions_are_those_of_the_output() {
    on_every_isa("decisions", |_| {
        let ones = |units| {
            let layer = Linear::new(3, units, Key::new(1)).unwrap();
            let layer = layer.init(elision::nn::Init::Constant(1.0), Key::new(1));
            layer.unwrap()
        };
        for (name, layer) in [
            ("elements", ones(33).dropout(0.3).unwrap()),
            ("units", ones(33).unit_dropout(0.3).unwrap()),
        ] {
            let (noted, y) = drawn(&layer, &[20, 3]);
            let [Drawn { p, units, mask, .. }] = noted.as_slice() else {
                panic!("{name}: {noted:?}");
            };
            assert_eq!((*p, *units), (0.3, 33), "{name}");
            for (i, y) in y.as_slice().iter().enumerate() {
                let kept = mask.get(i % mask.len()).unwrap();
                assert_eq!(kept, *y != 0.0, "{name} {i}");
            }
            let of_units = if name == "units" { 33 } else { 20 * 33 };
            assert_eq!(mask.len(), of_units, "{name}");
        }
        let block = elision::DropBlock::new(2).unwrap();
        for (layer, shape, units) in [
            (
                &DropBlock::new(0.3, block).unwrap() as &dyn Layer,
                [2, 6, 6, 5],
                5,
            ),
            (&DropHead::new(0.5).unwrap(), [9, 7, 1, 1], 7),
        ] {
            let (noted, y) = drawn(layer, &shape);
            let kept: Vec<bool> = y.as_slice().iter().map(|&y| y != 0.0).collect();
            assert_eq!((noted[0].units, noted[0].mask.to_bools()), (units, kept));
        }
        // Inputs of ones and weights of one: an output is the number of kept weights, over 0.5.
        let (noted, y) = drawn(&DropConnect::new(ones(4), 0.5).unwrap(), &[2, 3]);
        let kept = noted[0].mask.to_bools();
        for (unit, kept) in kept.chunks(3).enumerate() {
            let count = kept.iter().filter(|&&kept| kept).count();
            assert_eq!(y.as_slice()[unit], 2.0 * count as f32);
        }
        let each = DropConnect::new(ones(4), 0.5).unwrap().per_sample();
        let (noted, y) = drawn(&each, &[2, 3]);
        assert_eq!((noted[0].units, noted[0].mask.len()), (3, 2 * 4 * 3));
        let sum: f32 = y.as_slice().iter().sum();
        assert_eq!(sum, 2.0 * noted[0].mask.count_kept() as f32);
        let (noted, y) = drawn(&Dropout::new(0.6).unwrap(), &[4, 5, 6]);
        let kept: Vec<bool> = y.as_slice().iter().map(|&y| y != 0.0).collect();
        assert_eq!((noted[0].units, noted[0].mask.to_bools()), (6, kept));
    });
}

#[test]
fn updates_of_an_observed_pass_are_kept() {
    let norm = elision::nn::BatchNorm::new(2).unwrap();
    let x = Tape::new().constant(support::noise(&[8, 2], 1));
    let pass = Pass::train(Key::new(1), 0).observed();
    let mut after = norm.clone();
    norm.forward(&x, &pass).unwrap();
    pass.take_updates().apply(&mut after).unwrap();
    assert_ne!(training::weights(&norm), training::weights(&after));
}

#[test]
fn what_cannot_be_about_units_is_an_error() {
    let pass = Pass::train(Key::new(1), 0);
    let mask = |len| move || Ok(Mask::all(len));
    assert_eq!(pass.note_mask(0.5, 3, mask(7)), Ok(()), "nobody observes");
    let pass = pass.observed();
    for (units, len) in [(3, 7), (0, 1)] {
        let fault = pass.note_mask(0.5, units, mask(len));
        assert!(matches!(fault, Err(Error::Length { .. })), "{fault:?}");
    }
    assert_eq!(pass.note_mask(0.5, 0, mask(0)), Ok(()));
    let huge = elision::Dropout::new(Key::new(1), 0.5).unwrap();
    let fault = pass.note_dropout(Some(&huge), &[usize::MAX, 2]);
    assert!(matches!(fault, Err(Error::Overflow(_))), "{fault:?}");
    let mut rates = RealisedRates::default();
    rates.add(pass.take_drawn());
    assert!(
        rates.layers().is_empty(),
        "an empty tensor decides nothing: {rates:?}"
    );
}

fn of(model: &dyn Layer, passes: usize) -> RealisedRates {
    let batches = vec![(0..60).collect(); passes];
    RealisedRates::of(model, &clusters(60), &batches, Key::new(9)).unwrap()
}

#[test]
fn rates_are_realised_within_their_error() {
    on_every_isa("realised rates", |isa| {
        for p in [0.1, 0.5, 0.9] {
            let measure = |threads| on_threads(threads, || isa.install(|| of(&mlp(p), 30)));
            let rates = measure(1);
            assert_eq!(measure(3), rates);
            let asked = [("input", p / 2.0, 5), ("first", p, 24), ("second", p, 24)];
            assert_eq!(rates.layers().len(), asked.len());
            for (layer, (path, p, units)) in rates.layers().iter().zip(asked) {
                assert_eq!((layer.path(), layer.units()), (path, units));
                assert!((layer.nominal() - p).abs() < 1e-12);
                assert_eq!(layer.decisions(), 30 * 60 * units as u64);
                assert_eq!(layer.decisions_per_unit(), 30 * 60);
                let expected = (p * (1.0 - p) / layer.decisions() as f64).sqrt();
                assert!((layer.standard_error() / expected - 1.0).abs() < 1e-9);
                assert!(layer.deviation().unwrap().abs() < 5.0, "{rates}");
                assert_eq!((layer.never_kept(), layer.always_kept()), (0, 0));
            }
        }
    });
}

#[test]
fn the_bits_that_training_draws_are_the_ones_that_are_counted() {
    // Counted by hand from the keys that docs/determinism.md names.
    let (rates, key) = (of(&mlp(0.5), 4), Key::new(9));
    let mut hits = vec![0; 24];
    for step in 0..4 {
        let own = key.fold_in(step).named("second");
        let dropout = elision::Dropout::new(own, 0.5).unwrap();
        let mask = Mask::draw(&dropout, 60 * 24).unwrap();
        mask.kept().for_each(|kept| hits[kept % 24] += 1);
    }
    assert_eq!(rates.layers()[2].hits(), hits);
}

#[test]
fn extremes_are_certain() {
    let linear = |p| Linear::new(5, 4, Key::new(1)).unwrap().dropout(p);
    let model = |p| Sequential::new().with("it", linear(p).unwrap()).unwrap();
    let rates = of(&model(1.0), 3);
    let layer = &rates.layers()[0];
    assert_eq!((layer.realised(), layer.standard_error()), (1.0, 0.0));
    assert_eq!((layer.deviation(), layer.never_kept()), (None, 4));
    assert_eq!(rates.capacity().share(), 0.0);
    let none = of(&model(0.0), 3);
    assert!(none.layers().is_empty() && none.passes() == 3);
    assert_eq!(none.capacity().share(), 1.0);
    // Few decisions, of which some keep a unit always.
    let mut few = RealisedRates::default();
    for bits in [[true, true, false], [true, false, false]] {
        few.add(vec![Drawn {
            path: String::new(),
            p: 0.5,
            units: 3,
            mask: Mask::from_bools(&bits),
        }]);
    }
    let layer = &few.layers()[0];
    assert_eq!(layer.hits(), [2, 1, 0]);
    assert_eq!((layer.always_kept(), layer.never_kept()), (1, 1));
    assert_eq!(layer.realised(), 0.5);
}

#[test]
fn capacity_is_the_sum_over_layers() {
    let rates = of(&mlp(0.5), 10);
    let capacity = rates.capacity();
    assert_eq!(capacity.units, 5 + 24 + 24);
    assert!((capacity.expected - (5.0 * 0.75 + 48.0 * 0.5)).abs() < 1e-9);
    let realised = rates.layers().iter();
    let realised: f64 = realised
        .map(|layer| layer.hits().iter().sum::<u64>() as f64 / layer.decisions_per_unit() as f64)
        .sum();
    assert!((capacity.realised - realised).abs() < 1e-9);
    assert!((capacity.share() - capacity.expected / 53.0).abs() < 1e-12);
}

#[test]
fn the_table_says_what_was_counted() {
    let table = of(&mlp(0.5), 2).to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 5, "{table}");
    for (line, words) in lines.iter().zip([
        ["layer", "realised"],
        ["input", "0.2500"],
        ["first", "0.5000"],
        ["second", "0.5000"],
        ["2 passes", "of 53 units"],
    ]) {
        assert!(words.iter().all(|word| line.contains(word)), "{table}");
    }
}
