//! Sums, means and maxima over any set of axes.
//!
//! Every result comes of one fixed tree over the sequence of its elements
//! ([described here](crate::reference::reduce)), so it has the same bits on every instruction set, for every
//! number of threads, and for every layout of the input. The payload of a NaN in a sum is not specified.
//!
//! Leaves of 4,096 elements are computed first, then joined. There are two ways to compute them: one
//! sequence at a time, for which scattered elements are gathered, and up to 64 sequences side by side
//! where neighbouring sequences are neighbours in memory. The strides decide, and the result is the same.

use super::check::check_shape;
use super::elementwise::copy_into;
use super::strided::{Axis, Place, Plan, map_in_place};
use crate::error::{Error, Result};
use crate::exec;
use crate::kernels::elementwise::Divided;
use crate::kernels::reduce::{BLOCK, Columns, Combine, Join, Max, Sum, TILE, leaf};
use crate::simd::{self, Kernel, Simd};
use crate::tensor::{Dims, Tensor, View, ViewMut};

/// Fewest neighbouring sequences that are worth a vector.
const SIDE_BY_SIDE: usize = 4;

/// The sum over `axes`, which the result no longer has. No axes: a copy. An empty axis sums to zero.
///
/// The additions form [a fixed tree](crate::reference::reduce) over the elements of each sum.
///
/// ```
/// use elision::{Tensor, ops};
/// let x = Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])?;
/// assert_eq!(ops::sum(&x, &[0])?.as_slice(), [5.0, 7.0, 9.0]);
/// assert_eq!(ops::mean(&x, &[1])?.as_slice(), [2.0, 5.0]);
/// assert_eq!(ops::max(&x, &[0, 1])?, Tensor::full(&[], 6.0)?);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Axis`] or [`Error::RepeatedAxis`].
pub fn sum<'a>(x: impl Into<View<'a>>, axes: &[usize]) -> Result<Tensor> {
    let x = x.into();
    let mut out = Tensor::zeros(&kept_shape(&x, axes)?)?;
    sum_into(x, axes, &mut out)?;
    Ok(out)
}

/// Writes the sum over `axes` to `out`.
///
/// # Errors
/// [`Error::Axis`], [`Error::RepeatedAxis`], and [`Error::Shape`] if `out` has not the shape of the result.
pub fn sum_into<'a, 'b>(
    x: impl Into<View<'a>>,
    axes: &[usize],
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    reduce(Sum, x.into(), axes, out.into())
}

/// The mean over `axes`, which the result no longer has: the sum divided by the number of elements.
///
/// # Errors
/// [`Error::Axis`], [`Error::RepeatedAxis`], and [`Error::Empty`] if there is nothing to take the mean of.
pub fn mean<'a>(x: impl Into<View<'a>>, axes: &[usize]) -> Result<Tensor> {
    let x = x.into();
    let mut out = Tensor::zeros(&kept_shape(&x, axes)?)?;
    mean_into(x, axes, &mut out)?;
    Ok(out)
}

/// Writes the mean over `axes` to `out`.
///
/// # Errors
/// Those of [`mean`], and [`Error::Shape`] if `out` has not the shape of the result.
pub fn mean_into<'a, 'b>(
    x: impl Into<View<'a>>,
    axes: &[usize],
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (x, mut out) = (x.into(), out.into());
    let n = nonempty("the mean", &x, axes)?;
    reduce(Sum, x, axes, out.reborrow())?;
    if n == 1 {
        Ok(())
    } else {
        map_in_place(Divided(n as f32), 1, out)
    }
}

/// The maximum over `axes`, which the result no longer has; NaN where a NaN is.
///
/// # Errors
/// [`Error::Axis`], [`Error::RepeatedAxis`], and [`Error::Empty`] if there is nothing to take the maximum of.
pub fn max<'a>(x: impl Into<View<'a>>, axes: &[usize]) -> Result<Tensor> {
    let x = x.into();
    let mut out = Tensor::zeros(&kept_shape(&x, axes)?)?;
    max_into(x, axes, &mut out)?;
    Ok(out)
}

/// Writes the maximum over `axes` to `out`.
///
/// # Errors
/// Those of [`max`], and [`Error::Shape`] if `out` has not the shape of the result.
pub fn max_into<'a, 'b>(
    x: impl Into<View<'a>>,
    axes: &[usize],
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let x = x.into();
    nonempty("the maximum", &x, axes)?;
    reduce(Max, x, axes, out.into())
}

/// The shape without `axes`, which are checked.
fn kept_shape(x: &View<'_>, axes: &[usize]) -> Result<Dims> {
    for (i, &axis) in axes.iter().enumerate() {
        if axis >= x.rank() {
            return Err(Error::Axis {
                axis,
                rank: x.rank(),
            });
        }
        if axes[..i].contains(&axis) {
            return Err(Error::RepeatedAxis(axis));
        }
    }
    let mut kept = Dims::zeros(x.rank() - axes.len());
    let sizes = (0..x.rank())
        .filter(|axis| !axes.contains(axis))
        .map(|axis| x.shape()[axis]);
    for (slot, size) in kept.iter_mut().zip(sizes) {
        *slot = size;
    }
    Ok(kept)
}

/// The number of elements of a sequence, if there are any.
fn nonempty(what: &'static str, x: &View<'_>, axes: &[usize]) -> Result<usize> {
    kept_shape(x, axes)?;
    match axes.iter().map(|&axis| x.shape()[axis]).product() {
        0 => Err(Error::Empty(what)),
        n => Ok(n),
    }
}

fn reduce<C: Combine>(op: C, x: View<'_>, axes: &[usize], mut out: ViewMut<'_>) -> Result<()> {
    let expected = kept_shape(&x, axes)?;
    check_shape("output", &expected, out.shape())?;
    if axes.is_empty() {
        return copy_into(x, out);
    }
    if x.is_empty() {
        return copy_into(View::contiguous(&[C::IDENTITY], &[])?, out);
    }
    let job = Job::new(op, x, axes, out.len());
    if let (1, Some(out)) = (job.leaves(), out.as_mut_slice()) {
        return job.fill(out);
    }
    let mut leaves = Tensor::zeros(&[job.leaves(), job.results])?;
    job.fill(leaves.as_mut_slice())?;
    let rows = leaves.as_mut_slice();
    simd::dispatch(
        exec::current_isa()?,
        Join {
            op,
            rows,
            width: job.results,
        },
    );
    copy_into(
        View::contiguous(&leaves.as_slice()[..job.results], &expected)?,
        out,
    )
}

/// A reduction of something to something.
#[derive(Clone, Copy)]
struct Job<'a, C> {
    op: C,
    data: &'a [f32],
    /// From one sequence to the next.
    kept: Plan<1>,
    /// Along a sequence.
    along: Plan<1>,
    /// The number of sequences.
    results: usize,
    /// The number of elements of a sequence.
    n: usize,
    side_by_side: bool,
}

impl<'a, C: Combine> Job<'a, C> {
    fn new(op: C, x: View<'a>, axes: &[usize], results: usize) -> Self {
        let plan = |reduced: bool| {
            let axes = (0..x.rank()).filter(|axis| axes.contains(axis) == reduced);
            Plan::new(axes.map(|axis| Axis {
                size: x.shape()[axis],
                strides: [x.strides()[axis]],
            }))
        };
        let (kept, along) = (plan(false), plan(true));
        let neighbours = kept.inner().strides == [1] && kept.inner().size >= SIDE_BY_SIDE;
        let n = x.len() / results;
        let side_by_side = neighbours && (along.inner().strides != [1] || n == 1);
        Self {
            op,
            data: x.data(),
            kept,
            along,
            results,
            n,
            side_by_side,
        }
    }

    /// Leaves of a sequence.
    fn leaves(&self) -> usize {
        self.n.div_ceil(BLOCK)
    }

    /// Fills `out`, whose row b holds the b-th leaf of each sequence, on as many threads as it is worth.
    fn fill(&self, out: &mut [f32]) -> Result<()> {
        let isa = exec::current_isa()?;
        let weight = self.n.min(BLOCK);
        let tile = if self.side_by_side { TILE } else { 1 };
        exec::for_each_heavy_chunk(out, weight, tile, |start, out| {
            simd::dispatch(
                isa,
                Fill {
                    job: *self,
                    start,
                    out,
                },
            );
        });
        Ok(())
    }
}

/// Some leaves of a job, counted through the rows.
struct Fill<'a, C> {
    job: Job<'a, C>,
    start: usize,
    out: &'a mut [f32],
}

impl<C: Combine> Kernel for Fill<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { job, start, out } = self;
        let mut done = 0;
        while done < out.len() {
            let (leaf, result) = ((start + done) / job.results, (start + done) % job.results);
            let first = leaf * BLOCK;
            let n = BLOCK.min(job.n - first);
            let place = Place::new(&job.kept, result);
            let rest = (job.results - result).min(out.len() - done);
            let out = &mut out[done..done + rest];
            if job.side_by_side {
                job.side_by_side(simd, place, first, n, out);
            } else {
                job.one_by_one(simd, place, first, n, out);
            }
            done += rest;
        }
    }
}

impl<C: Combine> Job<'_, C> {
    /// The leaf of elements `first..first + n` of each of some consecutive sequences.
    #[inline(always)]
    fn one_by_one<S: Simd>(
        self,
        simd: S,
        mut at: Place<1>,
        first: usize,
        n: usize,
        out: &mut [f32],
    ) {
        let mut scratch = [0.0; BLOCK];
        let within = Place::new(&self.along, first);
        let direct = self.along.inner().strides == [1] && n <= within.left(&self.along);
        for out in out {
            let [offset] = at.offsets;
            let x = if direct {
                &self.data[offset + within.offsets[0]..][..n]
            } else {
                self.gather(offset, first, &mut scratch[..n])
            };
            *out = leaf(simd, self.op, x);
            at.advance(&self.kept, 1);
        }
    }

    /// Fills `to` with the elements from `first` on of the sequence that begins at `offset`.
    #[inline(always)]
    fn gather<'b>(&self, offset: usize, first: usize, to: &'b mut [f32]) -> &'b [f32] {
        let [stride] = self.along.inner().strides;
        let mut place = Place::new(&self.along, first);
        let mut done = 0;
        while done < to.len() {
            let n = place.left(&self.along).min(to.len() - done);
            let from = &self.data[offset + place.offsets[0]..];
            let run = &mut to[done..done + n];
            match stride {
                0 => run.fill(from[0]),
                1 => run.copy_from_slice(&from[..n]),
                _ => {
                    for (to, from) in run.iter_mut().zip(from.iter().step_by(stride)) {
                        *to = *from;
                    }
                }
            }
            place.advance(&self.along, n);
            done += n;
        }
        to
    }

    /// The same as [`one_by_one`](Self::one_by_one) where neighbouring sequences are neighbours in memory.
    #[inline(always)]
    fn side_by_side<S: Simd>(
        self,
        simd: S,
        mut at: Place<1>,
        first: usize,
        n: usize,
        out: &mut [f32],
    ) {
        let mut columns = Columns::new();
        let mut done = 0;
        while done < out.len() {
            let width = at.left(&self.kept).min(out.len() - done).min(TILE);
            let data = &self.data[at.offsets[0]..];
            let mut place = Place::new(&self.along, first);
            columns.begin(self.op, n);
            for i in 0..n {
                columns.push(simd, self.op, i, &data[place.offsets[0]..][..width]);
                place.advance(&self.along, 1);
            }
            columns.finish(simd, self.op, &mut out[done..done + width]);
            at.advance(&self.kept, width);
            done += width;
        }
    }
}
