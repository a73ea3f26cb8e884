//! The mean of the pixels below each window.

use super::check::{Contiguous, ContiguousMut, check_shape};
use super::window::{Pooling, Window, gather};
use crate::error::Result;
use crate::exec::{current_isa, for_each_heavy_chunk};
use crate::kernels::pool::{Mean, MeanGradient, Pooled};
use crate::kernels::window::Grid;
use crate::simd::dispatch;
use crate::tensor::{Tensor, View, ViewMut};

/// The mean of the elements below each window, channel by channel: `[N, H, W, C]` becomes `[N, OH, OW, C]`, by
/// [`Window::output`].
///
/// The divisor is the number of cells of the window, those in the padding included: they count as zeros, which is
/// PyTorch's default (`count_include_pad=True`). The elements are added in row-major order of the window, and the
/// bits are the same on every instruction set.
///
/// ```
/// use elision::{Tensor, ops};
/// let image = Tensor::from_slice(&[1.0, 2.0, 4.0, 3.0], &[1, 2, 2, 1])?;
/// let y = ops::avg_pool2d(&image, &ops::Window::new([2, 2]))?;
/// assert_eq!(y.as_slice(), [2.5]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`Window::output`]; [`Error::Rank`](crate::Error::Rank) if `x` has not four axes,
/// [`Error::Overflow`](crate::Error::Overflow) if the result does not fit in memory.
pub fn avg_pool2d<'a>(x: impl Into<View<'a>>, window: &Window) -> Result<Tensor> {
    let x = x.into();
    let pooling = Pooling::new("input of avg_pool2d", window, x.shape())?;
    let mut out = Tensor::zeros(&pooling.output)?;
    avg_pool2d_into(x, window, &mut out)?;
    Ok(out)
}

/// [`avg_pool2d`] into given memory.
///
/// # Errors
/// As [`avg_pool2d`], and [`Error::Shape`](crate::Error::Shape) if `out` is not `[N, OH, OW, C]`.
pub fn avg_pool2d_into<'a, 'b>(
    x: impl Into<View<'a>>,
    window: &Window,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (x, out) = (x.into(), out.into());
    let Pooling { grid, output } = Pooling::new("input of avg_pool2d", window, x.shape())?;
    check_shape("output of avg_pool2d", &output, out.shape())?;
    let isa = current_isa()?;
    let (x, mut out) = (Contiguous::new(x)?, ContiguousMut::new(out)?);
    let (images, y) = (x.as_slice(), out.as_mut_slice());
    if !y.is_empty() {
        for_each_heavy_chunk(y, grid.cells(), grid.channels, |start, out| {
            let pooled = Pooled {
                grid,
                images,
                first: start / grid.channels,
                count: out.len() / grid.channels,
                to: Mean {
                    divisor: divisor(&grid),
                    out,
                },
            };
            dispatch(isa, pooled);
        });
    }
    out.finish()
}

fn divisor(grid: &Grid) -> f32 {
    grid.y.kernel as f32 * grid.x.kernel as f32
}

/// The gradient of [`avg_pool2d`] with respect to its input of `shape` `[N, H, W, C]`, from the gradient `g` of its
/// output: each window's, over the number of its cells, for every pixel below it.
///
/// # Errors
/// Those of [`Window::output`]; [`Error::Rank`](crate::Error::Rank) if `shape` has not four axes,
/// [`Error::Shape`](crate::Error::Shape) if `g` is not `[N, OH, OW, C]`,
/// [`Error::Overflow`](crate::Error::Overflow) if the gradient does not fit in memory.
pub fn avg_pool2d_backward<'a>(
    g: impl Into<View<'a>>,
    window: &Window,
    shape: &[usize],
) -> Result<Tensor> {
    let mut out = Tensor::zeros(shape)?;
    avg_pool2d_backward_into(g, window, &mut out)?;
    Ok(out)
}

/// [`avg_pool2d_backward`] into given memory, whose shape is that of the input.
///
/// # Errors
/// As [`avg_pool2d_backward`].
pub fn avg_pool2d_backward_into<'a, 'b>(
    g: impl Into<View<'a>>,
    window: &Window,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (g, out) = (g.into(), out.into());
    let Pooling { grid, .. } = Pooling::backward(window, g, &out)?;
    let isa = current_isa()?;
    let (g, mut out) = (Contiguous::new(g)?, ContiguousMut::new(out)?);
    let from = MeanGradient {
        g: g.as_slice(),
        divisor: divisor(&grid),
    };
    gather(isa, grid, from, (0, grid.channels), out.as_mut_slice());
    out.finish()
}
