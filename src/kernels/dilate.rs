//! Packed bits that grow into their neighbours.
//!
//! The loops are over words without a carry from one to the next, so the compiler makes vectors of them under each
//! trampoline.

use crate::simd::{Kernel, Simd};

/// `dst = src | src << shift` for strings of bits of one length.
pub(crate) struct ShiftOr<'a> {
    pub(crate) src: &'a [u64],
    pub(crate) dst: &'a mut [u64],
    /// By how many bits, at least one.
    pub(crate) shift: usize,
}

impl Kernel for ShiftOr<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { src, dst, shift } = self;
        let (far, bits) = (shift / 64, shift % 64);
        // The first words read nothing before the string, or its first word alone.
        let alone = (far + 1).min(dst.len());
        let (head, dst) = dst.split_at_mut(alone);
        head.copy_from_slice(&src[..alone]);
        if let Some(last) = head.get_mut(far) {
            *last |= src[0] << bits;
        }
        if dst.is_empty() {
            return;
        }
        // All as long as `dst`, or the loops are not made of vectors.
        let n = dst.len();
        let (below, near, here) = (&src[..n], &src[1..=n], &src[far + 1..][..n]);
        if bits == 0 {
            for ((dst, here), near) in dst.iter_mut().zip(here).zip(near) {
                *dst = here | near;
            }
        } else {
            for (((dst, here), near), below) in dst.iter_mut().zip(here).zip(near).zip(below) {
                *dst = here | near << bits | below >> (64 - bits);
            }
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
