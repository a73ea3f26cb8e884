//! Activation checkpointing: memory for time.

use super::backward::Step;
use super::tape::Tape;
use super::var::Var;
use crate::error::Result;

impl Var {
    /// `f` of this variable, of whose inner values nothing is kept: the backward pass runs `f` again, on a tape of
    /// its own, and then backwards (Chen et al. 2016, <https://arxiv.org/abs/1604.06174>). `f` must compute the same
    /// each time; dropout does, because its bits are a function of a key. It reads parameters on its variable's
    /// tape, and no other variables.
    ///
    /// The gradients are the same, bit for bit, as without, but for the order of additions where a variable
    /// is used more than once within `f` and elsewhere too.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn checkpoint(&self, f: impl Fn(&Self) -> Result<Self> + 'static) -> Result<Self> {
        let tape = Tape::of(&[self])?;
        let output = {
            let inner = tape.sibling();
            inner.no_grad(|| f(&inner.constant(self.value().clone())))?
        };
        let step = Step {
            op: "checkpoint",
            inputs: &[self],
            output: output.value().clone(),
        };
        let inner = tape.sibling();
        Ok(
            tape.record_always(step, self.value().clone(), move |x, dy, gradients| {
                let x = match gradients.wants(0) {
                    true => inner.variable(x),
                    false => inner.constant(x),
                };
                let y = f(&x)?;
                if !y.requires_grad() {
                    return Ok(());
                }
                let mut leaves = y.backward_from(dy)?;
                if let Some(dx) = x.leaf().and_then(|leaf| leaves.take(leaf)) {
                    gradients.add(0, dx)?;
                }
                gradients.add_leaves(leaves)
            }),
        )
    }
}
