//! The linear layer that computes its kept units alone.

use std::rc::Rc;

use super::grads::Grads;
use super::linear::output_shape;
use crate::activation::Activation;
use crate::autograd::pool::KeptState;
use crate::autograd::{KeptBytes, Saves, Step, Tape, Value, Var};
use crate::epilogue::UnitEpilogue;
use crate::error::Result;
use crate::mask::UnitMask;
use crate::ops::{UnitSaved, unit_linear_backward_into, unit_linear_into};

/// The masks of a layer's input and output.
#[derive(Clone, Debug)]
struct Units {
    input: Option<Rc<UnitMask>>,
    output: Option<Rc<UnitMask>>,
}

impl Units {
    fn epilogue(&self, activation: Activation) -> UnitEpilogue<'_> {
        UnitEpilogue {
            bias: None,
            activation,
            input: self.input.as_deref(),
            output: self.output.as_deref(),
        }
    }
}

impl Saves for Units {
    fn count(&self, kept: &mut KeptBytes) {
        let masks = [&self.input, &self.output].into_iter().flatten();
        masks.for_each(|mask| kept.own(size_of_val(mask.kept())));
    }
}

impl Var {
    /// `activation(x * w^T + bias)` of the units that `output` keeps, times its scale; the others are zero for the
    /// whole batch and cost nothing. The units that the layer before dropped ([`units`](Var::units)) are not read. `self`
    /// is of shape `[.., inputs]`, `w` of `[units, inputs]`. Keeps references to `self` and `w`, the operands that it
    /// gathered, and what [`linear`](Var::linear) keeps of the narrow product.
    ///
    /// ```
    /// use elision::autograd::Tape;
    /// use elision::{Activation, Dropout, Key, Tensor, UnitMask};
    /// let tape = Tape::new();
    /// let (x, w) = (Tensor::full(&[4, 3], 1.0)?, tape.variable(Tensor::full(&[8, 3], 1.0)?));
    /// let kept = UnitMask::draw(&Dropout::new(Key::new(1), 0.5)?, 8)?;
    /// let y = tape.constant(x).linear_units(&w, None, Activation::Relu, Some(kept))?;
    /// assert_eq!(y.view().iter().filter(|&y| y == 6.0).count(), 4 * y.units().unwrap().kept().len());
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`ops::unit_linear`](crate::ops::unit_linear) and of [`Tape::of`].
    pub fn linear_units(
        &self,
        w: &Self,
        bias: Option<&Self>,
        activation: Activation,
        output: Option<UnitMask>,
    ) -> Result<Self> {
        let no_bias = self.detach();
        let inputs = [self, w, bias.unwrap_or(&no_bias)];
        let tape = Tape::of(&inputs)?;
        let (rows, shape) = output_shape(self, w)?;
        let x = self.value().reshape(&[rows, w.shape()[1]])?;
        let mut y = tape.buffer(&[rows, w.shape()[0]])?;
        let masks = Units {
            input: self.shared_units(),
            output: output.map(Rc::new),
        };
        let epilogue = UnitEpilogue {
            bias: bias.map(Var::view),
            ..masks.epilogue(activation)
        };
        let mut state: KeptState<UnitSaved> = tape.kept_state();
        unit_linear_into(&x, w, &epilogue, &mut *y, Some(&mut *state))?;
        let step = Step {
            op: "linear_units",
            inputs: &inputs,
            output: Value::from(y).reshape(&shape)?,
        };
        let kept = ([x, w.value().clone()], state, masks.clone());
        let y = tape.record(step, kept, move |([x, w], state, masks), dy, gradients| {
            let mut grads = Grads::new([x.shape(), w.shape(), &w.shape()[..1]], gradients)?;
            let into = grads.of_linear();
            let dy = dy.reshape(&[x.shape()[0], w.shape()[0]])?;
            unit_linear_backward_into(&dy, &x, &w, &masks.epilogue(activation), &state, into)?;
            grads.add(gradients)
        });
        Ok(y.with_units(masks.output))
    }
}
