//! Masks and dropout beside a scaled copy of the same array.

use elision::simd::{Kernel, Simd, dispatch};
use elision::{Dropout, Isa, Key, Mask, Result, Tensor, ops};
use rayon::ThreadPool;
use rayon::prelude::*;

use super::report::{Line, Report};
use super::timing::{Pair, pair, threaded_pair};
use crate::failure::Failure;

/// Elements: in the second-level cache, in the third, in memory.
pub(super) const SIZES: [usize; 3] = [1 << 16, 1 << 20, 1 << 24];
const RATES: [f64; 3] = [0.1, 0.3, 0.5];

/// `out = 2 x`: what any pass over an array costs.
pub(super) struct ScaledCopy {
    isa: Isa,
    x: Tensor,
    out: Tensor,
}

/// The loop of a scaled copy and nothing else, so that the limit owes nothing to the library.
struct CopyLoop<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for CopyLoop<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let two = simd.splat(2.0);
        let (x, out) = (self.x.as_chunks().0, self.out.as_chunks_mut().0);
        for (x, out) in x.iter().zip(out) {
            simd.store(simd.mul(simd.load(x), two), out);
        }
    }
}

impl ScaledCopy {
    /// One pass: each of the ambient threads copies its share.
    pub(super) fn run(&mut self) {
        let (isa, x, out) = (self.isa, self.x.as_slice(), self.out.as_mut_slice());
        let threads = rayon::current_num_threads();
        if threads == 1 {
            return dispatch(isa, CopyLoop { x, out });
        }
        let share = x.len() / threads;
        let shares = x.par_chunks(share).zip(out.par_chunks_mut(share));
        shares.for_each(|(x, out)| dispatch(isa, CopyLoop { x, out }));
    }
}

/// A scaled copy of `n` elements.
pub(super) fn scaled_copy(n: usize) -> Result<ScaledCopy, Failure> {
    let tensors = || {
        Ok(ScaledCopy {
            isa: Isa::best()?,
            x: Tensor::full(&[n], 1.5)?,
            out: Tensor::zeros(&[n])?,
        })
    };
    tensors().map_err(Failure::Work)
}

/// The arrays of a measurement; the base has arrays of its own, alike in size and place.
struct Work {
    base: ScaledCopy,
    x: Tensor,
    out: Tensor,
    mask: Mask,
    dropout: Dropout,
}

impl Work {
    fn new(n: usize, p: f64) -> Result<Self, Failure> {
        let make = || {
            let dropout = Dropout::new(Key::new(1), p)?;
            let (x, out) = (Tensor::full(&[n], 1.5)?, Tensor::zeros(&[n])?);
            Ok((x, out, Mask::draw(&dropout, n)?, dropout))
        };
        let (x, out, mask, dropout) = make().map_err(Failure::Work)?;
        Ok(Self {
            base: scaled_copy(n)?,
            x,
            out,
            mask,
            dropout,
        })
    }

    /// Drawing the mask alone.
    fn draw(&mut self) -> Pair {
        let Self {
            base,
            mask,
            dropout,
            ..
        } = self;
        pair(
            || mask.redraw(dropout).expect("no offset, no overflow"),
            || base.run(),
        )
    }

    /// Forward with the mask kept, once.
    fn forward_once(&mut self) {
        forward(&self.x, &self.dropout, &mut self.out, &mut self.mask);
    }

    /// Forward with the mask kept.
    fn forward(&mut self) -> Pair {
        let Self {
            base,
            x,
            out,
            mask,
            dropout,
        } = self;
        pair(|| forward(x, dropout, out, mask), || base.run())
    }

    /// Backward from the mask.
    fn backward(&mut self) -> Pair {
        let Self {
            base,
            x,
            out,
            mask,
            dropout,
        } = self;
        let work = || {
            ops::dropout_backward_into(&*x, dropout, Some(&*mask), &mut *out)
                .expect("the shapes are equal");
        };
        pair(work, || base.run())
    }

    /// The answers, against the mask, which the tests compare with the reference.
    fn check(&self, op: &str) -> Result<(), Failure> {
        let scale = self.dropout.scale();
        let right = |(i, (y, x)): (usize, (&f32, &f32))| {
            let want = if self.mask.get(i) == Some(true) {
                x * scale
            } else {
                0.0
            };
            y.to_bits() == want.to_bits()
        };
        let fresh = Mask::draw(&self.dropout, self.mask.len()).map_err(Failure::Work)?;
        let outputs = self.out.as_slice().iter().zip(self.x.as_slice());
        if fresh == self.mask && outputs.enumerate().all(right) {
            return Ok(());
        }
        Err(Failure::WrongAnswer(op.to_owned()))
    }
}

fn forward(x: &Tensor, dropout: &Dropout, out: &mut Tensor, mask: &mut Mask) {
    ops::dropout_into(x, dropout, out, Some(mask)).expect("the shapes are equal");
}

/// Measures every size and rate with the ambient threads.
pub(super) fn measure(report: &mut Report) -> Result<(), Failure> {
    for n in SIZES {
        for p in RATES {
            let mut work = Work::new(n, p)?;
            let line = Line {
                n: Some(n),
                p: Some(p),
                ..Line::new("")
            };
            report.line(&line.timed("mask", work.draw(), n))?;
            report.line(&line.timed("dropout forward", work.forward(), n))?;
            work.check("dropout forward")?;
            report.line(&line.timed("dropout backward", work.backward(), n))?;
            work.check("dropout backward")?;
        }
    }
    Ok(())
}

/// One thread against many, in turn: the largest array, p = 0.5.
pub(super) fn measure_speedup(
    one: &ThreadPool,
    many: &ThreadPool,
    report: &mut Report,
) -> Result<(), Failure> {
    let (n, p) = (SIZES[SIZES.len() - 1], 0.5);
    let (mut left, mut right) = (Work::new(n, p)?, Work::new(n, p)?);
    let timed = threaded_pair(
        || one.install(|| left.forward_once()),
        || many.install(|| right.forward_once()),
    );
    left.check("dropout forward")?;
    right.check("dropout forward")?;
    let line = Line {
        n: Some(n),
        p: Some(p),
        ratio: Some(timed.ratio),
        ..Line::new("")
    };
    report.line(&Line {
        op: "dropout forward, one thread over all",
        ..line
    })
}
