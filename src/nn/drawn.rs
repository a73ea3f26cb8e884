//! What dropout decided in a pass, for whoever counts it.

use super::pass::Pass;
use crate::dropout::Dropout;
use crate::error::{Error, Result};
use crate::mask::Mask;

/// The decisions of one dropout in one pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The names down to the layer, joined by dots.
    pub path: String,
    /// The drop probability that was asked for.
    pub p: f64,
    /// The units that the decisions are about: decision i is one about unit `i % units`.
    pub units: usize,
    /// The decisions.
    pub mask: Mask,
}

impl Pass {
    /// Notes the decisions of a dropout of the layer at hand, one for each element of `shape`, whose last axis counts
    /// the units; nothing unless the pass is [`observed`](Pass::observed). The bits are drawn a second time, which
    /// gives the same ones, because they are a function of the key.
    ///
    /// # Errors
    /// [`Error::Overflow`] if the decisions cannot be counted or held.
    pub fn note_dropout(&self, dropout: Option<&Dropout>, shape: &[usize]) -> Result<()> {
        let Some(dropout) = dropout else {
            return Ok(());
        };
        let units = shape.last().copied().unwrap_or(1);
        self.note_mask(dropout.p(), units, || {
            let len = shape.iter().try_fold(1usize, |len, &n| len.checked_mul(n));
            Mask::draw(dropout, len.ok_or(Error::Overflow("mask"))?)
        })
    }

    /// The same for decisions that are made in another way: `mask` is asked for if the pass is observed, and holds as
    /// many for one unit as for any other.
    ///
    /// # Errors
    /// Those of `mask`; [`Error::Length`] if its length is no multiple of the number of units.
    pub fn note_mask(
        &self,
        p: f64,
        units: usize,
        mask: impl FnOnce() -> Result<Mask>,
    ) -> Result<()> {
        let Some(drawn) = self.drawn() else {
            return Ok(());
        };
        let mask = mask()?;
        let found = mask.len();
        if found.checked_rem(units).unwrap_or(found) != 0 {
            return Err(Error::Length {
                what: "decisions about units",
                expected: found.next_multiple_of(units.max(1)),
                found,
            });
        }
        let path = self.path().to_owned();
        drawn.borrow_mut().push(Drawn {
            path,
            p,
            units,
            mask,
        });
        Ok(())
    }
}
