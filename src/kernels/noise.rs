//! Random numbers of a law, combined with an input as they are drawn, so that none of them meets memory.

use super::elementwise::Binary;
use crate::key::Key;
use crate::rng::{BLOCK, Law, PAIR, Xoshiro};
use crate::simd::{Kernel, LANES, Simd};

/// `n` itself: the numbers alone.
#[derive(Clone, Copy)]
pub(crate) struct Number;

impl Binary for Number {
    #[inline(always)]
    fn apply<S: Simd>(self, _: S, _: S::F32, n: S::F32) -> S::F32 {
        n
    }
}

/// `x * (1 + spread * n)`.
#[derive(Clone, Copy)]
pub(crate) struct Times(pub(crate) f32);

impl Binary for Times {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::F32, n: S::F32) -> S::F32 {
        let factor = simd.add(simd.splat(1.0), simd.mul(simd.splat(self.0), n));
        simd.mul(x, factor)
    }
}

/// `x + spread * n`.
#[derive(Clone, Copy)]
pub(crate) struct Plus(pub(crate) f32);

impl Binary for Plus {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::F32, n: S::F32) -> S::F32 {
        simd.add(x, simd.mul(simd.splat(self.0), n))
    }
}

/// `out = op(x, n)`, where n are the numbers of a key from block `block` on.
pub(crate) struct Noisy<'a, L, O> {
    /// What the numbers are a function of.
    pub(crate) key: Key,
    /// The block of `out[0]`.
    pub(crate) block: u64,
    /// Which numbers.
    pub(crate) law: L,
    /// What is done with an element and its number.
    pub(crate) op: O,
    /// The input, or `None` to work in place.
    pub(crate) x: Option<&'a [f32]>,
    /// The output, as long as the input.
    pub(crate) out: &'a mut [f32],
}

impl<L: Law, O: Binary> Kernel for Noisy<'_, L, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (law, op) = (self.law, self.op);
        for (i, out) in self.out.chunks_mut(BLOCK).enumerate() {
            let generator = Xoshiro::new(simd, self.key, self.block + i as u64);
            match self.x {
                Some(x) => {
                    let x = &x[BLOCK * i..BLOCK * i + out.len()];
                    from_input(simd, (law, op), generator, x, out);
                }
                None => in_place(simd, (law, op), generator, out),
            }
        }
    }
}

/// One block, out of place.
#[inline(always)]
fn from_input<S: Simd, L: Law, O: Binary>(
    simd: S,
    (law, op): (L, O),
    mut generator: Xoshiro<S>,
    x: &[f32],
    out: &mut [f32],
) {
    let (pairs, tail) = out.as_chunks_mut::<PAIR>();
    let (x_pairs, x_tail) = x.as_chunks::<PAIR>();
    for (out, x) in pairs.iter_mut().zip(x_pairs) {
        let numbers = law.pair(simd, &mut generator);
        let lines = out.as_chunks_mut::<LANES>().0.iter_mut();
        for (i, (out, x)) in lines.zip(x.as_chunks::<LANES>().0).enumerate() {
            simd.store(op.apply(simd, simd.load(x), numbers[i]), out);
        }
    }
    if !tail.is_empty() {
        let numbers = law.pair(simd, &mut generator);
        let lines = tail.chunks_mut(LANES).zip(x_tail.chunks(LANES));
        for (i, (out, x)) in lines.enumerate() {
            let y = op.apply(simd, simd.load_up_to(x), numbers[i]);
            simd.store_up_to(y, out);
        }
    }
}

/// One block, in place.
#[inline(always)]
fn in_place<S: Simd, L: Law, O: Binary>(
    simd: S,
    (law, op): (L, O),
    mut generator: Xoshiro<S>,
    out: &mut [f32],
) {
    let (pairs, tail) = out.as_chunks_mut::<PAIR>();
    for out in pairs {
        let numbers = law.pair(simd, &mut generator);
        for (i, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            simd.store(op.apply(simd, simd.load(out), numbers[i]), out);
        }
    }
    if !tail.is_empty() {
        let numbers = law.pair(simd, &mut generator);
        for (i, out) in tail.chunks_mut(LANES).enumerate() {
            let y = op.apply(simd, simd.load_up_to(out), numbers[i]);
            simd.store_up_to(y, out);
        }
    }
}
