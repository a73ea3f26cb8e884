//! Activation checkpointing: memory for time.

use super::backward::Step;
use super::tape::Tape;
use super::var::Var;
use crate::error::Result;

impl Var {
    /// `f` of this variable, of whose inner values nothing is kept: the backward pass runs `f` again, on a tape of
    /// its own, and then backwards (Chen et al. 2016, <https://arxiv.org/abs/1604.06174>). `f` must compute the same
    /// each time; dropout does, because its bits are a function of a key.
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
                let x = inner.variable(x);
                let mut leaves = f(&x)?.backward_from(dy)?;
                if let Some(dx) = x.leaf().and_then(|leaf| leaves.take(leaf)) {
                    gradients.add(0, dx)?;
                }
                gradients.add_leaves(leaves)
            }),
        )
    }
}
