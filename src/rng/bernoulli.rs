//! Exact Bernoulli bits, 512 at a time.
//!
//! Element i is kept if u >= p, where u in [0, 1) has random binary digits. The comparison needs u's
//! digits only up to the first that differs from p's, so it goes digit by digit, most significant first,
//! on 512 elements at once: one draw gives each its next digit. A digit of 1 in p drops the undecided
//! elements whose own digit is 0; a digit of 0 keeps those whose own is 1. An element that is undecided
//! after p's last digit equals p so far and is kept. Nothing is rounded: P(dropped) is p.
//!
//! Where the loop stops decides where the next group's digits come from, so it is part of the stream:
//! after p's last digit, or before it as soon as at least [`UNTESTED`] digits were drawn and no element
//! of the 512 is undecided.

use super::digits::Digits;
use super::xoshiro::Xoshiro;
use crate::key::Key;
use crate::simd::Simd;

/// Digits that are always drawn (if p has so many). One group in fifty is decided by fewer, and a test
/// that nearly always fails is a waste.
const UNTESTED: u32 = 8;

/// A drop probability, ready to be drawn.
#[derive(Clone, Copy)]
pub(crate) enum Bernoulli {
    /// p = 0: everything is kept, nothing is drawn.
    All,
    /// p = 1: nothing is kept, nothing is drawn.
    None,
    /// The digits of any other p.
    Digits(Digits),
}

impl Bernoulli {
    /// From a drop probability in [0, 1].
    pub(crate) fn new(p: f64) -> Self {
        if p <= 0.0 {
            Self::All
        } else if p >= 1.0 {
            Self::None
        } else {
            Self::Digits(Digits::new(p))
        }
    }

    /// Whether bits are more than the generator's own: compared with p, digit by digit.
    #[inline(always)]
    pub(crate) fn compares(self) -> bool {
        matches!(self, Self::Digits(digits) if digits.count() > 1)
    }

    /// The generator of block `block`.
    #[inline(always)]
    pub(crate) fn start<S: Simd>(self, simd: S, key: Key, block: u64) -> Groups<S> {
        Groups {
            simd,
            what: self,
            generator: Xoshiro::new(simd, key, block),
        }
    }
}

/// The groups of one block, in order.
pub(crate) struct Groups<S: Simd> {
    simd: S,
    what: Bernoulli,
    generator: Xoshiro<S>,
}

impl<S: Simd> Groups<S> {
    /// The keep bits of the next 512 elements.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> S::U64 {
        match self.what {
            Bernoulli::All => self.simd.u64_splat(!0),
            Bernoulli::None => self.simd.u64_splat(0),
            // With one digit (p = 0.5) a random bit is the answer.
            Bernoulli::Digits(_) if !self.what.compares() => self.generator.next(self.simd),
            Bernoulli::Digits(digits) => compare(self.simd, &mut self.generator, digits),
        }
    }
}

#[inline(always)]
fn compare<S: Simd>(simd: S, generator: &mut Xoshiro<S>, digits: Digits) -> S::U64 {
    let mut undecided = simd.u64_splat(!0);
    let mut kept = simd.u64_splat(0);
    for i in 0..digits.count() {
        let random = generator.next(simd);
        if digits.get(i) {
            undecided = simd.u64_and(undecided, random);
        } else {
            kept = simd.u64_or(kept, simd.u64_and(undecided, random));
            undecided = simd.u64_and_not(undecided, random);
        }
        if i + 1 >= UNTESTED && simd.u64_is_zero(undecided) {
            break;
        }
    }
    simd.u64_or(kept, undecided)
}
