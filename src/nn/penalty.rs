//! What layers add to the loss.

use std::cell::RefCell;

use super::pass::Pass;
use crate::autograd::Var;
use crate::error::{Error, Result};

impl Pass {
    /// Adds a number on the tape to what training makes small: a divergence of weights from their prior, or a norm.
    /// Outside of training nothing happens.
    ///
    /// A trainer adds the sum of all penalties, times [`Trainer::penalty_weight`](crate::train::Trainer::penalty_weight),
    /// to the mean loss of the batch. So a penalty is that of one row: of a term that belongs to the whole training set,
    /// such as a divergence, its share in one of the set's rows.
    ///
    /// ```
    /// use elision::autograd::{Parameter, Tape};
    /// use elision::{Key, Tensor, nn::Pass};
    /// let w = Parameter::new(Tensor::from_slice(&[3.0, 4.0], &[2])?);
    /// let (tape, pass) = (Tape::new(), Pass::train(Key::new(1), 0));
    /// let w = tape.parameter(&w)?;
    /// pass.penalize(&w.mul(&w)?.sum()?)?;
    /// let penalties = pass.take_penalties();
    /// assert_eq!((penalties.len(), penalties[0].item()?), (1, 25.0));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] if `penalty` is not one number, [`Error::Unsupported`] within a
    /// [`Checkpoint`](super::Checkpoint), whose inner values no gradient reaches from outside.
    pub fn penalize(&self, penalty: &Var) -> Result<()> {
        if penalty.value().len() != 1 {
            return Err(Error::Shape {
                what: "penalty",
                expected: [][..].into(),
                found: penalty.shape().into(),
            });
        }
        let Some(penalties) = self.penalties() else {
            return Ok(());
        };
        if self.checkpointed {
            return Err(Error::Unsupported(
                "a layer with a penalty cannot lie in a checkpointed segment, which would lose its gradient",
            ));
        }
        penalties.borrow_mut().push(penalty.reshape(&[])?);
        Ok(())
    }

    /// Whether penalties are asked for; where they are not, a layer need not compute one.
    #[must_use]
    pub fn takes_penalties(&self) -> bool {
        self.penalties().is_some()
    }

    /// The same pass, in which penalties are ignored: for what runs layers several times and would count theirs as often.
    #[must_use]
    pub fn without_penalties(&self) -> Self {
        let mut pass = self.clone();
        pass.unpunished = true;
        pass
    }

    fn penalties(&self) -> Option<&RefCell<Vec<Var>>> {
        let penalties = self.shared.penalties.as_ref();
        penalties.filter(|_| !self.unpunished)
    }

    /// The penalties, each one number, in the order of the layers; they are then gone from the pass.
    #[must_use]
    pub fn take_penalties(&self) -> Vec<Var> {
        let penalties = self.shared.penalties.as_ref();
        penalties.map(|all| all.take()).unwrap_or_default()
    }
}
