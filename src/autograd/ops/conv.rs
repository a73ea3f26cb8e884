//! Convolution of images: one node, as the fused linear layer.

use super::grads::Grads;
use super::linear::Fused;
use crate::autograd::pool::KeptState;
use crate::autograd::{InputGradients, Step, Tape, Value, Var};
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Saved, conv2d_backward_into, conv2d_into};

impl Var {
    /// `dropout(activation(convolution + bias))` as one node: `self` of shape `[N, H, W, C]`, `w` of
    /// `[O, KH, KW, C / groups]`, `bias` of `[O]`; the output `[N, OH, OW, O]`. Keeps references to `self` and `w`, and
    /// what [`linear`](Var::linear) keeps; the windows' elements are gathered again in the backward pass.
    ///
    /// # Errors
    /// Those of [`ops::conv2d`](crate::ops::conv2d) and of [`Tape::of`].
    pub fn conv2d(
        &self,
        w: &Self,
        bias: Option<&Self>,
        conv: &Conv2d,
        fused: &Fused,
    ) -> Result<Self> {
        let no_bias = self.detach();
        let inputs = [self, w, bias.unwrap_or(&no_bias)];
        let tape = Tape::of(&inputs)?;
        let mut y = tape.buffer(&output_shape(self, w, conv)?)?;
        let needed = tape.is_recording() && inputs.iter().any(|input| input.requires_grad());
        let recomputes = tape.is_recomputing();
        let mut state = match recomputes {
            true => KeptState::recomputing(),
            false => tape.kept_state(),
        };
        let epilogue = fused.epilogue(bias.map(Var::view));
        conv2d_into(
            self,
            w,
            conv,
            &epilogue,
            &mut *y,
            needed.then_some(&mut *state),
        )?;
        let y = Value::from(y);
        let read = (recomputes && fused.reads_output()).then(|| y.clone());
        let step = Step {
            op: "conv2d",
            inputs: &inputs,
            output: y,
        };
        let kept = ([self.value().clone(), w.value().clone()], state, read);
        let (conv, fused) = (*conv, *fused);
        Ok(tape.record(step, kept, move |kept, dy, gradients| {
            backward(kept, (&conv, &fused), &dy, gradients)
        }))
    }
}

fn output_shape(x: &Var, w: &Var, conv: &Conv2d) -> Result<[usize; 4]> {
    let (&[n, h, width, _], &[o, ..]) = (x.shape(), w.shape()) else {
        let (what, found) = match x.rank() {
            4 => ("weights of conv2d", w.rank()),
            rank => ("input of conv2d", rank),
        };
        let expected = 4;
        return Err(Error::Rank {
            what,
            expected,
            found,
        });
    };
    let [oh, ow] = conv.window.output([h, width])?;
    Ok([n, oh, ow, o])
}

fn backward(
    (inputs, state, output): ([Value; 2], KeptState<Saved>, Option<Value>),
    (conv, fused): (&Conv2d, &Fused),
    dy: &Value,
    gradients: &mut InputGradients<'_>,
) -> Result<()> {
    let [x, w] = &inputs;
    let mut grads = Grads::new([x.shape(), w.shape(), &w.shape()[..1]], gradients)?;
    let into = grads.of_linear();
    let epilogue = fused.epilogue(None);
    match &output {
        Some(y) => conv2d_backward_into(dy, x, w, conv, &epilogue, state.with_output(y), into)?,
        None => conv2d_backward_into(dy, x, w, conv, &epilogue, &*state, into)?,
    }
    grads.add(gradients)
}
