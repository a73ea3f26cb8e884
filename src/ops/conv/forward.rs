//! The forward pass.

use super::{Conv2d, Products};
use crate::epilogue::Epilogue;
use crate::error::Result;
use crate::exec::{current_isa, reserve_scratch, with_scratch};
use crate::ops::check::{Contiguous, ContiguousMut, check_shape};
use crate::ops::linear::{Saved, finish_sums, linear_into};
use crate::ops::matmul::matmul_into;
use crate::tensor::{Tensor, View, ViewMut};

/// `dropout(activation(x * w + bias))`, where `*` slides filters over images: what
/// [`conv2d_backward`](crate::ops::conv2d_backward) needs comes with it.
///
/// Images are channels-last. `x` is `[N, H, W, C]`, the weights are `[O, KH, KW, C / groups]`, the bias is `[O]`
/// and the result `[N, OH, OW, O]`, by [`Window::output`](crate::ops::Window::output). As everywhere in machine
/// learning the filters are not turned around: this is a cross-correlation.
///
/// The pixels below each window are copied to a matrix of `N OH OW` rows and `KH KW C / groups` columns, unless a
/// filter is one pixel; the rest is a [`linear`](crate::ops::linear) layer, with its accuracy, its keep bits
/// (counted in row-major order of the result, with groups too) and its independence of the number of threads. With
/// groups, the epilogue is a pass of its own over the result.
///
/// ```
/// use elision::ops::{Conv2d, Window};
/// use elision::{Activation, Dropout, Epilogue, Key, Tensor, ops};
/// let (x, w) = (Tensor::full(&[4, 28, 28, 1], 0.5)?, Tensor::full(&[8, 3, 3, 1], 0.1)?);
/// let dropout = Some(Dropout::new(Key::new(1), 0.5)?);
/// let fused = Epilogue { bias: None, activation: Activation::Relu, dropout };
/// let conv = Conv2d::new(Window::new([3, 3]).padding([1, 1]));
/// let (y, saved) = ops::conv2d(&x, &w, &conv, &fused)?;
/// assert_eq!(y.shape(), [4, 28, 28, 8]);
/// let grads = ops::conv2d_backward(&y, &x, &w, &conv, &fused, &saved)?;
/// assert_eq!(grads.w.shape(), [8, 3, 3, 1]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`Window::output`](crate::ops::Window::output); [`Error::Rank`](crate::Error::Rank) or
/// [`Error::Shape`](crate::Error::Shape) if the shapes do not fit, [`Error::Number`](crate::Error::Number) if there are
/// no groups, [`Error::Unsupported`](crate::Error::Unsupported) if they do not divide the channels,
/// [`Error::Overflow`](crate::Error::Overflow) if the result or the matrix does not fit in memory or the dropout's last
/// index does not fit 64 bits.
pub fn conv2d<'a, 'b>(
    x: impl Into<View<'a>>,
    w: impl Into<View<'b>>,
    conv: &Conv2d,
    epilogue: &Epilogue<'_>,
) -> Result<(Tensor, Saved)> {
    let (x, w) = (x.into(), w.into());
    let mut out = Tensor::zeros(&Products::new(x, w, conv, epilogue)?.output)?;
    let mut saved = Saved::default();
    conv2d_into(x, w, conv, epilogue, &mut out, Some(&mut saved))?;
    Ok((out, saved))
}

/// [`conv2d`] into given memory; without `saved` nothing is kept for a backward pass, and with
/// [`Saved::recomputing`] no bits are. Sums before a smooth activation are saved as a matrix `[N OH OW, O]`.
///
/// # Errors
/// As [`conv2d`], and [`Error::Shape`](crate::Error::Shape) if `out` is not `[N, OH, OW, O]`.
pub fn conv2d_into<'a, 'b, 'c>(
    x: impl Into<View<'a>>,
    w: impl Into<View<'b>>,
    conv: &Conv2d,
    epilogue: &Epilogue<'_>,
    out: impl Into<ViewMut<'c>>,
    saved: Option<&mut Saved>,
) -> Result<()> {
    let (x, w, out) = (x.into(), w.into(), out.into());
    let products = Products::new(x, w, conv, epilogue)?;
    check_shape("output of conv2d", &products.output, out.shape())?;
    let (x, w) = (Contiguous::new(x)?, Contiguous::new(w)?);
    let mut out = ContiguousMut::new(out)?;
    reserve_scratch(products.room())?;
    with_scratch(products.room(), |room| {
        let forward = Forward {
            products,
            x: x.as_slice(),
            w: w.as_slice(),
            epilogue,
        };
        forward.run(room, out.as_mut_slice(), saved)
    })?;
    out.finish()
}

/// A forward pass whose arguments are checked.
struct Forward<'a> {
    products: Products,
    x: &'a [f32],
    w: &'a [f32],
    epilogue: &'a Epilogue<'a>,
}

impl Forward<'_> {
    fn run(&self, room: &mut [f32], y: &mut [f32], saved: Option<&mut Saved>) -> Result<()> {
        let products = self.products;
        if products.groups > 1 {
            return self.run_groups(room, y, saved);
        }
        let patches = products.patches(0, self.x, room)?;
        let filters = products.filters(0, self.w)?;
        let y = ViewMut::contiguous(y, &products.matrix())?;
        linear_into(patches, filters, self.epilogue, y, saved)
    }

    /// A tile of a group's product does not know the elements' numbers in the whole result, so that what
    /// follows the products comes after the last.
    fn run_groups(
        &self,
        room: &mut [f32],
        y: &mut [f32],
        mut saved: Option<&mut Saved>,
    ) -> Result<()> {
        let products = self.products;
        let isa = current_isa()?;
        if let Some(saved) = &mut saved {
            saved.prepare(self.epilogue, &products.matrix())?;
        }
        for group in 0..products.groups {
            let patches = products.patches(group, self.x, room)?;
            let filters = products.filters(group, self.w)?.transpose(0, 1)?;
            matmul_into(patches, filters, products.columns(group, y)?)?;
        }
        let y = ViewMut::contiguous(y, &products.matrix())?;
        finish_sums(isa, y, self.epilogue, saved)
    }
}
