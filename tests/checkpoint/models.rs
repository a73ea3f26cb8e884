//! Models and the checkpoints that fit them.

use elision::autograd::{Parameter, Var};
use elision::nn::{Layer, Linear, Pass, Sequential};
use elision::train::Checkpoint;
use elision::{CheckpointFault, Error, Key, Result, Tensor};

/// A model whose parameters all hold numbers that `seed` decides.
fn model(seed: u64, hidden: usize) -> Sequential {
    let linear = |inputs, outputs| Linear::new(inputs, outputs, Key::new(seed));
    let mut model = Sequential::new()
        .with("hidden", linear(3, hidden).expect("the sizes are sound"))
        .and_then(|model| model.with("output", linear(hidden, 2)?))
        .expect("the names differ");
    let mut next = seed as f32;
    let fill = model.for_each_parameter_mut(&mut |_, own| {
        for x in own.value_mut().as_mut_slice() {
            (*x, next) = (next, next + 0.25);
        }
        Ok(())
    });
    fill.expect("nothing fails");
    model
}

/// The fault of putting `checkpoint` into a model, which must stay as it is.
fn fault(checkpoint: &Checkpoint) -> CheckpointFault {
    let mut model = model(2, 4);
    let before = Checkpoint::of_model(&model);
    let fault = checkpoint.apply(&mut model);
    assert_eq!(Checkpoint::of_model(&model), before);
    match fault {
        Err(Error::Checkpoint(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_model_comes_back() {
    let (trained, mut fresh) = (model(1, 4), model(2, 4));
    let mut checkpoint = Checkpoint::of_model(&trained);
    let names: Vec<&str> = checkpoint.tensors.keys().map(String::as_str).collect();
    let expected = [
        "hidden.bias",
        "hidden.weight",
        "output.bias",
        "output.weight",
    ];
    assert_eq!(names, expected.map(|name| format!("model.{name}")));
    assert_ne!(Checkpoint::of_model(&fresh), checkpoint);
    // What is not the model's is left out.
    let other = "optimizer.first.hidden.bias".to_owned();
    checkpoint.tensors.insert(other.clone(), Tensor::default());
    checkpoint.apply(&mut fresh).expect("the model is the same");
    checkpoint.tensors.remove(&other);
    assert_eq!(Checkpoint::of_model(&fresh), checkpoint);
}

#[test]
fn a_missing_parameter_is_named() {
    for name in ["model.hidden.weight", "model.output.bias"] {
        let mut checkpoint = Checkpoint::of_model(&model(1, 4));
        checkpoint.tensors.remove(name);
        assert_eq!(
            fault(&checkpoint),
            CheckpointFault::Missing(name.to_owned())
        );
    }
}

#[test]
fn an_unknown_parameter_is_named() {
    let mut checkpoint = Checkpoint::of_model(&model(1, 4));
    let name = "model.third.weight".to_owned();
    checkpoint.tensors.insert(name.clone(), Tensor::default());
    assert_eq!(fault(&checkpoint), CheckpointFault::Unknown(name));
}

#[test]
fn another_shape_is_named_with_both_shapes() {
    let found = fault(&Checkpoint::of_model(&model(1, 5)));
    let text = "tensor \"model.hidden.weight\": expected shape 4x3, found 5x3";
    assert_eq!(found.to_string(), text);
    let mut checkpoint = Checkpoint::of_model(&model(1, 4));
    let last = Tensor::zeros(&[2, 1]).expect("the shape is sound");
    let name = "model.output.bias".to_owned();
    checkpoint.tensors.insert(name.clone(), last);
    let expected = CheckpointFault::Shape {
        tensor: name,
        expected: [2][..].into(),
        found: [2, 1][..].into(),
    };
    assert_eq!(fault(&checkpoint), expected);
}

/// A layer whose two lists of parameters differ, and which is nothing else.
#[derive(Clone, Debug)]
struct TwoFaced(Parameter, Parameter);

impl Layer for TwoFaced {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        Ok(x.clone())
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![("a", &self.0), ("b", &self.1)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![("a", &mut self.0), ("c", &mut self.1)]
    }
}

#[test]
fn a_wrong_layer_is_not_changed_in_part() {
    let parameter = |x| Parameter::new(Tensor::full(&[1], x).expect("the shape is sound"));
    let mut layer = TwoFaced(parameter(1.0), parameter(2.0));
    let saved = Checkpoint::of_model(&TwoFaced(parameter(3.0), parameter(4.0)));
    let fault = CheckpointFault::Missing("model.c".to_owned());
    assert_eq!(saved.apply(&mut layer), Err(Error::Checkpoint(fault)));
    assert_eq!(layer.0.value().as_slice(), [1.0]);
}
