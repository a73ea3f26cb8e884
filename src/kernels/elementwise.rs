//! One operation on every element, or on every pair of elements.
//!
//! The operation is a small value, [`Unary`] or [`Binary`], and never a closure: a closure inside a kernel
//! is a function of its own and would be compiled without the kernel's instruction set.

use crate::simd::{Kernel, LANES, Simd};

/// An operation on each element; `apply` must be `#[inline(always)]`.
pub(crate) trait Unary: Copy + Sync {
    /// The results of 16 lanes.
    fn apply<S: Simd>(self, simd: S, x: S::F32) -> S::F32;
}

/// An operation on each pair of elements; `apply` must be `#[inline(always)]`.
pub(crate) trait Binary: Copy + Sync {
    /// The results of 16 pairs of lanes.
    fn apply<S: Simd>(self, simd: S, a: S::F32, b: S::F32) -> S::F32;
}

/// Writes operations on pairs that are one method of the trait `Simd`.
macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident = $method:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Binary for $name {
            #[inline(always)]
            fn apply<S: Simd>(self, simd: S, a: S::F32, b: S::F32) -> S::F32 {
                simd.$method(a, b)
            }
        }
    )+};
}

binary! {
    /// `a + b`.
    Add = add
    /// `a - b`.
    Sub = sub
    /// `a * b`.
    Mul = mul
    /// `a / b`.
    Div = div
}

/// `x`.
#[derive(Clone, Copy)]
pub(crate) struct Copied;

impl Unary for Copied {
    #[inline(always)]
    fn apply<S: Simd>(self, _: S, x: S::F32) -> S::F32 {
        x
    }
}

/// `x * factor`.
#[derive(Clone, Copy)]
pub(crate) struct Scaled(pub(crate) f32);

impl Unary for Scaled {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        simd.mul(x, simd.splat(self.0))
    }
}

/// `x / divisor`.
#[derive(Clone, Copy)]
pub(crate) struct Divided(pub(crate) f32);

impl Unary for Divided {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::F32) -> S::F32 {
        simd.div(x, simd.splat(self.0))
    }
}

/// Where an operand comes from.
#[derive(Clone, Copy)]
pub(crate) enum Operand<'a> {
    /// One element for each of the output; at least as many.
    Slice(&'a [f32]),
    /// One value for all.
    Splat(f32),
}

/// A unary operation on slices of one length; `x` is `None` to work in place.
pub(crate) struct Map<'a, O> {
    pub(crate) op: O,
    pub(crate) x: Option<&'a [f32]>,
    pub(crate) out: &'a mut [f32],
}

impl<O: Unary> Kernel for Map<'_, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        match self.x {
            Some(x) => zip(simd, Left(self.op), Slice(x), Splat(0.0), self.out),
            None => zip(simd, Left(self.op), Out, Splat(0.0), self.out),
        }
    }
}

/// A binary operation on slices of one length and single values; `a` is `None` to work in place.
pub(crate) struct Zip<'a, O> {
    pub(crate) op: O,
    pub(crate) a: Option<Operand<'a>>,
    pub(crate) b: Operand<'a>,
    pub(crate) out: &'a mut [f32],
}

impl<O: Binary> Kernel for Zip<'_, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { op, a, b, out } = self;
        match a {
            Some(Operand::Slice(a)) => zip_left(simd, op, Slice(a), b, out),
            Some(Operand::Splat(a)) => zip_left(simd, op, Splat(a), b, out),
            None => zip_left(simd, op, Out, b, out),
        }
    }
}

#[inline(always)]
fn zip_left<S: Simd>(simd: S, op: impl Binary, a: impl Source, b: Operand, out: &mut [f32]) {
    match b {
        Operand::Slice(b) => zip(simd, op, a, Slice(b), out),
        Operand::Splat(b) => zip(simd, op, a, Splat(b), out),
    }
}

/// A unary operation as a binary one that ignores its right operand, so that one loop serves both.
#[derive(Clone, Copy)]
struct Left<O>(O);

impl<O: Unary> Binary for Left<O> {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, a: S::F32, _: S::F32) -> S::F32 {
        self.0.apply(simd, a)
    }
}

/// Either kind of operation, for a driver that serves both; `pass` must be `#[inline(always)]`.
pub(crate) trait Pass: Copy + Sync {
    /// Does a run; `a` is `None` to work in place.
    fn pass<S: Simd>(self, simd: S, a: Option<Operand>, b: Operand, out: &mut [f32]);
}

/// The pass of a unary operation, which has no use for the right operand.
#[derive(Clone, Copy)]
pub(crate) struct One<O>(pub(crate) O);

impl<O: Unary> Pass for One<O> {
    #[inline(always)]
    fn pass<S: Simd>(self, simd: S, a: Option<Operand>, _: Operand, out: &mut [f32]) {
        let x = match a {
            Some(Operand::Slice(x)) => Some(x),
            Some(Operand::Splat(x)) => {
                out.fill(x);
                None
            }
            None => None,
        };
        Map { op: self.0, x, out }.run(simd);
    }
}

/// The pass of a binary operation.
#[derive(Clone, Copy)]
pub(crate) struct Two<O>(pub(crate) O);

impl<O: Binary> Pass for Two<O> {
    #[inline(always)]
    fn pass<S: Simd>(self, simd: S, a: Option<Operand>, b: Operand, out: &mut [f32]) {
        Zip {
            op: self.0,
            a,
            b,
            out,
        }
        .run(simd);
    }
}

/// The loop behind both kernels; a tail shorter than a vector takes the same operation, padded.
#[inline(always)]
fn zip<S: Simd>(simd: S, op: impl Binary, a: impl Source, b: impl Source, out: &mut [f32]) {
    let (a, b) = (a.cut(out.len()), b.cut(out.len()));
    let (blocks, tail) = out.as_chunks_mut::<LANES>();
    for (i, out) in blocks.iter_mut().enumerate() {
        let y = op.apply(simd, a.block(simd, i, out), b.block(simd, i, out));
        simd.store(y, out);
    }
    if !tail.is_empty() {
        let y = op.apply(simd, a.tail(simd, tail), b.tail(simd, tail));
        simd.store_up_to(y, tail);
    }
}

/// An [`Operand`] as a type, so that the loop is compiled for each.
trait Source: Copy {
    /// The first `n` elements.
    fn cut(self, n: usize) -> Self;
    /// The `i`-th 16 elements.
    fn block<S: Simd>(self, simd: S, i: usize, out: &[f32; LANES]) -> S::F32;
    /// The elements after the last whole 16.
    fn tail<S: Simd>(self, simd: S, out: &[f32]) -> S::F32;
}

#[derive(Clone, Copy)]
struct Slice<'a>(&'a [f32]);
#[derive(Clone, Copy)]
struct Splat(f32);
#[derive(Clone, Copy)]
struct Out;

impl Source for Slice<'_> {
    #[inline(always)]
    fn cut(self, n: usize) -> Self {
        Self(&self.0[..n])
    }
    #[inline(always)]
    fn block<S: Simd>(self, simd: S, i: usize, _: &[f32; LANES]) -> S::F32 {
        simd.load(&self.0.as_chunks().0[i])
    }
    #[inline(always)]
    fn tail<S: Simd>(self, simd: S, _: &[f32]) -> S::F32 {
        simd.load_up_to(self.0.as_chunks::<LANES>().1)
    }
}

impl Source for Splat {
    #[inline(always)]
    fn cut(self, _: usize) -> Self {
        self
    }
    #[inline(always)]
    fn block<S: Simd>(self, simd: S, _: usize, _: &[f32; LANES]) -> S::F32 {
        simd.splat(self.0)
    }
    #[inline(always)]
    fn tail<S: Simd>(self, simd: S, _: &[f32]) -> S::F32 {
        simd.splat(self.0)
    }
}

impl Source for Out {
    #[inline(always)]
    fn cut(self, _: usize) -> Self {
        self
    }
    #[inline(always)]
    fn block<S: Simd>(self, simd: S, _: usize, out: &[f32; LANES]) -> S::F32 {
        simd.load(out)
    }
    #[inline(always)]
    fn tail<S: Simd>(self, simd: S, out: &[f32]) -> S::F32 {
        simd.load_up_to(out)
    }
}
