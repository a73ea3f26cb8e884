//! Ours: into given memory, and in the forms that allocate their results as other frameworks do.

use std::rc::Rc;

use elision::{Activation, Dropout, Epilogue, Key, Mask, Tensor, ops};

use super::elision_training;
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::lock::version;
use crate::peer::{Answer, Local, OURS, Peer, Run};
use crate::work::{RATE, Shape, Work};

/// The two columns differ in where results go.
pub(super) struct Elision {
    pub(super) allocates: bool,
}

impl Peer for Elision {
    fn name(&self) -> &'static str {
        if self.allocates {
            "elision, allocating"
        } else {
            OURS
        }
    }

    fn version(&self) -> String {
        if self.allocates {
            "the same, with new memory for each result".to_owned()
        } else {
            format!(
                "{}, into given memory; the base of the ratios",
                version("elision")
            )
        }
    }

    fn prepare(&self, work: Work, inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
        let allocates = self.allocates;
        match work {
            Work::Mask { n } => mask(n, allocates),
            Work::Dropout { n } => elementwise(n, inputs, allocates, false),
            Work::DropoutStep { n } => elementwise(n, inputs, allocates, true),
            Work::Linear(shape) => plain(shape, inputs, allocates),
            Work::Fused(shape) => fused(shape, inputs, allocates, false),
            Work::FusedStep(shape) => fused(shape, inputs, allocates, true),
            Work::FusedToPlain(_) => Ok(None),
            Work::Train if allocates => Ok(None),
            Work::Train => elision_training::prepare(inputs),
        }
    }
}

/// A new mask for every call.
struct Dropouts(u64);

impl Dropouts {
    fn next(&mut self) -> Result<Dropout, Failure> {
        self.0 += 1;
        Ok(Dropout::new(Key::new(1).fold_in(self.0), RATE)?)
    }
}

fn mask(n: usize, allocates: bool) -> Result<Option<Box<dyn Run>>, Failure> {
    let call = move |(mask, dropouts): &mut (Mask, Dropouts)| {
        let dropout = dropouts.next()?;
        if allocates {
            *mask = Mask::draw(&dropout, n)?;
        } else {
            mask.redraw(&dropout)?;
        }
        Ok(())
    };
    let answer = |(mask, _): &mut (Mask, Dropouts)| {
        let bits = mask.to_bools();
        Ok(vec![
            bits.iter().map(|&kept| f32::from(u8::from(kept))).collect(),
        ])
    };
    Ok(Local::boxed((Mask::none(n), Dropouts(0)), call, answer))
}

/// The memory of elementwise dropout.
struct Elementwise {
    x: Tensor,
    g: Tensor,
    y: Tensor,
    dx: Tensor,
    mask: Mask,
    dropouts: Dropouts,
}

impl Elementwise {
    fn in_given_memory(&mut self, backward: bool) -> Result<(), Failure> {
        let dropout = self.dropouts.next()?;
        ops::dropout_into(&self.x, &dropout, &mut self.y, Some(&mut self.mask))?;
        if backward {
            ops::dropout_backward_into(&self.g, &dropout, Some(&self.mask), &mut self.dx)?;
        }
        Ok(())
    }

    fn allocating(&mut self, backward: bool) -> Result<(), Failure> {
        let dropout = self.dropouts.next()?;
        (self.y, self.mask) = ops::dropout(&self.x, &dropout)?;
        if backward {
            self.dx = ops::dropout_backward(&self.g, &dropout, Some(&self.mask))?;
        }
        Ok(())
    }
}

fn elementwise(
    n: usize,
    inputs: &Inputs,
    allocates: bool,
    backward: bool,
) -> Result<Option<Box<dyn Run>>, Failure> {
    let state = Elementwise {
        x: Tensor::from_slice(&inputs.x, &[n])?,
        g: Tensor::from_slice(&inputs.g, &[n])?,
        y: Tensor::zeros(&[n])?,
        dx: Tensor::zeros(&[n])?,
        mask: Mask::none(n),
        dropouts: Dropouts(0),
    };
    let call = move |state: &mut Elementwise| match allocates {
        true => state.allocating(backward),
        false => state.in_given_memory(backward),
    };
    let answer = move |state: &mut Elementwise| {
        let mut answer = vec![state.y.as_slice().to_vec()];
        answer.extend(backward.then(|| state.dx.as_slice().to_vec()));
        Ok(answer)
    };
    Ok(Local::boxed(state, call, answer))
}

fn plain(
    Shape { m, k, n }: Shape,
    inputs: &Inputs,
    allocates: bool,
) -> Result<Option<Box<dyn Run>>, Failure> {
    let x = Tensor::from_slice(&inputs.x, &[m, k])?;
    let w = Tensor::from_slice(&inputs.w, &[n, k])?;
    let call = move |y: &mut Tensor| {
        let none = Epilogue::default();
        if allocates {
            *y = ops::linear(&x, &w, &none)?.0;
        } else {
            ops::linear_into(&x, &w, &none, y, None)?;
        }
        Ok(())
    };
    let answer = |y: &mut Tensor| Ok(vec![y.as_slice().to_vec()]);
    Ok(Local::boxed(Tensor::zeros(&[m, n])?, call, answer))
}

/// A layer's parameters, and the memory of its step.
struct Layer {
    x: Tensor,
    w: Tensor,
    bias: Tensor,
    g: Tensor,
    y: Tensor,
    saved: ops::Saved,
    grads: ops::LinearGrads,
    dropouts: Dropouts,
}

impl Layer {
    fn new(Shape { m, k, n }: Shape, inputs: &Inputs) -> Result<Self, Failure> {
        Ok(Self {
            x: Tensor::from_slice(&inputs.x, &[m, k])?,
            w: Tensor::from_slice(&inputs.w, &[n, k])?,
            bias: Tensor::from_slice(&inputs.bias, &[n])?,
            g: Tensor::from_slice(&inputs.g, &[m, n])?,
            y: Tensor::zeros(&[m, n])?,
            saved: ops::Saved::default(),
            grads: ops::LinearGrads {
                x: Tensor::zeros(&[m, k])?,
                w: Tensor::zeros(&[n, k])?,
                bias: Tensor::zeros(&[n])?,
            },
            dropouts: Dropouts(0),
        })
    }

    fn call(&mut self, allocates: bool, backward: bool) -> Result<(), Failure> {
        let Self { x, w, g, grads, .. } = self;
        let epilogue = Epilogue {
            bias: Some(self.bias.view()),
            activation: Activation::Relu,
            dropout: Some(self.dropouts.next()?),
        };
        if allocates {
            (self.y, self.saved) = ops::linear(&*x, &*w, &epilogue)?;
        } else {
            ops::linear_into(&*x, &*w, &epilogue, &mut self.y, Some(&mut self.saved))?;
        }
        match (backward, allocates) {
            (false, _) => {}
            (true, true) => *grads = ops::linear_backward(&*g, &*x, &*w, &epilogue, &self.saved)?,
            (true, false) => {
                let into = ops::LinearGradsInto {
                    x: Some(grads.x.view_mut()),
                    w: Some(grads.w.view_mut()),
                    bias: Some(grads.bias.view_mut()),
                };
                ops::linear_backward_into(&*g, &*x, &*w, &epilogue, &self.saved, into)?;
            }
        }
        Ok(())
    }

    fn answer(&self, backward: bool) -> Answer {
        let ops::LinearGrads { x, w, bias } = &self.grads;
        let all = if backward {
            vec![&self.y, x, w, bias]
        } else {
            vec![&self.y]
        };
        all.iter()
            .map(|tensor| tensor.as_slice().to_vec())
            .collect()
    }
}

fn fused(
    shape: Shape,
    inputs: &Inputs,
    allocates: bool,
    backward: bool,
) -> Result<Option<Box<dyn Run>>, Failure> {
    let call = move |layer: &mut Layer| layer.call(allocates, backward);
    let answer = move |layer: &mut Layer| Ok(layer.answer(backward));
    Ok(Local::boxed(Layer::new(shape, inputs)?, call, answer))
}
