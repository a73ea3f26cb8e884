//! The drop probabilities of whole models, by defaults and by names.

mod support;

use elision::autograd::Var;
use elision::nn::{
    Dropout, Flatten, HIDDEN_RATE, INPUT_RATE, Layer, Linear, Pass, Residual, Sequential,
    path_matches, rates, set_rates, set_rates_matching,
};
use elision::{Error, Key, Result};
use support::noise;

/// Rates of `p` but for the head, in two encoders, one of them in a residual.
fn model(p: f64) -> Sequential {
    let linear = || Linear::new(4, 4, Key::new(1)).unwrap();
    let encoder = Sequential::new()
        .with("linear", linear().dropout(p).unwrap())
        .and_then(|inner| inner.with("dropout", Dropout::new(p)?))
        .unwrap();
    Sequential::new()
        .with("flat", Flatten)
        .and_then(|model| model.with("input", Dropout::new(p)?))
        .and_then(|model| model.with("encoder", encoder.clone()))
        .and_then(|model| model.with("block", Residual::new(encoder)))
        .and_then(|model| model.with("head", linear()))
        .unwrap()
}

fn found(model: &dyn Layer) -> Vec<(String, f64)> {
    rates(model)
}

fn named<const N: usize>(all: [(&str, f64); N]) -> Vec<(String, f64)> {
    all.map(|(name, p)| (name.to_owned(), p)).into()
}

#[test]
fn the_defaults_are_those_of_the_paper() {
    assert_eq!([INPUT_RATE, HIDDEN_RATE], [0.2, 0.5]);
    let mut model = model(0.1);
    set_rates(&mut model, INPUT_RATE, HIDDEN_RATE).unwrap();
    let expected = [
        ("input", 0.2),
        ("encoder.linear", 0.5),
        ("encoder.dropout", 0.5),
        ("block.branch.linear", 0.5),
        ("block.branch.dropout", 0.5),
    ];
    assert_eq!(found(&model), named(expected));
}

#[test]
fn names_override() {
    let mut model = model(0.1);
    set_rates_matching(
        &mut model,
        &[("*", 0.3), ("encoder.*", 0.1), ("*.dropout", 0.0)],
    )
    .unwrap();
    let expected = [
        ("input", 0.3),
        ("encoder.linear", 0.1),
        ("encoder.dropout", 0.0),
        ("block.branch.linear", 0.3),
        ("block.branch.dropout", 0.0),
        ("head", 0.3),
    ];
    assert_eq!(found(&model), named(expected));
}

#[test]
fn a_model_may_be_one_layer() {
    let mut one = Dropout::new(0.1).unwrap();
    set_rates(&mut one, 0.3, 0.6).unwrap();
    assert_eq!(found(&one), named([("", 0.3)]));
    let mut one = Linear::new(2, 3, Key::new(1))
        .unwrap()
        .dropout(0.1)
        .unwrap();
    set_rates(&mut one, 0.3, 0.6).unwrap();
    assert_eq!(found(&one), named([("", 0.6)]));
    set_rates_matching(&mut one, &[("", 0.2)]).unwrap();
    assert_eq!(one.rate(), Some(0.2));
}

#[test]
fn what_is_wrong_changes_nothing() {
    let mut model = model(0.1);
    let before = found(&model);
    for (all, error) in [
        (
            &[("input", 0.4), ("inputs", 0.5)][..],
            Error::Pattern("inputs".to_owned()),
        ),
        (
            &[("input", 0.4), ("head.*", 0.5)],
            Error::Pattern("head.*".to_owned()),
        ),
        (&[("flat", 0.4)], Error::Pattern("flat".to_owned())),
        (&[("input", 0.4), ("head", 1.5)], Error::Probability(1.5)),
    ] {
        assert_eq!(set_rates_matching(&mut model, all), Err(error));
        assert_eq!(found(&model), before);
    }
    assert_eq!(
        set_rates(&mut model, -0.5, 0.5),
        Err(Error::Probability(-0.5))
    );
    assert_eq!(
        set_rates(&mut model, 0.5, 1.5),
        Err(Error::Probability(1.5))
    );
    assert_eq!(found(&model), before);
    assert_eq!(
        set_rates(&mut Flatten, 0.5, 0.5),
        Err(Error::Pattern("*".to_owned()))
    );
    assert_eq!(set_rates_matching(&mut model, &[]), Ok(()));
}

/// A layer that takes rates up to a half.
#[derive(Clone, Debug)]
struct Timid(f64);

impl Layer for Timid {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        Ok(x.clone())
    }

    fn rate(&self) -> Option<f64> {
        Some(self.0)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        if p > 0.5 {
            return Err(Error::Probability(p));
        }
        self.0 = p;
        Ok(())
    }
}

#[test]
fn a_layer_that_refuses_leaves_the_others_as_they_were() {
    let mut model = Sequential::new()
        .with("first", Dropout::new(0.1).unwrap())
        .and_then(|model| model.with("second", Timid(0.2)))
        .and_then(|model| model.with("third", Dropout::new(0.3)?))
        .unwrap();
    let before = found(&model);
    assert_eq!(
        set_rates(&mut model, 0.7, 0.7),
        Err(Error::Probability(0.7))
    );
    assert_eq!(found(&model), before);
    assert_eq!(
        set_rates_matching(&mut model, &[("*", 0.7)]),
        Err(Error::Probability(0.7))
    );
    assert_eq!(found(&model), before);
    set_rates(&mut model, 0.5, 0.5).unwrap();
}

/// By all ways to cut the path.
fn naive(pattern: &[u8], path: &[u8]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((b'*', rest)) => (0..=path.len()).any(|at| naive(rest, &path[at..])),
        Some((own, rest)) => path.first() == Some(own) && naive(rest, &path[1..]),
    }
}

#[test]
fn patterns_match_as_they_should() {
    // All patterns and paths of up to so many of three characters.
    let words = |letters: &[char], longest: u32| {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            let longer = |word: &String| {
                letters
                    .iter()
                    .map(|c| format!("{word}{c}"))
                    .collect::<Vec<_>>()
            };
            last = last.iter().flat_map(longer).collect();
            all.extend(last.clone());
        }
        all
    };
    for pattern in words(&['a', '.', '*'], 5) {
        for path in words(&['a', '.', 'é'], 4) {
            let expected = naive(pattern.as_bytes(), path.as_bytes());
            assert_eq!(
                path_matches(&pattern, &path),
                expected,
                "{pattern:?} {path:?}"
            );
        }
    }
}

#[test]
fn the_rates_are_those_that_drop() {
    let mut model = model(0.0);
    set_rates_matching(&mut model, &[("head", 1.0)]).unwrap();
    let tape = elision::autograd::Tape::new();
    let x = tape.constant(noise(&[3, 4], 1));
    let y = model.forward(&x, &Pass::train(Key::new(1), 0)).unwrap();
    assert!(y.view().iter().all(|y| y == 0.0));
}
