//! What a forward pass with unit masks leaves for its backward pass.

use super::Shape;
use super::select::Gather;
use crate::epilogue::UnitEpilogue;
use crate::error::{Error, Result};
use crate::mask::UnitMask;
use crate::ops::check::check_shape;
use crate::ops::linear::Saved;
use crate::tensor::{Tensor, View};

/// What a forward pass with unit masks leaves for its backward pass: the operands that it gathered, and
/// [`Saved`] of the narrow layer. Reuse it from step to step, with whatever masks: the memory is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitSaved {
    /// The units kept in the forward pass.
    input: Option<Vec<u32>>,
    output: Option<Vec<u32>>,
    /// The kept columns of the input, if it has a mask.
    x: Option<Tensor>,
    /// The kept rows and columns of the weights, if there is a mask.
    w: Option<Tensor>,
    pub(super) narrow: Saved,
}

impl UnitSaved {
    /// The memory of what is saved.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let units = [&self.input, &self.output].map(|kept| kept.as_ref().map_or(0, Vec::len));
        let operands = [&self.x, &self.w].map(|gathered| gathered.as_ref().map_or(0, Tensor::len));
        let numbers: usize = units.iter().chain(&operands).sum();
        numbers * size_of::<u32>() + self.narrow.bytes()
    }

    /// Gathers the operands.
    pub(super) fn prepare(
        &mut self,
        x: View<'_>,
        w: View<'_>,
        epilogue: &UnitEpilogue<'_>,
        shape: &Shape<'_>,
    ) -> Result<()> {
        let Shape {
            batch,
            output,
            input,
            ..
        } = *shape;
        let gather = |from, rows, cols| Gather {
            from,
            rows,
            cols,
            scale: 1.0,
        };
        let x = epilogue.input.map(|_| gather(x, batch, input));
        let masked = epilogue.input.or(epilogue.output);
        let w = masked.map(|_| gather(w, output, input));
        make_room(&mut self.x, x)?;
        make_room(&mut self.w, w)?;
        remember(&mut self.input, epilogue.input);
        remember(&mut self.output, epilogue.output);
        for (gather, into) in [(x, &mut self.x), (w, &mut self.w)] {
            if let (Some(gather), Some(into)) = (gather, into) {
                gather.run(into.as_mut_slice());
            }
        }
        Ok(())
    }

    /// The operands of the narrow product: what was gathered, and of `x` and `w` what was not.
    pub(super) fn operands<'a>(&'a self, x: View<'a>, w: View<'a>) -> (View<'a>, View<'a>) {
        let or =
            |gathered: &'a Option<Tensor>, whole| gathered.as_ref().map_or(whole, Tensor::view);
        (or(&self.x, x), or(&self.w, w))
    }

    /// The masks must be those of the forward pass, and the rows as many.
    pub(super) fn check(&self, epilogue: &UnitEpilogue<'_>, shape: &Shape<'_>) -> Result<()> {
        let same = |kept: &Option<Vec<u32>>, mask: Option<&UnitMask>| {
            kept.as_deref() == mask.map(UnitMask::kept)
        };
        if !same(&self.input, epilogue.input) || !same(&self.output, epilogue.output) {
            return Err(Error::Unsupported(
                "the saved state of unit_linear is that of other masks",
            ));
        }
        let check = |gathered: &Option<Tensor>, expected: [usize; 2]| {
            gathered.as_ref().map_or(Ok(()), |gathered| {
                check_shape("saved state of unit_linear", &expected, gathered.shape())
            })
        };
        check(&self.x, [shape.m, shape.input.len()])?;
        check(&self.w, [shape.output.len(), shape.input.len()])
    }
}

/// Room for what is gathered, if anything is.
fn make_room(room: &mut Option<Tensor>, gather: Option<Gather<'_>>) -> Result<()> {
    let shape = gather.map(|gather| [gather.rows.len(), gather.cols.len()]);
    match (&mut *room, shape) {
        (Some(room), Some(shape)) => room.reset(&shape)?,
        (None, Some(shape)) => *room = Some(Tensor::zeros(&shape)?),
        (_, None) => *room = None,
    }
    Ok(())
}

fn remember(kept: &mut Option<Vec<u32>>, mask: Option<&UnitMask>) {
    let Some(mask) = mask else {
        *kept = None;
        return;
    };
    let kept = kept.get_or_insert_default();
    kept.clear();
    kept.extend_from_slice(mask.kept());
}
