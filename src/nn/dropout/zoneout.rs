//! Zoneout for recurrent networks.

use crate::autograd::Var;
use crate::dropout::{Dropout, check_probability};
use crate::error::Result;
use crate::nn::pass::Pass;

/// The step of a recurrent network's state in which some units keep their previous value: [`Var::zoneout`] (Krueger et al.
/// 2017, <https://arxiv.org/abs/1606.01305>). In evaluation the state moves by the share 1 - p of its way. The paper takes
/// p = 0.5 for the cells and 0.05 for the hidden states of a character model, 0.15 for both on permuted MNIST.
///
/// It is no layer, for it reads two states: a cell holds one and calls it, with a pass of its own for each step of
/// time, and passes its own `rate` and `set_rate` on.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{Pass, Zoneout};
/// use elision::{Key, Tensor};
/// let (tape, zoneout) = (Tape::new(), Zoneout::new(0.15)?);
/// let mut h = tape.variable(Tensor::zeros(&[2, 8])?);
/// for t in 0..3 {
///     let pass = Pass::train(Key::new(1), 0).child(&t.to_string());
///     let new = h.scale(0.5)?;
///     h = zoneout.step(&new, &h, &pass)?;
/// }
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Zoneout {
    p: f64,
}

impl Zoneout {
    /// Each element keeps its previous value with probability `p`.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn new(p: f64) -> Result<Self> {
        let p = check_probability(p)?;
        Ok(Self { p })
    }

    /// The probability.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.p
    }

    /// Sets the probability.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }

    /// The state after a step, from the one that the cell computed and the one before. The bits are those of the
    /// key of `pass`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the two have different shapes.
    pub fn step(&self, new: &Var, previous: &Var, pass: &Pass) -> Result<Var> {
        match pass.dropout(self.p)? {
            Some(dropout) => new.zoneout(previous, &dropout),
            None => new.zoneout_inference(previous, &Dropout::new(pass.key(), self.p)?),
        }
    }
}
