//! One of each layer. A layer that is added here is tested in every mode and on every instruction set.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use elision::autograd::{Parameter, Tape};
use elision::nn::{
    AlphaDropout, AvgPool2d, BatchNorm, Checkpoint, Conv2d, DropBlock, DropConnect, DropHead,
    Dropout, Embedding, Flatten, GaussianDropout, GaussianNoise, Layer, LayerNorm, Linear,
    MaxPool2d, Mixout, Mode, MultiSample, Pass, Residual, RmsNorm, Sequential, Shakeout,
    UniformDropout,
};
use elision::ops::Window;
use elision::{Activation, Channels, DropBlock as Blocks, Key, Result, Tensor, Where};

use crate::support::{bits, noise};

pub(crate) const RUN: Key = Key::new(42);

pub(crate) fn pass(mode: Mode, step: u64) -> Pass {
    match mode {
        Mode::Train => Pass::train(RUN, step),
        Mode::Eval => Pass::eval(),
        Mode::Mc => Pass::mc(RUN, step),
    }
}

pub(crate) fn forward(model: &dyn Layer, x: &Tensor, pass: &Pass) -> Tensor {
    let x = Tape::new().constant(x.clone());
    model.forward(&x, pass).unwrap().to_tensor().unwrap()
}

pub(crate) fn output(model: &dyn Layer, x: &Tensor, mode: Mode, step: u64) -> Vec<u32> {
    bits(forward(model, x, &pass(mode, step)).as_slice())
}

/// A layer, by itself and as a checkpointed segment, both under the name `it`.
#[derive(Clone)]
pub(crate) struct Specimen {
    pub(crate) name: String,
    /// What it takes.
    pub(crate) x: Tensor,
    /// Whether the input has a gradient.
    pub(crate) differentiable: bool,
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
        x: noise(input, 3),
        differentiable: true,
        plain: it.clone().with("it", layer.clone()).unwrap(),
        segment: it.with("it", Checkpoint::new(layer)).unwrap(),
        drops,
    }
}

/// The same for a layer that reads whole numbers below `words`.
fn reader(input: &[usize], words: u32, layer: impl Layer + Clone + 'static) -> Specimen {
    let it = specimen(input, false, layer);
    let numbers = it.x.as_slice().iter();
    let numbers = numbers.map(|x| ((0.5 + 0.5 * x) * words as f32).floor());
    Specimen {
        x: Tensor::from_vec(numbers.collect(), input).unwrap(),
        differentiable: false,
        ..it
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
    let parts = [
        linear(),
        images(),
        norms(),
        noises(),
        kept_units(),
        containers(),
        shared(),
        dropped_weights(),
    ];
    let parts: Result<Vec<_>> = parts.into_iter().collect();
    Ok(parts?.into_iter().flatten().collect())
}

fn linear() -> Result<Vec<Specimen>> {
    let linear = Linear::new(6, 9, RUN)?;
    let square = Linear::new(6, 6, RUN)?.activation(Activation::Tanh);
    let relu = linear.clone().activation(Activation::Relu);
    Ok(vec![
        specimen(&[5, 6], false, linear.clone()),
        specimen(&[5, 6], false, linear.without_bias()),
        specimen(&[5, 6], true, relu.dropout(0.5)?),
        specimen(&[2, 5, 6], true, square.clone().dropout(0.2)?),
        specimen(&[5, 6], true, square.residual().dropout(0.5)?),
        specimen(&[40, 3], true, Dropout::new(0.5)?),
        specimen(&[5, 6], false, Activation::Relu),
        specimen(&[5, 6], false, Activation::GeluTanh),
        reader(&[5, 2], 7, Embedding::new(7, 4, RUN)?),
        reader(&[], 7, Embedding::new(7, 1, RUN)?),
    ])
}

fn images() -> Result<Vec<Specimen>> {
    let conv = Conv2d::new([3, 4], Window::new([3, 3]).padding([1, 1]), RUN)?;
    let relu = conv.clone().activation(Activation::Relu).dropout(0.4)?;
    let narrow = Window::new([3, 2]).stride([2, 1]);
    let grouped = Conv2d::grouped([4, 6], narrow, 2, RUN)?.activation(Activation::GeluTanh);
    let halved = Window::new([2, 2]).stride([2, 2]);
    let padded = Window::new([3, 3]).padding([1, 1]);
    Ok(vec![
        specimen(&[2, 5, 4, 3], false, conv),
        specimen(&[2, 5, 4, 3], true, relu),
        specimen(&[2, 5, 4, 4], true, grouped.dropout(0.3)?),
        specimen(&[2, 5, 4, 3], false, MaxPool2d(halved)),
        specimen(&[2, 5, 4, 3], false, AvgPool2d(padded)),
        specimen(&[5, 2, 3], false, Flatten),
    ])
}

fn norms() -> Result<Vec<Specimen>> {
    Ok(vec![
        specimen(&[5, 6], false, LayerNorm::new(6)?),
        specimen(&[2, 5, 6], false, LayerNorm::new(6)?),
        specimen(&[5, 6], false, RmsNorm::new(6)?),
        specimen(&[5, 6], false, BatchNorm::new(6)?),
        specimen(&[2, 5, 4, 3], false, BatchNorm::new(3)?),
    ])
}

fn noises() -> Result<Vec<Specimen>> {
    Ok(vec![
        specimen(&[40, 3], true, GaussianDropout::new(0.5)?),
        specimen(&[40, 3], true, UniformDropout::new(0.1)?),
        specimen(&[40, 3], true, GaussianNoise::new(0.1)?),
        specimen(&[40, 3], true, AlphaDropout::new(0.5)?),
        specimen(&[9, 5, 4, 3], true, AlphaDropout::new(0.5)?.features()),
    ])
}

fn kept_units() -> Result<Vec<Specimen>> {
    let first = Linear::new(6, 20, RUN)?.activation(Activation::Relu);
    let first = first.unit_dropout(0.5)?;
    let second = Linear::new(20, 15, RUN)?.activation(Activation::Tanh);
    let second = second.unit_dropout(0.4)?;
    let square = Linear::new(6, 6, RUN)?.unit_dropout(0.5)?;
    let chain = Sequential::new()
        .with("first", first.clone())?
        .with("second", second)?
        .with("third", Linear::new(15, 6, RUN)?)?;
    let broken = Sequential::new()
        .with("first", first.clone())?
        .with("dropout", Dropout::new(0.3)?)?
        .with("second", Linear::new(20, 6, RUN)?.dropout(0.2)?)?;
    Ok(vec![
        specimen(&[5, 6], true, first.clone()),
        specimen(&[2, 5, 6], true, first),
        specimen(&[5, 6], true, square.clone().residual()),
        specimen(&[5, 6], true, chain.clone()),
        specimen(&[5, 6], true, broken),
        specimen(&[5, 6], true, Residual::new(chain)),
    ])
}

fn containers() -> Result<Vec<Specimen>> {
    let wide = Linear::new(6, 9, RUN)?.activation(Activation::Relu);
    let block = Sequential::new()
        .with("wide", wide.dropout(0.4)?)?
        .with("norm", BatchNorm::new(9)?)?
        .with("narrow", Linear::new(9, 6, RUN)?)?
        .with("dropout", Dropout::new(0.3)?)?;
    Ok(vec![
        specimen(&[5, 6], false, Sequential::new()),
        specimen(&[5, 6], true, block.clone()),
        specimen(&[5, 6], true, Residual::new(block.clone())),
        specimen(&[5, 6], true, Residual::new(Checkpoint::new(block))),
    ])
}

/// Dropout of groups that share a fate.
fn shared() -> Result<Vec<Specimen>> {
    let first = Where::Channel(Channels::First);
    let words = Embedding::new(40, 3, RUN)?.word_dropout(0.4)?;
    Ok(vec![
        specimen(&[5, 3, 2, 6], true, Dropout::spatial(0.5)?),
        specimen(&[5, 6, 7], true, Dropout::new(0.5)?.over(first)),
        specimen(&[5, 4, 6], true, Dropout::locked(0.5, 1)?),
        specimen(&[3, 40], true, Dropout::units(0.5)?),
        specimen(&[40, 3], true, Dropout::rows(0.5)?),
        specimen(&[40, 3], true, Dropout::samples(0.5)?),
        specimen(&[3, 6, 7, 5], true, DropBlock::new(0.3, Blocks::new(3)?)?),
        specimen(
            &[9, 6, 7, 2],
            true,
            DropBlock::new(0.3, Blocks::new(2)?.coupled())?,
        ),
        specimen(&[8, 6, 3], true, DropHead::new(0.5)?),
        Specimen {
            drops: true,
            ..reader(&[5, 8], 40, words)
        },
    ])
}

fn dropped_weights() -> Result<Vec<Specimen>> {
    let linear = Linear::new(6, 9, RUN)?.activation(Activation::Tanh);
    let square = Linear::new(6, 6, RUN)?;
    let units = Linear::new(6, 6, RUN)?.unit_dropout(0.4)?;
    let behind_units = Sequential::new()
        .with("units", units.clone())?
        .with("weights", DropConnect::new(linear.clone(), 0.2)?)?;
    let mixed_behind_units = Sequential::new()
        .with("units", units)?
        .with("weights", Mixout::new(&linear, 0.5)?.by_input())?;
    let block = Residual::new(square.clone().activation(Activation::Tanh));
    let head = Sequential::new()
        .with("dropout", Dropout::new(0.5)?)?
        .with("output", linear.clone())?;
    Ok(vec![
        specimen(&[5, 6], true, DropConnect::new(linear.clone(), 0.5)?),
        specimen(
            &[5, 6],
            true,
            DropConnect::new(square.clone().residual(), 0.2)?,
        ),
        specimen(&[5, 6], true, behind_units),
        specimen(
            &[2, 5, 6],
            true,
            DropConnect::new(linear.clone(), 0.5)?.per_sample(),
        ),
        specimen(&[5, 6], true, Mixout::new(&linear, 0.7)?),
        specimen(&[5, 6], true, mixed_behind_units),
        specimen(&[5, 6], true, Shakeout::new(square.residual(), 0.3, 0.0)?),
        specimen(&[40, 6], true, block.drop_path(0.5)?),
        specimen(&[5, 6], true, MultiSample::new(head, 2)?),
    ])
}
