//! Convolution of images as one product with the pixels below each window, and its backward pass.
//!
//! Images are channels-last, so that the columns of the product are the output channels and the epilogue of a
//! [linear layer](crate::ops::linear) applies as it is.

mod backward;
mod forward;

pub use backward::{conv2d_backward, conv2d_backward_into};
pub use forward::{conv2d, conv2d_into};

use super::check::check_shape;
use super::dropout::check_end;
use super::window::{Window, four};
use crate::epilogue::Epilogue;
use crate::error::{Error, Result};
use crate::exec::for_each_heavy_chunk;
use crate::kernels::patches::{Group, write_patches};
use crate::kernels::window::Grid;
use crate::tensor::{View, ViewMut};

/// How filters slide over images, and which channels they read.
///
/// ```
/// use elision::ops::{Conv2d, Window};
/// let depthwise = Conv2d::new(Window::new([3, 3]).padding([1, 1])).groups(32);
/// assert_eq!(depthwise.window.output([28, 28])?, [28, 28]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    /// Where the filters lie.
    pub window: Window,
    /// Into how many parts the channels of input and output are cut: a part of the output reads the same part
    /// of the input alone.
    pub groups: usize,
}

impl Conv2d {
    /// Every filter reads all channels.
    #[must_use]
    pub const fn new(window: Window) -> Self {
        Self { window, groups: 1 }
    }

    /// The same with another number of groups.
    #[must_use]
    pub const fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }
}

/// A convolution whose arguments are checked, as one product for each group.
#[derive(Clone, Copy)]
struct Products {
    grid: Grid,
    groups: usize,
    /// Shape `[N, OH, OW, O]`.
    output: [usize; 4],
    /// Rows of every product: windows.
    m: usize,
    /// Columns of each product: output channels of a group.
    n: usize,
    /// Depth: elements of a group below a window.
    k: usize,
}

impl Products {
    fn new(x: View<'_>, w: View<'_>, conv: &Conv2d, epilogue: &Epilogue<'_>) -> Result<Self> {
        let [images, height, width, channels] = four("input of conv2d", x.shape())?;
        let [outputs, ..] = four("weights of conv2d", w.shape())?;
        let groups = conv.groups;
        if groups == 0 {
            let what = "number of groups of conv2d";
            return Err(Error::Number { what, value: 0.0 });
        }
        if !channels.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            return Err(Error::Unsupported(
                "groups of conv2d must divide the channels of its input and of its output",
            ));
        }
        let grid = conv.window.grid([height, width], channels)?;
        let [kh, kw] = conv.window.kernel;
        let filters = [outputs, kh, kw, channels / groups];
        check_shape("weights of conv2d", &filters, w.shape())?;
        if let Some(bias) = epilogue.bias {
            check_shape("bias of conv2d", &[outputs], bias.shape())?;
        }
        let output = [images, grid.y.output, grid.x.output, outputs];
        let products = Self {
            grid,
            groups,
            output,
            m: count("output of conv2d", &output[..3])?,
            n: outputs / groups,
            k: count("weights of conv2d", &filters[1..])?,
        };
        let len = count("output of conv2d", &[products.m, outputs])?;
        count("patches of conv2d", &[products.m, products.k])?;
        if let Some(dropout) = &epilogue.dropout {
            check_end(dropout, len)?;
        }
        Ok(products)
    }

    /// Rows and columns of the output as one matrix.
    fn matrix(&self) -> [usize; 2] {
        [self.m, self.output[3]]
    }

    /// Whether the pixels below a window are one, so that the images are the patches.
    fn is_pointwise(&self) -> bool {
        [self.grid.y, self.grid.x]
            .iter()
            .all(|axis| (axis.kernel, axis.stride, axis.padding) == (1, 1, 0))
    }

    /// Elements of the patches of one group, where they are copied.
    fn room(&self) -> usize {
        if self.is_pointwise() {
            0
        } else {
            self.m * self.k
        }
    }

    /// The channels of the input that a group reads.
    fn group(&self, group: usize) -> Group {
        let channels = self.grid.channels / self.groups;
        let first = group * channels;
        Group { first, channels }
    }

    /// The pixels below each window: shape `[m, k]`. Written to `room`, or read where they lie.
    fn patches<'a>(&self, group: usize, x: &'a [f32], room: &'a mut [f32]) -> Result<View<'a>> {
        let Group { first, channels } = self.group(group);
        if self.is_pointwise() {
            let pixels = View::contiguous(x, &[self.m, self.grid.channels])?;
            return pixels.slice(1, first..first + channels);
        }
        if !room.is_empty() {
            for_each_heavy_chunk(room, 1, self.k, |start, rows| {
                write_patches(&self.grid, self.group(group), x, start / self.k, rows);
            });
        }
        View::contiguous(room, &[self.m, self.k])
    }

    /// The filters of a group: shape `[n, k]`.
    fn filters<'a>(&self, group: usize, w: &'a [f32]) -> Result<View<'a>> {
        let len = self.n * self.k;
        View::contiguous(&w[group * len..][..len], &[self.n, self.k])
    }

    /// The columns of a group in an `[m, O]` matrix.
    fn columns<'a>(&self, group: usize, y: &'a mut [f32]) -> Result<ViewMut<'a>> {
        ViewMut::contiguous(y, &self.matrix())?.slice(1, group * self.n..(group + 1) * self.n)
    }
}

/// The product of sizes.
fn count(what: &'static str, sizes: &[usize]) -> Result<usize> {
    let product = sizes
        .iter()
        .try_fold(1usize, |n, &size| n.checked_mul(size));
    product.ok_or(Error::Overflow(what))
}
