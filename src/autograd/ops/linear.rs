//! The fused linear layer: one node.

use super::drop_connect::WeightBits;
use super::grads::Grads;
use crate::activation::Activation;
use crate::autograd::pool::KeptState;
use crate::autograd::{InputGradients, KeptBytes, Saves, Step, Tape, Value, Var};
use crate::dropout::Dropout;
use crate::epilogue::Epilogue;
use crate::error::{Error, Result};
use crate::mask::BlockMask;
use crate::ops::{self, Residuals, Saved};
use crate::tensor::{Dims, View};

/// What a fused layer does after its product and bias.
///
/// ```
/// use elision::autograd::{Fused, Tape};
/// use elision::{Activation, Dropout, Key, Tensor};
/// let tape = Tape::new();
/// let (x, w) = (Tensor::full(&[8, 3], 0.5)?, Tensor::full(&[2, 3], 1.0)?);
/// let fused = Fused { activation: Activation::Relu, dropout: Some(Dropout::new(Key::new(1), 0.5)?) };
/// let y = tape.constant(x).linear(&tape.variable(w), None, &fused)?;
/// assert!(y.view().iter().all(|y| y == 0.0 || y == 3.0));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fused {
    /// Applied to product and bias.
    pub activation: Activation,
    /// Dropout in training, elements counted in row-major order of the output.
    pub dropout: Option<Dropout>,
}

impl Fused {
    pub(super) fn epilogue<'a>(&self, bias: Option<View<'a>>) -> Epilogue<'a> {
        let &Self {
            activation,
            dropout,
        } = self;
        Epilogue {
            bias,
            activation,
            dropout,
        }
    }

    /// Whether the output tells what a recomputed backward pass must know.
    pub(super) fn reads_output(&self) -> bool {
        self.activation == Activation::Relu
    }
}

/// What the backward pass of a fused product reads.
type Kept = ([Value; 2], KeptState<Saved>, Option<Value>, Seen);

/// What else a fused product may do.
#[derive(Default)]
pub(super) struct Extras<'a> {
    /// Added to the output.
    pub(super) residual: Option<&'a Var>,
    /// Laid over an operand.
    pub(super) mask: OperandMask,
}

/// What an operand is seen through.
#[derive(Default)]
pub(super) enum OperandMask {
    #[default]
    Nothing,
    /// Blocks of the input.
    Input(BlockMask),
    /// Dropout of the weights.
    Weights(Dropout),
}

/// The same, for the backward pass.
enum Seen {
    Whole,
    Input(BlockMask),
    Weights(WeightBits),
}

impl Seen {
    fn op(&self) -> &'static str {
        match self {
            Self::Whole => "linear",
            Self::Input(_) => "linear_blocks",
            Self::Weights(_) => "drop_connect",
        }
    }
}

impl Saves for Seen {
    fn count(&self, kept: &mut KeptBytes) {
        match self {
            Self::Whole => {}
            Self::Input(mask) => kept.own(mask.bytes()),
            Self::Weights(bits) => bits.count(kept),
        }
    }
}

impl Var {
    /// `dropout(activation(x * w^T + bias))` as one node: `self` of shape `[.., inputs]`, `w` of `[units, inputs]`,
    /// `bias` of `[units]`. Keeps references to `x` and `w`; after ReLU one bit an element or nothing if the tape
    /// recomputes masks, after a smooth activation its argument.
    ///
    /// # Errors
    /// [`Error::Rank`], [`Error::Shape`] if the shapes do not fit, and those of [`Tape::of`].
    pub fn linear(&self, w: &Self, bias: Option<&Self>, fused: &Fused) -> Result<Self> {
        self.linear_with(w, bias, fused, Extras::default())
    }

    /// [`linear`](Var::linear) of the input under a mask of blocks, whose dropped blocks are left out of the product and of
    /// both gradients. The mask's rows are all axes of the input but the last. Keeps the mask, beside what
    /// [`linear`](Var::linear) keeps.
    ///
    /// # Errors
    /// Those of [`linear`](Var::linear), and [`Error::Shape`] if the mask is over another shape.
    pub fn linear_blocks(
        &self,
        w: &Self,
        bias: Option<&Self>,
        fused: &Fused,
        mask: BlockMask,
    ) -> Result<Self> {
        let extras = Extras {
            mask: OperandMask::Input(mask),
            ..Extras::default()
        };
        self.linear_with(w, bias, fused, extras)
    }

    /// [`linear`](Var::linear) plus `residual`, of the output's shape, as one node.
    ///
    /// # Errors
    /// Those of [`linear`](Var::linear), and [`Error::Shape`] if `residual` has another shape.
    pub fn linear_residual(
        &self,
        w: &Self,
        bias: Option<&Self>,
        fused: &Fused,
        residual: &Self,
    ) -> Result<Self> {
        let extras = Extras {
            residual: Some(residual),
            ..Extras::default()
        };
        self.linear_with(w, bias, fused, extras)
    }

    pub(super) fn linear_with(
        &self,
        w: &Self,
        bias: Option<&Self>,
        fused: &Fused,
        Extras { residual, mask }: Extras<'_>,
    ) -> Result<Self> {
        // Absent inputs stand in as constants, so that each has its place.
        let (no_bias, no_residual) = (self.detach(), self.detach());
        let inputs = [
            self,
            w,
            bias.unwrap_or(&no_bias),
            residual.unwrap_or(&no_residual),
        ];
        let tape = Tape::of(&inputs)?;
        let (rows, shape) = output_shape(self, w)?;
        let residual = residual.map(|x| checked(x, &shape)).transpose()?;
        let x = self
            .value()
            .reshape(&[rows, self.shape()[self.rank() - 1]])?;
        let mut y = tape.buffer(&[rows, w.shape()[0]])?;
        let epilogue = fused.epilogue(bias.map(Var::view));
        let needed = tape.is_recording() && inputs.iter().any(|input| input.requires_grad());
        // A residual hides which outputs ReLU cut.
        let recomputes = tape.is_recomputing() && !(fused.reads_output() && residual.is_some());
        let mut state = match recomputes {
            true => KeptState::recomputing(),
            false => tape.kept_state(),
        };
        let saved = needed.then_some(&mut *state);
        let seen = match mask {
            OperandMask::Nothing => {
                ops::linear_into(x.view(), w, &epilogue, &mut *y, saved)?;
                Seen::Whole
            }
            OperandMask::Input(mask) => {
                ops::linear_into(mask.over(&x)?, w, &epilogue, &mut *y, saved)?;
                Seen::Input(mask)
            }
            OperandMask::Weights(dropout) => {
                let bits = WeightBits::draw(&dropout, w.value().len())?;
                bits.over(w.view(), |w| {
                    ops::drop_connect_into(x.view(), w, &epilogue, &mut *y, saved)
                })?;
                Seen::Weights(bits.kept_if(!tape.is_recomputing()))
            }
        };
        if let Some(residual) = residual {
            ops::add_assign(y.view_mut().reshape(&shape)?, residual)?;
        }
        let y = Value::from(y);
        let output = y.reshape(&shape)?;
        let read = (recomputes && fused.reads_output()).then_some(y);
        let step = Step {
            op: seen.op(),
            inputs: &inputs,
            output,
        };
        let fused = *fused;
        Ok(tape.record(
            step,
            ([x, w.value().clone()], state, read, seen),
            move |kept, dy, gradients| {
                gradients.add(3, dy.clone())?;
                backward(kept, &fused, &dy, gradients)
            },
        ))
    }
}

fn checked<'a>(residual: &'a Var, shape: &[usize]) -> Result<&'a Var> {
    if residual.shape() == shape {
        return Ok(residual);
    }
    Err(Error::Shape {
        what: "residual of linear",
        expected: shape.into(),
        found: residual.shape().into(),
    })
}

/// The number of rows, and the shape of the output.
pub(super) fn output_shape(x: &Var, w: &Var) -> Result<(usize, Dims)> {
    let (&[.., inputs], &[units, depth]) = (x.shape(), w.shape()) else {
        let (what, expected) = ("operands of linear", 2);
        let found = if w.rank() == 2 { x.rank() } else { w.rank() };
        return Err(Error::Rank {
            what,
            expected,
            found,
        });
    };
    if inputs != depth {
        return Err(Error::Shape {
            what: "weights of linear",
            expected: [units, inputs][..].into(),
            found: w.shape().into(),
        });
    }
    let mut shape = x.value().dims();
    shape[x.rank() - 1] = units;
    Ok((shape[..x.rank() - 1].iter().product(), shape))
}

fn backward(
    (inputs, state, output, seen): Kept,
    fused: &Fused,
    dy: &Value,
    gradients: &mut InputGradients<'_>,
) -> Result<()> {
    let [x, w] = &inputs;
    let mut grads = Grads::new([x.shape(), w.shape(), &w.shape()[..1]], gradients)?;
    let into = grads.of_linear();
    let dy = dy.reshape(&[x.shape()[0], w.shape()[0]])?;
    let epilogue = fused.epilogue(None);
    let saved = match &output {
        Some(y) => state.with_output(y),
        None => Residuals::from(&*state),
    };
    match seen {
        Seen::Whole => ops::linear_backward_into(&dy, x.view(), w, &epilogue, saved, into)?,
        Seen::Input(mask) => {
            ops::linear_backward_into(&dy, mask.over(x)?, w, &epilogue, saved, into)?;
        }
        Seen::Weights(weights) => weights.over(w.view(), |w| {
            ops::drop_connect_backward_into(&dy, x.view(), w, &epilogue, saved, into)
        })?,
    }
    grads.add(gradients)
}
