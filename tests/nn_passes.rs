//! What containers and passes promise.

mod support;
#[path = "support/zoo.rs"]
mod zoo;

use elision::autograd::{Gradients, Parameter, Tape, Var};
use elision::nn::{
    Checkpoint, CloneLayer, Dropout, Flatten, Layer, Linear, Mode, Pass, Residual, Sequential,
    Summary,
};
use elision::{Activation, Error, Key, Result, Tensor};
use support::{bits, noise};
use zoo::{RUN, forward, randomize};

/// Passes its input on, and adds to what a pass notes: its key.
#[derive(Clone, Debug)]
struct Spy(Parameter);

impl Layer for Spy {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let ones = x.tape().constant(Tensor::full(x.shape(), 1.0)?);
        let mask = match pass.dropout(0.5)? {
            Some(dropout) => ones.dropout(&dropout)?,
            None => ones,
        };
        pass.update(&self.0, mask.to_tensor()?, 1.0);
        Ok(x.clone())
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![("mask", &self.0)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![("mask", &mut self.0)]
    }
}

fn spy() -> Spy {
    Spy(Parameter::state(Tensor::zeros(&[100]).unwrap()))
}

/// The masks of a step that the spies of a model saw, by path.
fn masks(model: &dyn Layer, run: Key, step: u64) -> Vec<(String, Vec<u32>)> {
    let mut model: Box<dyn Layer> = model.boxed();
    let pass = Pass::train(run, step);
    forward(&*model, &noise(&[100], 1), &pass);
    pass.take_updates().apply(&mut *model).unwrap();
    let all = model.named_parameters().into_iter();
    all.map(|(name, mask)| (name, bits(mask.value().as_slice())))
        .collect()
}

#[test]
fn masks_are_a_function_of_seed_step_and_path() {
    let model = |with_more: bool| {
        let start = Sequential::new().with("a", spy()).unwrap();
        let start = match with_more {
            true => start
                .with("new", Activation::Tanh)
                .unwrap()
                .with("drop", Dropout::new(0.5).unwrap())
                .unwrap(),
            false => start,
        };
        // A clone would be the same state, of which the last note remains.
        let inner = || Sequential::new().with("a", spy()).unwrap();
        start
            .with("b", spy())
            .unwrap()
            .with("c", Residual::new(inner()))
            .unwrap()
            .with("d", Checkpoint::new(inner()))
            .unwrap()
    };
    let first = masks(&model(false), RUN, 3);
    let names: Vec<&str> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a.mask", "b.mask", "c.branch.a.mask", "d.a.mask"]);
    assert_eq!(
        masks(&model(true), RUN, 3),
        first,
        "another layer in between"
    );
    let mut seen: Vec<Vec<u32>> = Vec::new();
    for (run, step) in [(RUN, 3), (RUN, 4), (Key::new(43), 3)] {
        seen.extend(
            masks(&model(false), run, step)
                .into_iter()
                .map(|(_, mask)| mask),
        );
    }
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(
        distinct.len(),
        seen.len(),
        "every path, step and seed has its own"
    );
}

#[test]
fn a_pass_names_the_layer_at_hand() {
    let root = Pass::train(RUN, 10);
    let child = root.child("a").child("b");
    assert_eq!((root.path(), child.path()), ("", "a.b"));
    assert_eq!(child.key(), RUN.fold_in(10).named("a").named("b"));
    assert_eq!((child.mode(), Mode::default()), (Mode::Train, Mode::Eval));
    assert!(child.uses_batch_statistics() && Pass::reestimate().uses_batch_statistics());
    assert!(!Pass::mc(RUN, 0).uses_batch_statistics() && !Pass::eval().uses_batch_statistics());
    assert_eq!(Pass::reestimate().dropout(0.5), Ok(None));
    assert!(matches!(
        Pass::eval().dropout(2.0),
        Err(Error::Probability(_))
    ));
    assert_eq!(
        Mode::ALL.map(|mode| mode.to_string()),
        ["train", "eval", "mc"]
    );
}

#[test]
fn names_are_checked() {
    for name in ["", "a.b", "."] {
        let error = Sequential::new().with(name, Flatten).unwrap_err();
        assert_eq!(error, Error::Name(name.to_owned()));
    }
    let one = Sequential::new().with("a", Flatten).unwrap();
    assert_eq!(
        one.clone().with("a", Flatten).unwrap_err(),
        Error::Name("a".to_owned())
    );
    assert!(one.with("b", Flatten).is_ok());
}

#[test]
fn updates_are_applied_or_refused() {
    let mut model = Sequential::new().with("spy", spy()).unwrap();
    let state = |model: &Sequential| model.named_parameters()[0].1.value().clone();
    let pass = Pass::train(RUN, 0);
    let spied = |model: &Sequential| {
        let (_, spy) = model.named_parameters().remove(0);
        spy.clone()
    };
    let ones = Tensor::full(&[100], 1.0).unwrap();
    pass.update(&spied(&model), ones.clone(), 0.25);
    pass.child("spy").update(&spied(&model), ones.clone(), 0.5);
    let updates = pass.take_updates();
    updates.clone().apply(&mut model).unwrap();
    assert_eq!(state(&model), Tensor::full(&[100], 0.625).unwrap());
    pass.take_updates()
        .apply(&mut model)
        .expect("nothing is left");
    updates.clone().with_rate(1.0).apply(&mut model).unwrap();
    assert_eq!(state(&model), ones);
    // Another model's, or of another shape: nothing changes.
    let mut other = Sequential::new().with("spy", spy()).unwrap();
    assert!(matches!(
        updates.apply(&mut other),
        Err(Error::Unsupported(_))
    ));
    assert_eq!(state(&other), Tensor::zeros(&[100]).unwrap());
    let pass = Pass::reestimate();
    pass.update(&spied(&model), Tensor::zeros(&[100]).unwrap(), 1.0);
    pass.update(&spied(&model), Tensor::zeros(&[99]).unwrap(), 1.0);
    assert!(matches!(
        pass.take_updates().apply(&mut model),
        Err(Error::Shape { .. })
    ));
    assert_eq!(state(&model), ones);
    for silent in [Pass::eval(), Pass::mc(RUN, 0)] {
        silent.update(&spied(&model), Tensor::zeros(&[100]).unwrap(), 1.0);
        silent.take_updates().apply(&mut model).unwrap();
        assert_eq!(state(&model), ones);
    }
}

#[test]
fn a_segment_notes_its_updates_once() {
    let model = Sequential::new()
        .with("it", Checkpoint::new(spy()))
        .unwrap();
    let (tape, pass) = (Tape::new(), Pass::train(RUN, 0));
    let x = tape.variable(noise(&[100], 1));
    let loss = model.forward(&x, &pass).unwrap().sum().unwrap();
    let first = pass.take_updates();
    assert!(format!("{first:?}").contains("Update {"));
    loss.backward().unwrap();
    let second = pass.take_updates();
    assert!(!format!("{second:?}").contains("Update {"), "{second:?}");
}

#[test]
fn a_summary_is_a_table() {
    let model = Sequential::new()
        .with(
            "hidden",
            Linear::new(6, 4, RUN)
                .unwrap()
                .activation(Activation::Relu)
                .dropout(0.5)
                .unwrap(),
        )
        .unwrap()
        .with(
            "block",
            Residual::new(Linear::new(4, 4, RUN).unwrap().without_bias()),
        )
        .unwrap()
        .with("late", Checkpoint::new(Dropout::new(0.25).unwrap()))
        .unwrap();
    let table = Summary::new(&model, &[2, 6]).unwrap().to_string();
    let expected = "\
layer         kind                   output  parameters  rate
hidden        Linear 6 -> 4, relu       2x4          28   0.5
block         Residual                  2x4           0
block.branch  Linear 4 -> 4             2x4          16
late          Checkpoint of Dropout     2x4           0  0.25
44 parameters";
    assert_eq!(table, expected);
    assert!(matches!(
        Summary::new(&model, &[2, 7]),
        Err(Error::Shape { .. })
    ));
    let empty = Summary::new(&Sequential::new(), &[1]).unwrap().to_string();
    assert!(empty.ends_with("0 parameters"), "{empty}");
}

#[test]
fn rates_are_set_by_path() {
    let mut model = Sequential::new()
        .with(
            "first",
            Linear::new(2, 2, RUN).unwrap().dropout(0.5).unwrap(),
        )
        .unwrap()
        .with("second", Residual::new(Dropout::new(0.5).unwrap()))
        .unwrap();
    let rates = |model: &mut Sequential| {
        let mut rates = Vec::new();
        let note = &mut |path: &str, layer: &mut dyn Layer| {
            rates.push((path.to_owned(), layer.rate()));
            Ok(())
        };
        model.for_each_layer_mut(note).unwrap();
        rates
    };
    let set = &mut |path: &str, layer: &mut dyn Layer| match path {
        "second.branch" => layer.set_rate(0.1),
        _ => Ok(()),
    };
    model.for_each_layer_mut(set).unwrap();
    let expected = [
        ("first", Some(0.5)),
        ("second", None),
        ("second.branch", Some(0.1)),
    ];
    assert_eq!(
        rates(&mut model),
        expected.map(|(path, rate)| (path.to_owned(), rate))
    );
    for mut layer in [
        model.boxed(),
        Dropout::new(0.5).unwrap().boxed(),
        Flatten.boxed(),
    ] {
        assert!(matches!(layer.set_rate(-0.1), Err(Error::Probability(_))));
        assert!(layer.set_rate(0.5).is_ok());
    }
    assert!(matches!(
        Linear::new(2, 2, RUN).unwrap().dropout(2.0),
        Err(Error::Probability(_))
    ));
    // A segment's rate is its layer's, and a clone keeps its own.
    let mut segment = Checkpoint::new(Dropout::new(0.5).unwrap());
    let copy = segment.clone();
    segment.set_rate(0.25).unwrap();
    assert_eq!((segment.rate(), copy.rate()), (Some(0.25), Some(0.5)));
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let x = Tape::new().variable(noise(&[2, 6], 1));
    let pass = Pass::train(RUN, 0);
    let linear = Linear::new(6, 4, RUN).unwrap();
    let wrong: [(&str, Box<dyn Layer>); 3] = [
        ("residual", Box::new(Residual::new(linear.clone()))),
        ("linear residual", Box::new(linear.clone().residual())),
        ("linear", Box::new(Linear::new(5, 4, RUN).unwrap())),
    ];
    for (what, layer) in wrong {
        assert!(
            matches!(layer.forward(&x, &pass), Err(Error::Shape { .. })),
            "{what}"
        );
    }
    for sizes in [[0, 4], [6, 0]] {
        let empty = Linear::new(sizes[0], sizes[1], RUN).err();
        assert_eq!(empty, Some(Error::Empty("a linear layer")));
    }
    let scalar = Tape::new().variable(noise(&[], 1));
    assert!(matches!(
        Flatten.forward(&scalar, &pass),
        Err(Error::Rank { .. })
    ));
    assert!(matches!(
        linear.forward(&scalar, &pass),
        Err(Error::Rank { .. })
    ));
}

#[test]
fn a_model_learns() {
    let mut model = Sequential::new()
        .with(
            "hidden",
            Linear::new(3, 16, RUN)
                .unwrap()
                .activation(Activation::Tanh)
                .dropout(0.1)
                .unwrap(),
        )
        .unwrap()
        .with("output", Linear::new(16, 1, RUN).unwrap())
        .unwrap();
    randomize(&mut model);
    let (tape, x) = (Tape::new(), noise(&[64, 3], 1));
    let target: Vec<f32> = x.as_slice().chunks(3).map(|x| x[0] - x[1] * x[2]).collect();
    let target = Tensor::from_vec(target, &[64, 1]).unwrap();
    let loss = |model: &Sequential, pass: &Pass| -> Result<Var> {
        let y = model.forward(&tape.constant(x.clone()), pass)?;
        let off = y.sub(&tape.constant(target.clone()))?;
        off.mul(&off)?.mean()
    };
    let eval = |model: &Sequential| {
        tape.no_grad(|| loss(model, &Pass::eval()))
            .unwrap()
            .item()
            .unwrap()
    };
    let before = eval(&model);
    for step in 0..300 {
        let gradients = loss(&model, &Pass::train(RUN, step))
            .unwrap()
            .backward()
            .unwrap();
        descend(&mut model, &gradients);
    }
    let after = eval(&model);
    assert!(after < 0.1 * before, "from {before} to {after}");
    assert_eq!(tape.live_bytes(), 0);
}

fn descend(model: &mut dyn Layer, gradients: &Gradients) {
    let step = &mut |_: &str, p: &mut Parameter| {
        let gradient = gradients.get(p).expect("a gradient").to_tensor()?;
        let pairs = p
            .value_mut()
            .as_mut_slice()
            .iter_mut()
            .zip(gradient.as_slice());
        pairs.for_each(|(w, g)| *w -= 0.2 * g);
        Ok(())
    };
    model.for_each_parameter_mut(step).unwrap();
}
