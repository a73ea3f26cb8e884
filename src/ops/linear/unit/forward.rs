//! The forward pass.

use super::select::{Gather, Scatter, Units};
use super::{Shape, UnitSaved, dense, scale};
use crate::epilogue::{Epilogue, UnitEpilogue};
use crate::error::Result;
use crate::exec::with_scratch;
use crate::ops::check::check_shape;
use crate::ops::elementwise::copy_into;
use crate::ops::linear::{Saved, linear_into};
use crate::simd::LANES;
use crate::tensor::{Tensor, View, ViewMut};

/// `scale * activation(x * w^T + bias)` in the kept columns and `+0.0` in the dropped ones, for `x` of shape
/// `[m, k]` and weights of shape `[n, k]`: shape `[m, n]`, and what
/// [`unit_linear_backward`](crate::ops::unit_linear_backward) needs. The scale is the output mask's.
///
/// Only what is kept is computed. An input mask says that `x` has been masked already: its dropped columns,
/// and those of `w`, are not read, so whatever they hold, even NaN, has no effect, and the mask's scale is not
/// applied again. The dropped rows of `w` and elements of `bias` are not read either.
///
/// The values are within the error of [`matmul`](crate::ops::matmul) of the unfused operations'.
///
/// ```
/// use elision::{Activation, Dropout, Key, Tensor, UnitEpilogue, UnitMask, ops};
/// let (x, w) = (Tensor::full(&[8, 20], 0.5)?, Tensor::full(&[10, 20], 0.1)?);
/// let hidden = UnitMask::draw(&Dropout::new(Key::new(1), 0.5)?, 10)?;
/// let layer = UnitEpilogue {
///     activation: Activation::Relu,
///     output: Some(&hidden),
///     ..UnitEpilogue::default()
/// };
/// let (y, saved) = ops::unit_linear(&x, &w, &layer)?;
/// // The next layer reads the kept columns alone.
/// let next = UnitEpilogue { input: Some(&hidden), ..UnitEpilogue::default() };
/// let (z, _) = ops::unit_linear(&y, &Tensor::full(&[3, 10], 0.1)?, &next)?;
/// assert_eq!(z.shape(), [8, 3]);
/// let grads = ops::unit_linear_backward(&y, &x, &w, &layer, &saved)?;
/// assert_eq!(grads.w.shape(), [10, 20]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`](crate::Error::Rank) or [`Error::Shape`](crate::Error::Shape) if the shapes do not fit,
/// [`Error::Length`](crate::Error::Length) if a mask has not one decision a column,
/// [`Error::Overflow`](crate::Error::Overflow) if the result or what is gathered does not fit in memory.
pub fn unit_linear<'a, 'b>(
    x: impl Into<View<'a>>,
    w: impl Into<View<'b>>,
    epilogue: &UnitEpilogue<'_>,
) -> Result<(Tensor, UnitSaved)> {
    let (x, w) = (x.into(), w.into());
    let shape = Shape::check(x, w, epilogue)?;
    let mut out = Tensor::zeros(&[shape.m, shape.n])?;
    let mut saved = UnitSaved::default();
    unit_linear_into(x, w, epilogue, &mut out, Some(&mut saved))?;
    Ok((out, saved))
}

/// [`unit_linear`] into given memory. With the same `saved` in every step nothing is allocated once it has
/// grown; without it the gathered operands are allocated for the call, and no more is kept.
///
/// # Errors
/// As [`unit_linear`], and [`Error::Shape`](crate::Error::Shape) if `out` is not `[m, n]`.
pub fn unit_linear_into<'a, 'b, 'c>(
    x: impl Into<View<'a>>,
    w: impl Into<View<'b>>,
    epilogue: &UnitEpilogue<'_>,
    out: impl Into<ViewMut<'c>>,
    saved: Option<&mut UnitSaved>,
) -> Result<()> {
    let (x, w, mut out) = (x.into(), w.into(), out.into());
    let shape = Shape::check(x, w, epilogue)?;
    check_shape("output of unit_linear", &[shape.m, shape.n], out.shape())?;
    if epilogue.output.is_some() && out.as_mut_slice().is_none() {
        let mut copy = Tensor::zeros(&[shape.m, shape.n])?;
        unit_linear_into(x, w, epilogue, &mut copy, saved)?;
        return copy_into(&copy, out);
    }
    let (mut forgotten, keep) = (UnitSaved::default(), saved.is_some());
    let saved = saved.unwrap_or(&mut forgotten);
    saved.prepare(x, w, epilogue, &shape)?;
    let mut narrow = std::mem::take(&mut saved.narrow);
    let (x, w) = saved.operands(x, w);
    let layer = Narrow { x, w, epilogue };
    let result = layer.run(&shape, out, keep.then_some(&mut narrow));
    saved.narrow = narrow;
    result
}

/// A layer whose operands are gathered.
struct Narrow<'a> {
    x: View<'a>,
    w: View<'a>,
    epilogue: &'a UnitEpilogue<'a>,
}

impl Narrow<'_> {
    fn run(
        &self,
        shape: &Shape<'_>,
        mut out: ViewMut<'_>,
        saved: Option<&mut Saved>,
    ) -> Result<()> {
        let all = dense(self.epilogue);
        let (Some(_), Some(y)) = (self.epilogue.output, out.as_mut_slice()) else {
            return linear_into(self.x, self.w, &all, out, saved);
        };
        let (m, n) = (shape.m, shape.output.len());
        let room = n.next_multiple_of(LANES);
        with_scratch(room + m * n, |scratch| {
            let (bias, sums) = scratch.split_at_mut(room);
            let bias = &mut bias[..n];
            let epilogue = Epilogue {
                bias: gather_bias(all.bias, shape.output, bias)?,
                ..all
            };
            let into = ViewMut::contiguous(sums, &[m, n])?;
            linear_into(self.x, self.w, &epilogue, into, saved)?;
            let kept = Scatter {
                from: sums,
                rows: shape.batch,
                cols: shape.output,
                scale: scale(self.epilogue),
            };
            kept.run(shape.n, y);
            Ok(())
        })
    }
}

/// The kept elements of the bias, in `room`.
fn gather_bias<'r>(
    bias: Option<View<'_>>,
    units: Units<'_>,
    room: &'r mut [f32],
) -> Result<Option<View<'r>>> {
    let Some(bias) = bias else {
        return Ok(None);
    };
    let kept = Gather {
        from: bias.reshape(&[1, bias.len()])?,
        rows: Units::All(1),
        cols: units,
        scale: 1.0,
    };
    kept.run(room);
    let len = room.len();
    View::contiguous(room, &[len]).map(Some)
}
