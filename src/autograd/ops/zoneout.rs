//! Zoneout: units that keep their previous value.

use crate::autograd::{Step, Tape, Var};
use crate::dropout::Dropout;
use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::ops;

impl Var {
    /// This, the new state of a recurrent network, with some elements left at their value in `previous` (Krueger et al.
    /// 2017, "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations",
    /// <https://arxiv.org/abs/1606.01305>). An element stays with the dropout's `p`, where the dropout drops; nothing is
    /// scaled, whatever the form. Keeps one bit an element, or nothing if the tape recomputes masks.
    ///
    /// ```
    /// use elision::{Dropout, Key, Mask, Tensor, autograd::Tape};
    /// let tape = Tape::new();
    /// let (new, old) = (Tensor::full(&[100], 1.0)?, Tensor::full(&[100], 2.0)?);
    /// let dropout = Dropout::new(Key::new(1), 0.15)?;
    /// let h = tape.constant(new).zoneout(&tape.constant(old), &dropout)?;
    /// let kept = Mask::draw(&dropout, 100)?.to_bools();
    /// assert!(h.view().iter().zip(kept).all(|(h, kept)| h == if kept { 1.0 } else { 2.0 }));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] if the two have different shapes, [`Error::Overflow`] if the dropout's offset plus the number of
    /// elements does not fit 64 bits, and those of [`Tape::of`].
    pub fn zoneout(&self, previous: &Self, dropout: &Dropout) -> Result<Self> {
        let inputs = [self, previous];
        let tape = Tape::of(&inputs)?;
        check_states(self, previous)?;
        let mask = Mask::draw(dropout, self.value().len())?;
        let mut y = tape.buffer(self.shape())?;
        ops::choose_into(self, previous, &mask, &mut *y)?;
        let step = Step {
            op: "zoneout",
            inputs: &inputs,
            output: y.into(),
        };
        let (mask, dropout) = ((!tape.is_recomputing()).then_some(mask), *dropout);
        Ok(tape.record(step, mask, move |mask, dy, gradients| {
            let mask = mask.map_or_else(|| Mask::draw(&dropout, dy.len()), Ok)?;
            for (i, mask) in [mask.clone(), mask.not()].iter().enumerate() {
                if let Some(mut d) = gradients.wanted(i, dy.shape())? {
                    ops::select_into(&dy, mask, 1.0, &mut *d)?;
                    gradients.add(i, d)?;
                }
            }
            Ok(())
        }))
    }

    /// What inference does in [`zoneout`](Var::zoneout)'s place: its mean, `p * previous + (1 - p) * self`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the two have different shapes, and those of [`Tape::of`].
    pub fn zoneout_inference(&self, previous: &Self, dropout: &Dropout) -> Result<Self> {
        Tape::of(&[self, previous])?;
        check_states(self, previous)?;
        let p = dropout.p();
        match p {
            0.0 => Ok(self.clone()),
            1.0 => Ok(previous.clone()),
            _ => self
                .scale((1.0 - p) as f32)?
                .add(&previous.scale(p as f32)?),
        }
    }
}

fn check_states(new: &Var, previous: &Var) -> Result<()> {
    if new.shape() == previous.shape() {
        return Ok(());
    }
    Err(Error::Shape {
        what: "previous state of zoneout",
        expected: new.shape().into(),
        found: previous.shape().into(),
    })
}
