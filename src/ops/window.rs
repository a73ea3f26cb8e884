//! Windows that slide over images.

use crate::error::{Error, Result};
use crate::exec::for_each_heavy_chunk;
use crate::kernels::window::{Axis, Gather, Gathered, Grid};
use crate::ops::check::check_shape;
use crate::simd::{Isa, dispatch};
use crate::tensor::{View, ViewMut};

/// A window that slides over the rows and columns of an image, for [`conv2d`](crate::ops::conv2d) and for
/// pooling. Each number is a pair: first that of the rows, then that of the columns.
///
/// ```
/// use elision::ops::Window;
/// let window = Window::new([3, 3]).stride([2, 2]).padding([1, 1]);
/// assert_eq!(window.output([28, 28])?, [14, 14]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Cells.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Pixels by which the image is extended on each side.
    pub padding: [usize; 2],
    /// Pixels from one cell to the next: 1 where the cells are neighbours.
    pub dilation: [usize; 2],
}

impl Window {
    /// Windows of neighbouring cells at every place, inside of the image.
    #[must_use]
    pub const fn new(kernel: [usize; 2]) -> Self {
        Self {
            kernel,
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
        }
    }

    /// The same with another stride.
    #[must_use]
    pub const fn stride(self, stride: [usize; 2]) -> Self {
        Self { stride, ..self }
    }

    /// The same with another padding.
    #[must_use]
    pub const fn padding(self, padding: [usize; 2]) -> Self {
        Self { padding, ..self }
    }

    /// The same with another dilation.
    #[must_use]
    pub const fn dilation(self, dilation: [usize; 2]) -> Self {
        Self { dilation, ..self }
    }

    /// The number of windows down and across an image of `size`, height first:
    /// `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down.
    ///
    /// # Errors
    /// [`Error::Number`] if the kernel, the stride or the dilation is 0, [`Error::Range`] if the kernel reaches
    /// over the end of the padded image, [`Error::Overflow`] if a size does not fit the machine.
    pub fn output(&self, size: [usize; 2]) -> Result<[usize; 2]> {
        let grid = self.grid(size, 0)?;
        Ok([grid.y.output, grid.x.output])
    }

    /// The windows over images of `size` as the kernels see them.
    pub(super) fn grid(&self, [h, w]: [usize; 2], channels: usize) -> Result<Grid> {
        Ok(Grid {
            y: self.axis(0, h)?,
            x: self.axis(1, w)?,
            channels,
        })
    }

    fn axis(&self, i: usize, input: usize) -> Result<Axis> {
        let (kernel, stride) = (self.kernel[i], self.stride[i]);
        let (padding, dilation) = (self.padding[i], self.dilation[i]);
        check_positive("kernel of a window", kernel)?;
        check_positive("stride of a window", stride)?;
        check_positive("dilation of a window", dilation)?;
        let padded = padding.checked_mul(2).and_then(|p| p.checked_add(input));
        let padded = padded.ok_or(Error::Overflow("padding of a window"))?;
        let reach = dilation.checked_mul(kernel - 1);
        let reach = reach.ok_or(Error::Overflow("dilation of a window"))?;
        if reach >= padded {
            return Err(Error::Range {
                what: "kernel of a window over the padded image",
                start: 0,
                end: reach.saturating_add(1),
                length: padded,
            });
        }
        Ok(Axis {
            input,
            output: (padded - reach - 1) / stride + 1,
            kernel,
            stride,
            padding,
            dilation,
        })
    }
}

fn check_positive(what: &'static str, value: usize) -> Result<()> {
    if value > 0 {
        return Ok(());
    }
    Err(Error::Number { what, value: 0.0 })
}

/// The four sizes of a batch of images, or of filters.
pub(super) fn four(what: &'static str, shape: &[usize]) -> Result<[usize; 4]> {
    shape.try_into().map_err(|_| Error::Rank {
        what,
        expected: 4,
        found: shape.len(),
    })
}

/// Windows over a batch of images, each of which gives one pixel.
#[derive(Clone, Copy)]
pub(super) struct Pooling {
    pub(super) grid: Grid,
    /// Shape `[N, OH, OW, C]`.
    pub(super) output: [usize; 4],
}

impl Pooling {
    /// Of images `[N, H, W, C]`.
    pub(super) fn new(what: &'static str, window: &Window, images: &[usize]) -> Result<Self> {
        let [n, h, w, channels] = four(what, images)?;
        let grid = window.grid([h, w], channels)?;
        let output = [n, grid.y.output, grid.x.output, channels];
        Ok(Self { grid, output })
    }

    /// With the gradients of the output and of the images checked.
    pub(super) fn backward(window: &Window, g: View<'_>, images: &ViewMut<'_>) -> Result<Self> {
        let pooling = Self::new("gradient of pooled images", window, images.shape())?;
        check_shape("gradient of pooling's output", &pooling.output, g.shape())?;
        Ok(pooling)
    }
}

/// Writes to the `channels` (first and end) of each pixel what it gathers from the windows over it.
pub(super) fn gather<G: Gather + Copy + Sync>(
    isa: Isa,
    grid: Grid,
    from: G,
    channels: (usize, usize),
    images: &mut [f32],
) {
    if images.is_empty() {
        return;
    }
    for_each_heavy_chunk(images, grid.cells(), grid.channels, |start, pixels| {
        let first = start / grid.channels;
        let gathered = Gathered {
            grid,
            from,
            first,
            pixels,
            channels,
        };
        dispatch(isa, gathered);
    });
}
