//! The driver of elementwise operations on views of any strides.
//!
//! Axes that all operands step through alike are merged first, so that tensors of one shape become one
//! long axis, and a row added to a matrix becomes two. The innermost axis is then a run on which each
//! operand is a slice, a single value, or something to be gathered to a scratch on the stack; the slice
//! kernel does the run, and a scattered output is written back. The walk is itself a kernel, so that the
//! instruction set is chosen once for a chunk and not for each run.
//!
//! A contiguous output is shared among threads in chunks of any place in the walk; a scattered one is
//! written by the caller's thread alone.

use super::check::check_shape;
use crate::error::Result;
use crate::exec;
use crate::kernels::elementwise::{Binary, One, Operand, Pass, Two, Unary};
use crate::simd::{self, Kernel, Simd};
use crate::tensor::{MAX_RANK, View, ViewMut, broadcast_shapes};

/// Elements of a run that are gathered at a time: three scratches of this length are 12 KiB of stack and
/// stay in the first-level cache.
const GATHER: usize = 1024;

/// Writes `op(x)` to `out`. An element costs as much as `weight` elements of a scaled copy.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if `out` has not the shape of `x`.
pub(crate) fn map_into<O: Unary>(
    op: O,
    weight: usize,
    x: View<'_>,
    out: ViewMut<'_>,
) -> Result<()> {
    check_shape("output", x.shape(), out.shape())?;
    run(One(op), weight, Some(x), unused(out.shape())?, out)
}

/// Replaces each element of `out` by `op` of it.
///
/// # Errors
/// Those of the choice of an instruction set.
pub(crate) fn map_in_place<O: Unary>(op: O, weight: usize, out: ViewMut<'_>) -> Result<()> {
    run(One(op), weight, None, unused(out.shape())?, out)
}

/// Writes `op(a, b)` to `out`, the operands broadcast to one shape.
///
/// # Errors
/// [`Error::Broadcast`](crate::Error::Broadcast) if the operands do not fit, [`Error::Shape`](crate::Error::Shape) if `out` has not their shape.
pub(crate) fn zip_into<O: Binary>(
    op: O,
    weight: usize,
    a: View<'_>,
    b: View<'_>,
    out: ViewMut<'_>,
) -> Result<()> {
    let shape = broadcast_shapes(a.shape(), b.shape())?;
    check_shape("output", &shape, out.shape())?;
    let (a, b) = (a.broadcast_to(&shape)?, b.broadcast_to(&shape)?);
    run(Two(op), weight, Some(a), b, out)
}

/// Replaces each element of `out` by `op` of it and of `b`, which is broadcast.
///
/// # Errors
/// [`Error::Broadcast`](crate::Error::Broadcast) if `b` does not broadcast to the shape of `out`.
pub(crate) fn zip_in_place<O: Binary>(
    op: O,
    weight: usize,
    out: ViewMut<'_>,
    b: View<'_>,
) -> Result<()> {
    let b = b.broadcast_to(out.shape())?;
    run(Two(op), weight, None, b, out)
}

/// An operand that nobody reads, such as the right one of a unary operation.
pub(super) fn unused(shape: &[usize]) -> Result<View<'static>> {
    View::contiguous(&[0.0], &[])?.broadcast_to(shape)
}

/// Runs a pass over operands of the output's shape; `a` is `None` to work in place.
fn run<O: Pass>(
    op: O,
    weight: usize,
    a: Option<View<'_>>,
    b: View<'_>,
    mut out: ViewMut<'_>,
) -> Result<()> {
    let isa = exec::current_isa()?;
    let plan = Plan::new((0..out.rank()).map(|axis| {
        let (right, out_stride) = (b.strides()[axis], out.strides()[axis]);
        let left = a.map_or(out_stride, |a| a.strides()[axis]);
        Axis {
            size: out.shape()[axis],
            strides: [left, right, out_stride],
        }
    }));
    let (a, b) = (a.map(|a| a.data()), b.data());
    let len = out.len();
    if let Some(out) = out.as_mut_slice() {
        exec::for_each_chunk(out, weight, |start, out| {
            let len = out.len();
            simd::dispatch(
                isa,
                Walk {
                    op,
                    plan,
                    a,
                    b,
                    start,
                    origin: start,
                    len,
                    out,
                },
            );
        });
    } else {
        let out = out.data_mut();
        simd::dispatch(
            isa,
            Walk {
                op,
                plan,
                a,
                b,
                start: 0,
                origin: 0,
                len,
                out,
            },
        );
    }
    Ok(())
}

/// One axis after merging, with its stride in each of `K` operands.
#[derive(Clone, Copy)]
pub(super) struct Axis<const K: usize> {
    pub(super) size: usize,
    pub(super) strides: [usize; K],
}

/// The merged axes, outermost first. There is always at least one.
#[derive(Clone, Copy)]
pub(super) struct Plan<const K: usize> {
    axes: [Axis<K>; MAX_RANK],
    rank: usize,
}

impl<const K: usize> Plan<K> {
    /// Merges at most [`MAX_RANK`] axes; those of size 1 do not matter and are left out.
    pub(super) fn new(axes: impl Iterator<Item = Axis<K>>) -> Self {
        // A single element is a run of length 1, on which every stride is as good as 1.
        let one = Axis {
            size: 1,
            strides: [1; K],
        };
        let mut plan = Self {
            axes: [one; MAX_RANK],
            rank: 0,
        };
        for axis in axes.filter(|axis| axis.size != 1) {
            plan.push(axis);
        }
        plan.rank = plan.rank.max(1);
        plan
    }

    /// Appends an axis, merged with the one before it if each operand goes through both in equal steps.
    fn push(&mut self, axis: Axis<K>) {
        if let Some(outer) = self.axes[..self.rank].last_mut() {
            let mut steps = outer.strides.iter().zip(axis.strides);
            if steps.all(|(&outer, inner)| inner.checked_mul(axis.size) == Some(outer)) {
                let size = outer.size * axis.size;
                *outer = Axis { size, ..axis };
                return;
            }
        }
        self.axes[self.rank] = axis;
        self.rank += 1;
    }

    /// The innermost axis.
    #[inline(always)]
    pub(super) fn inner(&self) -> Axis<K> {
        self.axes[self.rank - 1]
    }
}

/// A place in the walk: the index of each axis, and the offset of each operand.
pub(super) struct Place<const K: usize> {
    index: [usize; MAX_RANK],
    pub(super) offsets: [usize; K],
}

impl<const K: usize> Place<K> {
    /// The place of the `flat`-th element.
    #[inline(always)]
    pub(super) fn new(plan: &Plan<K>, mut flat: usize) -> Self {
        let mut place = Self {
            index: [0; MAX_RANK],
            offsets: [0; K],
        };
        for (index, axis) in place.index.iter_mut().zip(&plan.axes[..plan.rank]).rev() {
            *index = flat % axis.size;
            flat /= axis.size;
            for (offset, stride) in place.offsets.iter_mut().zip(axis.strides) {
                *offset += *index * stride;
            }
        }
        place
    }

    /// How many elements are left in the innermost axis.
    #[inline(always)]
    pub(super) fn left(&self, plan: &Plan<K>) -> usize {
        plan.inner().size - self.index[plan.rank - 1]
    }

    /// Moves on by `n` elements, which must not pass the end of the innermost axis.
    #[inline(always)]
    pub(super) fn advance(&mut self, plan: &Plan<K>, n: usize) {
        let mut step = n;
        for (index, axis) in self.index.iter_mut().zip(&plan.axes[..plan.rank]).rev() {
            *index += step;
            for (offset, stride) in self.offsets.iter_mut().zip(axis.strides) {
                *offset += step * stride;
            }
            if *index < axis.size {
                return;
            }
            for (offset, stride) in self.offsets.iter_mut().zip(axis.strides) {
                *offset -= axis.size * stride;
            }
            *index = 0;
            step = 1;
        }
    }
}

/// The elements `start..start + len` of a walk.
struct Walk<'a, O> {
    op: O,
    plan: Plan<3>,
    a: Option<&'a [f32]>,
    b: &'a [f32],
    start: usize,
    /// The output offset of `out[0]`.
    origin: usize,
    len: usize,
    out: &'a mut [f32],
}

/// Room for what is gathered from each operand and scattered to the output.
type Scratch = [[f32; GATHER]; 3];

impl<O: Pass> Kernel for Walk<'_, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        if self.len == 0 {
            return;
        }
        let plan = self.plan;
        let inner = plan.inner();
        let [left, right, out] = inner.strides;
        let longest = if left.max(right).max(out) > 1 {
            GATHER
        } else {
            inner.size
        };
        let mut scratch = [[0.0; GATHER]; 3];
        let mut place = Place::new(&plan, self.start);
        while self.len > 0 {
            let n = (inner.size - place.index[plan.rank - 1])
                .min(longest)
                .min(self.len);
            self.piece(simd, inner.strides, place.offsets, n, &mut scratch);
            place.advance(&plan, n);
            self.len -= n;
        }
    }
}

impl<O: Pass> Walk<'_, O> {
    /// `n` elements of one run.
    #[inline(always)]
    fn piece<S: Simd>(
        &mut self,
        simd: S,
        [sa, sb, so]: [usize; 3],
        [a, b, out]: [usize; 3],
        n: usize,
        [ga, gb, go]: &mut Scratch,
    ) {
        #[allow(
            clippy::manual_map,
            reason = "a closure in a kernel may lose the instruction set"
        )]
        let a = match self.a {
            Some(data) => Some(operand(data, a, sa, n, ga)),
            None => None,
        };
        let b = operand(self.b, b, sb, n, gb);
        let out = &mut self.out[out - self.origin..];
        let run = if so == 1 {
            &mut out[..n]
        } else {
            gather(out, so, &mut go[..n])
        };
        self.op.pass(simd, a, b, run);
        if so != 1 {
            for (from, to) in go[..n].iter().zip(out.iter_mut().step_by(so)) {
                *to = *from;
            }
        }
    }
}

/// `n` elements from `data[offset]` on, gathered if their stride asks for it.
#[inline(always)]
fn operand<'a>(
    data: &'a [f32],
    offset: usize,
    stride: usize,
    n: usize,
    scratch: &'a mut [f32; GATHER],
) -> Operand<'a> {
    match stride {
        0 => Operand::Splat(data[offset]),
        1 => Operand::Slice(&data[offset..offset + n]),
        _ => Operand::Slice(gather(&data[offset..], stride, &mut scratch[..n])),
    }
}

/// Fills `to` with every `stride`-th element.
#[inline(always)]
fn gather<'a>(from: &[f32], stride: usize, to: &'a mut [f32]) -> &'a mut [f32] {
    for (to, from) in to.iter_mut().zip(from.iter().step_by(stride)) {
        *to = *from;
    }
    to
}
