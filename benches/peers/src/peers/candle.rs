//! candle on the CPU, without its MKL feature: layers as its own modules compute them.

use std::rc::Rc;

use candle_core::{Device, Tensor, Var};
use candle_nn::ops::dropout;
use candle_nn::{Linear, Module};

use super::candle_training;
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::lock::version;
use crate::peer::{Answer, Local, Peer, Run};
use crate::work::{RATE, Shape, Work};

/// On rayon's global pool.
pub(super) struct Candle;

impl Peer for Candle {
    fn name(&self) -> &'static str {
        "candle"
    }

    fn version(&self) -> String {
        format!("crates candle-core and candle-nn {}", version("candle-nn"))
    }

    fn prepare(&self, work: Work, inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
        match work {
            Work::Mask { .. } | Work::FusedToPlain(_) => Ok(None),
            Work::Dropout { n } => elementwise(n, inputs),
            Work::DropoutStep { n } => elementwise_step(n, inputs),
            Work::Linear(shape) => plain(shape, inputs),
            Work::Fused(shape) => layer(shape, inputs),
            Work::FusedStep(shape) => layer_step(shape, inputs),
            Work::Train => candle_training::prepare(inputs),
        }
    }
}

/// What the last call left, in the order of the answer.
type Outputs = Vec<Tensor>;

/// Work whose call returns its outputs.
fn run(
    mut call: impl FnMut() -> candle_core::Result<Outputs> + 'static,
) -> Result<Option<Box<dyn Run>>, Failure> {
    let call = move |outputs: &mut Outputs| {
        *outputs = call()?;
        Ok(())
    };
    Ok(Local::boxed(Outputs::new(), call, read))
}

fn read(outputs: &mut Outputs) -> Result<Answer, Failure> {
    let read = |tensor: &Tensor| Ok(tensor.flatten_all()?.to_vec1()?);
    outputs.iter().map(read).collect()
}

fn tensor(data: &[f32], shape: &[usize]) -> candle_core::Result<Tensor> {
    Tensor::from_slice(data, shape, &Device::Cpu)
}

fn elementwise(n: usize, inputs: &Inputs) -> Result<Option<Box<dyn Run>>, Failure> {
    let x = tensor(&inputs.x, &[n])?;
    run(move || Ok(vec![dropout(&x, RATE as f32)?]))
}

fn elementwise_step(n: usize, inputs: &Inputs) -> Result<Option<Box<dyn Run>>, Failure> {
    let x = Var::from_tensor(&tensor(&inputs.x, &[n])?)?;
    let g = tensor(&inputs.g, &[n])?;
    run(move || {
        let y = dropout(&x, RATE as f32)?;
        let gradients = backward(&y, &g, &[&x])?;
        Ok([vec![y.detach()], gradients].concat())
    })
}

fn plain(Shape { m, k, n }: Shape, inputs: &Inputs) -> Result<Option<Box<dyn Run>>, Failure> {
    let x = tensor(&inputs.x, &[m, k])?;
    let layer = Linear::new(tensor(&inputs.w, &[n, k])?, None);
    run(move || Ok(vec![layer.forward(&x)?]))
}

fn layer(Shape { m, k, n }: Shape, inputs: &Inputs) -> Result<Option<Box<dyn Run>>, Failure> {
    let x = tensor(&inputs.x, &[m, k])?;
    let bias = tensor(&inputs.bias, &[n])?;
    let layer = Linear::new(tensor(&inputs.w, &[n, k])?, Some(bias));
    run(move || Ok(vec![dropout(&layer.forward(&x)?.relu()?, RATE as f32)?]))
}

fn layer_step(Shape { m, k, n }: Shape, inputs: &Inputs) -> Result<Option<Box<dyn Run>>, Failure> {
    let x = Var::from_tensor(&tensor(&inputs.x, &[m, k])?)?;
    let w = Var::from_tensor(&tensor(&inputs.w, &[n, k])?)?;
    let bias = Var::from_tensor(&tensor(&inputs.bias, &[n])?)?;
    let g = tensor(&inputs.g, &[m, n])?;
    let layer = Linear::new(w.as_tensor().clone(), Some(bias.as_tensor().clone()));
    run(move || {
        let y = dropout(&layer.forward(&x)?.relu()?, RATE as f32)?;
        let gradients = backward(&y, &g, &[&x, &w, &bias])?;
        Ok([vec![y.detach()], gradients].concat())
    })
}

/// The gradients of some variables. candle starts from a gradient of ones only, so the gradient of the output
/// comes in as a factor, which costs a product over the output.
fn backward(y: &Tensor, g: &Tensor, of: &[&Var]) -> candle_core::Result<Vec<Tensor>> {
    let mut gradients = (y * g)?.backward()?;
    let missing = || candle_core::Error::Msg("a gradient is missing".to_owned());
    of.iter()
        .map(|var| gradients.remove(var).ok_or_else(missing))
        .collect()
}
