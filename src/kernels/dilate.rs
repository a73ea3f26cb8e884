//! Packed bits that grow into their neighbours.
//!
//! The loops are over words without a carry from one to the next, so the compiler makes vectors of them under each
//! trampoline.

use crate::simd::{Kernel, Simd};

/// `dst = src | src << shift`, over a string of bits of which `dst` is the words from `first` on.
pub(crate) struct ShiftOr<'a> {
    /// The whole string.
    pub(crate) src: &'a [u64],
    /// Some of its words.
    pub(crate) dst: &'a mut [u64],
    /// The index of the first of them.
    pub(crate) first: usize,
    /// By how many bits, at least one.
    pub(crate) shift: usize,
}

impl Kernel for ShiftOr<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self {
            src,
            dst,
            first,
            shift,
        } = self;
        let (far, bits) = (shift / 64, shift % 64);
        let here = &src[first..first + dst.len()];
        // Words before this one read nothing: the string begins after them.
        let alone = (far + 1).saturating_sub(first).min(dst.len());
        let (head, dst) = dst.split_at_mut(alone);
        for (i, dst) in head.iter_mut().enumerate() {
            let at = first + i;
            *dst = here[i] | if at == far { src[0] << bits } else { 0 };
        }
        let here = &here[alone..];
        let start = first + alone;
        if here.is_empty() {
            return;
        }
        let near = &src[start - far..start - far + here.len()];
        if bits == 0 {
            for ((dst, here), near) in dst.iter_mut().zip(here).zip(near) {
                *dst = here | near;
            }
            return;
        }
        let below = &src[start - far - 1..start - far - 1 + here.len()];
        for (((dst, here), near), below) in dst.iter_mut().zip(here).zip(near).zip(below) {
            *dst = here | near << bits | below >> (64 - bits);
        }
    }
}

/// `dst = !src & dst`.
pub(crate) struct NotAnd<'a> {
    /// The bits to clear.
    pub(crate) src: &'a [u64],
    /// As many words.
    pub(crate) dst: &'a mut [u64],
}

impl Kernel for NotAnd<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (dst, src) in self.dst.iter_mut().zip(self.src) {
            *dst &= !src;
        }
    }
}

/// Inverts all bits and returns how many are 1 then.
pub(crate) struct NotCount<'a>(pub(crate) &'a mut [u64]);

impl Kernel for NotCount<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        let mut count = 0;
        for word in self.0 {
            *word = !*word;
            count += u64::from(word.count_ones());
        }
        count as usize
    }
}
