//! One of each layer. A layer that is added here is tested in every mode and on every instruction set.

use elision::autograd::Parameter;
use elision::nn::{Checkpoint, Dropout, Flatten, Layer, Linear, Residual, Sequential};
use elision::{Activation, Key, Result};

use crate::support::noise;

/// A layer, by itself and as a checkpointed segment, both under the name `it`.
#[derive(Clone)]
pub(crate) struct Specimen {
    pub(crate) name: String,
    /// A shape that it takes.
    pub(crate) input: Vec<usize>,
    pub(crate) plain: Sequential,
    pub(crate) segment: Sequential,
    /// Whether it drops anything in training.
    pub(crate) drops: bool,
}

fn specimen(input: &[usize], drops: bool, layer: impl Layer + Clone + 'static) -> Specimen {
    let mut layer = layer;
    randomize(&mut layer);
    let it = Sequential::new();
    Specimen {
        name: layer.kind(),
        input: input.to_vec(),
        plain: it.clone().with("it", layer.clone()).unwrap(),
        segment: it.with("it", Checkpoint::new(layer)).unwrap(),
        drops,
    }
}

/// Sets what is trained to numbers without a pattern, of a size that keeps sums near 1.
pub(crate) fn randomize(model: &mut dyn Layer) {
    let mut seed = 0;
    let mut draw = |_: &str, parameter: &mut Parameter| {
        seed += 1;
        let shape = parameter.value().shape().to_vec();
        let fan = shape.iter().skip(1).product::<usize>().max(1) as f32;
        let numbers = noise(&shape, seed);
        if parameter.is_trainable() {
            let all = parameter.value_mut().as_mut_slice().iter_mut();
            all.zip(numbers.as_slice())
                .for_each(|(w, x)| *w = 1.5 * x / fan.sqrt());
        }
        Ok(())
    };
    model.for_each_parameter_mut(&mut draw).unwrap();
}

/// One of each.
pub(crate) fn all() -> Result<Vec<Specimen>> {
    let key = Key::new(1);
    let linear = Linear::new(6, 9, key)?;
    let square = Linear::new(6, 6, key)?.activation(Activation::Tanh);
    let block = Sequential::new()
        .with(
            "wide",
            linear.clone().activation(Activation::Relu).dropout(0.4)?,
        )?
        .with("narrow", Linear::new(9, 6, key)?)?
        .with("dropout", Dropout::new(0.3)?)?;
    Ok(vec![
        specimen(&[5, 6], false, linear.clone()),
        specimen(&[5, 6], false, linear.clone().without_bias()),
        specimen(
            &[5, 6],
            true,
            linear.clone().activation(Activation::Relu).dropout(0.5)?,
        ),
        specimen(&[2, 5, 6], true, square.clone().dropout(0.2)?),
        specimen(&[5, 6], true, square.residual().dropout(0.5)?),
        specimen(&[40, 3], true, Dropout::new(0.5)?),
        specimen(&[5, 6], false, Activation::Relu),
        specimen(&[5, 6], false, Activation::GeluTanh),
        specimen(&[5, 2, 3], false, Flatten),
        specimen(&[5, 6], false, Sequential::new()),
        specimen(&[5, 6], true, block.clone()),
        specimen(&[5, 6], true, Residual::new(block.clone())),
        specimen(&[5, 6], true, Residual::new(Checkpoint::new(block))),
    ])
}
