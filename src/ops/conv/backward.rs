//! The backward pass.

use super::{Conv2d, Products};
use crate::epilogue::Epilogue;
use crate::error::Result;
use crate::exec::{current_isa, reserve_scratch, with_scratch};
use crate::kernels::patches::{Group, Patches};
use crate::ops::check::{Contiguous, ContiguousMut, check_shape};
use crate::ops::linear::{
    LinearGrads, LinearGradsInto, Residuals, Saved, gradient_of_sums, linear_backward_into,
};
use crate::ops::strided::unused;
use crate::ops::window::gather;
use crate::simd::Isa;
use crate::tensor::{Tensor, View, ViewMut};

/// The gradients of [`conv2d`](crate::ops::conv2d), from the gradient `g` of its output (shape `[N, OH, OW, O]`), its
/// inputs and what it saved: a `&Saved`, or [`Saved::with_output`](crate::ops::Saved::with_output) where ReLU's
/// bits were not saved. Each has the shape of its variable.
///
/// # Errors
/// Those of [`conv2d`](crate::ops::conv2d) and of [`linear_backward`](crate::ops::linear_backward).
pub fn conv2d_backward<'a, 'b, 'c, 'd>(
    g: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    w: impl Into<View<'c>>,
    conv: &Conv2d,
    epilogue: &Epilogue<'_>,
    saved: impl Into<Residuals<'d>>,
) -> Result<LinearGrads> {
    let (g, x, w) = (g.into(), x.into(), w.into());
    let [.., outputs] = Products::new(x, w, conv, epilogue)?.output;
    let mut grads = LinearGrads {
        x: Tensor::zeros(x.shape())?,
        w: Tensor::zeros(w.shape())?,
        bias: Tensor::zeros(&[outputs])?,
    };
    let into = LinearGradsInto {
        x: Some(grads.x.view_mut()),
        w: Some(grads.w.view_mut()),
        bias: Some(grads.bias.view_mut()),
    };
    conv2d_backward_into(g, x, w, conv, epilogue, saved, into)?;
    Ok(grads)
}

/// [`conv2d_backward`] into given memory; a gradient whose memory is `None` is not computed. The pixels below the
/// windows are copied once more for the gradient of the weights, and are not kept from the forward pass.
///
/// # Errors
/// As [`conv2d_backward`], and [`Error::Shape`](crate::Error::Shape) if a gradient has another shape than its variable.
pub fn conv2d_backward_into<'a, 'b, 'c, 'd>(
    g: impl Into<View<'a>>,
    x: impl Into<View<'b>>,
    w: impl Into<View<'c>>,
    conv: &Conv2d,
    epilogue: &Epilogue<'_>,
    saved: impl Into<Residuals<'d>>,
    grads: LinearGradsInto<'_>,
) -> Result<()> {
    let (g, x, w, saved) = (g.into(), x.into(), w.into(), saved.into());
    let products = Products::new(x, w, conv, epilogue)?;
    check_shape("gradient of conv2d's output", &products.output, g.shape())?;
    check_grads(&grads, x, w, products.output[3])?;
    if let Some(y) = saved.output() {
        check_shape("output of conv2d", &products.output, y.shape())?;
    }
    let y = saved.output().map(Contiguous::new).transpose()?;
    let y = y
        .as_ref()
        .map(|y| View::contiguous(y.as_slice(), &products.matrix()));
    let saved = saved.with(y.transpose()?);
    saved.check(epilogue, products.m, products.output[3])?;
    let (g, x, w) = (
        Contiguous::new(g)?,
        Contiguous::new(x)?,
        Contiguous::new(w)?,
    );
    let mut targets = Targets {
        x: grads.x.map(ContiguousMut::new).transpose()?,
        w: grads.w.map(ContiguousMut::new).transpose()?,
        bias: grads.bias.map(ContiguousMut::new).transpose()?,
    };
    let backward = Backward {
        isa: current_isa()?,
        products,
        x: x.as_slice(),
        w: w.as_slice(),
    };
    let g = View::contiguous(g.as_slice(), &products.matrix())?;
    backward.run(Gradient { g, epilogue, saved }, &mut targets)?;
    let targets = [targets.x, targets.w, targets.bias];
    targets
        .into_iter()
        .flatten()
        .try_for_each(ContiguousMut::finish)
}

fn check_grads(
    grads: &LinearGradsInto<'_>,
    x: View<'_>,
    w: View<'_>,
    outputs: usize,
) -> Result<()> {
    let check = |what, expected: &[usize], grad: &Option<ViewMut<'_>>| {
        grad.as_ref()
            .map_or(Ok(()), |grad| check_shape(what, expected, grad.shape()))
    };
    check("gradient of conv2d's input", x.shape(), &grads.x)?;
    check("gradient of conv2d's weights", w.shape(), &grads.w)?;
    check("gradient of conv2d's bias", &[outputs], &grads.bias)
}

/// Where the gradients go.
struct Targets<'a> {
    x: Option<ContiguousMut<'a>>,
    w: Option<ContiguousMut<'a>>,
    bias: Option<ContiguousMut<'a>>,
}

/// A gradient, and what lies between it and the products.
#[derive(Clone, Copy)]
struct Gradient<'a> {
    g: View<'a>,
    epilogue: &'a Epilogue<'a>,
    saved: Residuals<'a>,
}

/// A backward pass whose arguments are checked.
struct Backward<'a> {
    isa: Isa,
    products: Products,
    x: &'a [f32],
    w: &'a [f32],
}

impl Backward<'_> {
    /// All memory is there before a gradient is written.
    fn run(&self, top: Gradient<'_>, targets: &mut Targets<'_>) -> Result<()> {
        let room = self.products.room();
        reserve_scratch(room)?;
        with_scratch(room, |room| {
            if self.products.groups == 1 && top.saved.pre_activation().is_none() {
                return self.group(top, 0, room, targets);
            }
            let len = top.g.len();
            reserve_scratch(len)?;
            with_scratch(len, |dz| {
                gradient_of_sums(top.g, top.epilogue, top.saved, dz)?;
                self.groups(dz, room, targets)
            })
        })
    }

    /// From the gradient of the sums with bias.
    fn groups(&self, dz: &[f32], room: &mut [f32], targets: &mut Targets<'_>) -> Result<()> {
        let dz = View::contiguous(dz, &self.products.matrix())?;
        let (n, nothing) = (self.products.n, Saved::default());
        for group in 0..self.products.groups {
            let top = Gradient {
                g: dz.slice(1, group * n..(group + 1) * n)?,
                epilogue: &Epilogue::default(),
                saved: Residuals::from(&nothing),
            };
            self.group(top, group, room, targets)?;
        }
        Ok(())
    }

    fn group(
        &self,
        top: Gradient<'_>,
        group: usize,
        room: &mut [f32],
        targets: &mut Targets<'_>,
    ) -> Result<()> {
        let Gradient { g, epilogue, saved } = top;
        let Products { n, k, .. } = self.products;
        let filters = self.products.filters(group, self.w)?;
        if targets.w.is_some() || targets.bias.is_some() {
            let patches = self.products.patches(group, self.x, room)?;
            let into = LinearGradsInto {
                x: None,
                w: part(&mut targets.w, group * n * k, &[n, k])?,
                bias: part(&mut targets.bias, group * n, &[n])?,
            };
            linear_backward_into(g, patches, filters, epilogue, saved, into)?;
        }
        match &mut targets.x {
            Some(x) => self.input(top, group, room, x.as_mut_slice()),
            None => Ok(()),
        }
    }

    /// The gradient of the channels that a group reads; that of the patches takes their place in `room`.
    fn input(
        &self,
        Gradient { g, epilogue, saved }: Gradient<'_>,
        group: usize,
        room: &mut [f32],
        dx: &mut [f32],
    ) -> Result<()> {
        let Products { grid, m, k, .. } = self.products;
        let filters = self.products.filters(group, self.w)?;
        let unread = unused(&[m, k])?;
        let Group { first, channels } = self.products.group(group);
        let channels = (first, first + channels);
        let is_pointwise = self.products.is_pointwise();
        let x = if is_pointwise {
            ViewMut::contiguous(dx, &[m, grid.channels])?.slice(1, channels.0..channels.1)?
        } else {
            ViewMut::contiguous(room, &[m, k])?
        };
        let into = LinearGradsInto {
            x: Some(x),
            ..LinearGradsInto::default()
        };
        linear_backward_into(g, unread, filters, epilogue, saved, into)?;
        if !is_pointwise {
            let patches = Patches { rows: room, len: k };
            gather(self.isa, grid, patches, channels, dx);
        }
        Ok(())
    }
}

/// The part of a gradient that begins at `start`.
fn part<'a>(
    target: &'a mut Option<ContiguousMut<'_>>,
    start: usize,
    shape: &[usize],
) -> Result<Option<ViewMut<'a>>> {
    let Some(target) = target else {
        return Ok(None);
    };
    let len: usize = shape.iter().product();
    let part = &mut target.as_mut_slice()[start..][..len];
    ViewMut::contiguous(part, shape).map(Some)
}
