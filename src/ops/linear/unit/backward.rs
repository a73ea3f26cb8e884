//! The backward pass.

use super::select::{Gather, Scatter, Units};
use super::{Shape, UnitSaved, dense, scale};
use crate::epilogue::{Epilogue, UnitEpilogue};
use crate::error::Result;
use crate::exec::{current_isa, with_scratch};
use crate::kernels::gemm::Operand;
use crate::ops::activation::activate_backward_in_place;
use crate::ops::check::check_shape;
use crate::ops::elementwise::copy_into;
use crate::ops::linear::backward::{backward_products, check_grads};
use crate::ops::linear::{Checked, LinearGrads, LinearGradsInto, Residuals, bits};
use crate::ops::matmul::operand;
use crate::simd::LANES;
use crate::tensor::{Tensor, View, ViewMut};

/// The gradients of [`unit_linear`](crate::ops::unit_linear), from the gradient `g` of its output (shape
/// `[m, n]`), its inputs, its masks and what it saved.
///
/// Only what the masks keep is computed; the gradients are `+0.0` elsewhere: of the input in its dropped
/// columns, of the weights outside of kept rows and columns, of the bias at dropped units. The dropped
/// columns of `g` are not read. Operands that the forward pass gathered are taken from `saved`, so `x` and
/// `w` must be those of that pass.
///
/// # Errors
/// [`Error::Rank`](crate::Error::Rank), [`Error::Shape`](crate::Error::Shape) or
/// [`Error::Length`](crate::Error::Length) if the shapes do not fit or `saved` is another call's,
/// [`Error::Unsupported`](crate::Error::Unsupported) if its masks kept other units,
/// [`Error::Overflow`](crate::Error::Overflow) if a gradient does not fit in memory.
pub fn unit_linear_backward<'a, 'b, 'c>(
    g: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    w: impl Into<View<'c>>,
    epilogue: &UnitEpilogue<'_>,
    saved: &UnitSaved,
) -> Result<LinearGrads> {
    let (g, x, w) = (g.into(), x.into(), w.into());
    let shape = Shape::check(x, w, epilogue)?;
    let mut grads = LinearGrads {
        x: Tensor::zeros(x.shape())?,
        w: Tensor::zeros(w.shape())?,
        bias: Tensor::zeros(&[shape.n])?,
    };
    let into = LinearGradsInto {
        x: Some(grads.x.view_mut()),
        w: Some(grads.w.view_mut()),
        bias: Some(grads.bias.view_mut()),
    };
    unit_linear_backward_into(g, x, w, epilogue, saved, into)?;
    Ok(grads)
}

/// [`unit_linear_backward`] into given memory; what it gathers lies in buffers that the thread keeps.
///
/// # Errors
/// As [`unit_linear_backward`], and [`Error::Shape`](crate::Error::Shape) if a gradient has another shape than
/// its variable.
pub fn unit_linear_backward_into<'a, 'b, 'c>(
    g: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    w: impl Into<View<'c>>,
    epilogue: &UnitEpilogue<'_>,
    saved: &UnitSaved,
    grads: LinearGradsInto<'_>,
) -> Result<()> {
    let (g, x, w) = (g.into(), x.into(), w.into());
    let shape = Shape::check(x, w, epilogue)?;
    check_shape(
        "gradient of unit_linear's output",
        &[shape.m, shape.n],
        g.shape(),
    )?;
    check_grads(&grads, shape.m, shape.n, shape.k)?;
    saved.check(epilogue, &shape)?;
    let narrow = Epilogue {
        bias: None,
        ..dense(epilogue)
    };
    Residuals::from(&saved.narrow).check(&narrow, shape.m, shape.output.len())?;
    let (x, w) = saved.operands(x, w);
    let layer = Backward {
        g,
        x,
        w,
        epilogue,
        saved,
        shape,
    };
    layer.run(grads)
}

/// A backward pass whose arguments are checked.
struct Backward<'a> {
    g: View<'a>,
    x: View<'a>,
    w: View<'a>,
    epilogue: &'a UnitEpilogue<'a>,
    saved: &'a UnitSaved,
    shape: Shape<'a>,
}

impl Backward<'_> {
    fn run(&self, grads: LinearGradsInto<'_>) -> Result<()> {
        let (m, n, k) = (
            self.shape.m,
            self.shape.output.len(),
            self.shape.input.len(),
        );
        let mut places = self.places(grads);
        let g_len = if self.copies_gradient() { m * n } else { 0 };
        let [x, w, bias] = places.each_ref().map(Place::scratch_len);
        let lens = [g_len, x, w, bias];
        let room = lens.map(|len| len.next_multiple_of(LANES)).iter().sum();
        with_scratch(room, |mut scratch| {
            let [g, x, w, bias] = lens.map(|len| {
                let part = scratch.split_off_mut(..len.next_multiple_of(LANES));
                &mut part.unwrap_or_default()[..len]
            });
            let dz = self.before_activation(g)?;
            let [x_place, w_place, bias_place] = &mut places;
            let narrow = LinearGradsInto {
                x: x_place.narrow(x, &[m, k])?,
                w: w_place.narrow(w, &[n, k])?,
                bias: bias_place.narrow(bias, &[n])?,
            };
            let operands = Checked {
                x: self.x.into(),
                w: operand(self.w),
                sizes: (m, n, k),
            };
            backward_products(current_isa()?, dz, operands, narrow)?;
            let [x_place, w_place, bias_place] = places;
            x_place.finish(x)?;
            w_place.finish(w)?;
            bias_place.finish(bias)
        })
    }

    /// Whether the gradient is selected, or multiplied by a derivative.
    fn copies_gradient(&self) -> bool {
        self.epilogue.output.is_some() || self.saved.narrow.pre_activation.is_some()
    }

    /// The gradient of the narrow layer's sums, in `room` where it is copied.
    fn before_activation<'r>(&'r self, room: &'r mut [f32]) -> Result<Operand<'r>> {
        let cols = self.shape.output;
        let shape = [self.shape.m, cols.len()];
        let mut g = self.g;
        if self.copies_gradient() {
            let kept = Gather {
                from: g,
                rows: self.shape.batch,
                cols,
                scale: scale(self.epilogue),
            };
            kept.run(room);
            if let Some(sums) = &self.saved.narrow.pre_activation {
                let dz = ViewMut::contiguous(room, &shape)?;
                activate_backward_in_place(dz, sums, self.epilogue.activation)?;
            }
            g = View::contiguous(room, &shape)?;
        }
        let kept = self.saved.narrow.kept.as_ref();
        Ok(Operand {
            bits: kept.map(|kept| bits(kept, shape[1], 1.0)),
            ..operand(g)
        })
    }

    fn places<'g>(&'g self, grads: LinearGradsInto<'g>) -> [Place<'g>; 3] {
        let Shape {
            batch,
            output,
            input,
            ..
        } = self.shape;
        let masks = (self.epilogue.input, self.epilogue.output);
        let place = |out, rows, cols, selected| Place {
            out,
            rows,
            cols,
            selected,
        };
        [
            place(grads.x, batch, input, masks.0.is_some()),
            place(grads.w, output, input, masks.0.or(masks.1).is_some()),
            place(grads.bias, Units::All(1), output, masks.1.is_some()),
        ]
    }
}

/// Where a gradient goes: whole ones are written in place, selected ones by way of scratch.
struct Place<'a> {
    out: Option<ViewMut<'a>>,
    rows: Units<'a>,
    cols: Units<'a>,
    selected: bool,
}

impl Place<'_> {
    fn scratch_len(&self) -> usize {
        match &self.out {
            Some(_) if self.selected => self.rows.len() * self.cols.len(),
            _ => 0,
        }
    }

    /// Where the narrow layer's gradient is written.
    fn narrow<'s>(
        &'s mut self,
        scratch: &'s mut [f32],
        shape: &[usize],
    ) -> Result<Option<ViewMut<'s>>> {
        match &mut self.out {
            Some(_) if self.selected => ViewMut::contiguous(scratch, shape).map(Some),
            out => Ok(out.as_mut().map(ViewMut::reborrow)),
        }
    }

    /// Scatters what was written to scratch.
    fn finish(self, from: &[f32]) -> Result<()> {
        let Some(mut out) = self.out.filter(|_| self.selected) else {
            return Ok(());
        };
        let width = out.shape().last().copied().unwrap_or(1);
        let kept = Scatter {
            from,
            rows: self.rows,
            cols: self.cols,
            scale: 1.0,
        };
        if let Some(out) = out.as_mut_slice() {
            kept.run(width, out);
            return Ok(());
        }
        let mut copy = Tensor::zeros(out.shape())?;
        kept.run(width, copy.as_mut_slice());
        copy_into(&copy, out)
    }
}
