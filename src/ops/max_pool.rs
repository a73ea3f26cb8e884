//! The largest pixel below each window.

use super::check::{Contiguous, ContiguousMut, check_length, check_shape};
use super::window::{Pooling, Window, gather};
use crate::error::{Error, Result};
use crate::exec::{current_isa, for_each_heavy_chunk, for_each_rows_of_two};
use crate::kernels::pool::{Largest, LargestGradient, Pooled};
use crate::kernels::window::{Axis, Grid};
use crate::simd::{Isa, dispatch};
use crate::tensor::{Tensor, View, ViewMut};

/// Cells of the largest window: its cells are numbered by a byte.
const MAX_CELLS: usize = 256;

/// Where the largest elements were: the number of a cell in its window, one byte an element of the output.
/// Reuse it from step to step: the memory is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Argmax {
    cells: Vec<u8>,
}

impl Argmax {
    /// For each element of the output in row-major order, the number `ky * KW + kx` of the cell that it was
    /// taken from.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.cells
    }

    /// Makes room for a number an element.
    fn prepare(&mut self, len: usize) -> Result<()> {
        let missing = len.saturating_sub(self.cells.len());
        let reserved = self.cells.try_reserve_exact(missing);
        reserved.map_err(|_| Error::Overflow("numbers of max_pool2d"))?;
        self.cells.resize(len, 0);
        Ok(())
    }
}

/// The largest element below each window, channel by channel: `[N, H, W, C]` becomes `[N, OH, OW, C]`, by
/// [`Window::output`]; and what [`max_pool2d_backward`] needs.
///
/// Of equal elements the first in row-major order of the window is taken. A NaN is larger than everything, and
/// the first one is taken. The padding is never taken. The bits are the same on every instruction set.
///
/// ```
/// use elision::{Tensor, ops};
/// let image = Tensor::from_slice(&[1.0, 2.0, 4.0, 3.0], &[1, 2, 2, 1])?;
/// let window = ops::Window::new([2, 2]);
/// let (y, argmax) = ops::max_pool2d(&image, &window)?;
/// assert_eq!((y.as_slice(), argmax.as_slice()), (&[4.0][..], &[2][..]));
/// let grad = ops::max_pool2d_backward(&y, &argmax, &window, image.shape())?;
/// assert_eq!(grad.as_slice(), [0.0, 0.0, 4.0, 0.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`Window::output`]; [`Error::Rank`] if `x` has not four axes, [`Error::Unsupported`] if a window has more
/// than 256 cells, [`Error::Empty`] if one lies in the padding as a whole, [`Error::Overflow`] if the result
/// does not fit in memory.
pub fn max_pool2d<'a>(x: impl Into<View<'a>>, window: &Window) -> Result<(Tensor, Argmax)> {
    let x = x.into();
    let pooling = check(x, window)?;
    let (mut out, mut argmax) = (Tensor::zeros(&pooling.output)?, Argmax::default());
    max_pool2d_into(x, window, &mut out, Some(&mut argmax))?;
    Ok((out, argmax))
}

/// [`max_pool2d`] into given memory; without `argmax` nothing is kept for a backward pass.
///
/// # Errors
/// As [`max_pool2d`], and [`Error::Shape`] if `out` is not `[N, OH, OW, C]`.
pub fn max_pool2d_into<'a, 'b>(
    x: impl Into<View<'a>>,
    window: &Window,
    out: impl Into<ViewMut<'b>>,
    argmax: Option<&mut Argmax>,
) -> Result<()> {
    let (x, out) = (x.into(), out.into());
    let Pooling { grid, output } = check(x, window)?;
    check_shape("output of max_pool2d", &output, out.shape())?;
    let isa = current_isa()?;
    let (x, mut out) = (Contiguous::new(x)?, ContiguousMut::new(out)?);
    let (images, y) = (x.as_slice(), out.as_mut_slice());
    let cells = match argmax {
        Some(argmax) => {
            argmax.prepare(y.len())?;
            Some(argmax.cells.as_mut_slice())
        }
        None => None,
    };
    pool(isa, grid, images, y, cells);
    out.finish()
}

fn pool(isa: Isa, grid: Grid, images: &[f32], out: &mut [f32], cells: Option<&mut [u8]>) {
    let (n, weight) = (grid.channels, grid.cells());
    if out.is_empty() {
        return;
    }
    let piece = |first, out: &mut [f32], cells: Option<&mut [u8]>| {
        let count = out.len() / n;
        let pooled = Pooled {
            grid,
            images,
            first,
            count,
            to: Largest { out, cells },
        };
        dispatch(isa, pooled);
    };
    match cells {
        Some(cells) => for_each_rows_of_two(out, cells, n, weight, |first, out, cells| {
            piece(first, out, Some(cells));
        }),
        None => for_each_heavy_chunk(out, weight, n, |start, out| piece(start / n, out, None)),
    }
}

fn check(x: View<'_>, window: &Window) -> Result<Pooling> {
    let pooling = Pooling::new("input of max_pool2d", window, x.shape())?;
    let grid = pooling.grid;
    if grid.cells() > MAX_CELLS {
        return Err(Error::Unsupported(
            "a window of max_pool2d has at most 256 cells",
        ));
    }
    let is_empty = pooling.output.contains(&0);
    if !is_empty && (misses(grid.y) || misses(grid.x)) {
        return Err(Error::Empty("the maximum over a window in the padding"));
    }
    Ok(pooling)
}

/// Whether a window has no pixel below it.
fn misses(axis: Axis) -> bool {
    (0..axis.output).any(|o| axis.cells(o).is_empty())
}

/// The gradient of [`max_pool2d`] with respect to its input of `shape` `[N, H, W, C]`, from the gradient `g` of its
/// output: each element goes to the one that was taken, and adds up there.
///
/// # Errors
/// Those of [`Window::output`]; [`Error::Rank`] if `shape` has not four axes, [`Error::Shape`] if `g` is not
/// `[N, OH, OW, C]`, [`Error::Length`] if `argmax` is another call's, [`Error::Overflow`] if the gradient does not
/// fit in memory.
pub fn max_pool2d_backward<'a>(
    g: impl Into<View<'a>>,
    argmax: &Argmax,
    window: &Window,
    shape: &[usize],
) -> Result<Tensor> {
    let mut out = Tensor::zeros(shape)?;
    max_pool2d_backward_into(g, argmax, window, &mut out)?;
    Ok(out)
}

/// [`max_pool2d_backward`] into given memory, whose shape is that of the input.
///
/// # Errors
/// As [`max_pool2d_backward`].
pub fn max_pool2d_backward_into<'a, 'b>(
    g: impl Into<View<'a>>,
    argmax: &Argmax,
    window: &Window,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (g, out) = (g.into(), out.into());
    let Pooling { grid, .. } = Pooling::backward(window, g, &out)?;
    let cells = argmax.as_slice();
    check_length("argmax of max_pool2d", g.len(), cells.len())?;
    let isa = current_isa()?;
    let (g, mut out) = (Contiguous::new(g)?, ContiguousMut::new(out)?);
    let from = LargestGradient {
        g: g.as_slice(),
        cells,
    };
    gather(isa, grid, from, (0, grid.channels), out.as_mut_slice());
    out.finish()
}
