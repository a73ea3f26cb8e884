//! Addresses of a caller as slices.
#![allow(
    unsafe_code,
    reason = "an address of a caller becomes a slice here, and nowhere else"
)]

use std::ops::Range;

use crate::fault::{Fault, Result};
use crate::mask::count;

/// Memory of a caller: `len` elements from an address on.
///
/// Whoever calls a function of [`super`] vouches that the memory is there for the whole call, holds initialised
/// elements, and is neither written by others nor, where it is an output, read by them.
#[derive(Clone, Copy)]
pub(super) struct Memory<T> {
    name: &'static str,
    address: *mut T,
    len: usize,
}

impl<T> Memory<T> {
    pub(super) fn new(name: &'static str, address: usize, len: usize) -> Result<Self> {
        let bytes = len.checked_mul(size_of::<T>());
        let end = bytes.and_then(|bytes| address.checked_add(bytes));
        let fits = bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok()) && end.is_some();
        let address = address as *mut T;
        if len > 0 && (address.is_null() || !address.is_aligned() || !fits) {
            return Err(Fault::value(format!(
                "{name}: {len} elements cannot lie at address {address:?}"
            )));
        }
        Ok(Self { name, address, len })
    }

    fn extent(&self) -> Range<usize> {
        let start = self.address as usize;
        start..start + self.len * size_of::<T>()
    }

    /// An error unless this memory lies apart from the other.
    pub(super) fn check_apart<U>(&self, other: &Memory<U>) -> Result<()> {
        let (a, b) = (self.extent(), other.extent());
        if a.start < b.end && b.start < a.end {
            return Err(Fault::value(format!(
                "{} overlaps {}",
                self.name, other.name
            )));
        }
        Ok(())
    }

    /// The elements, to be read.
    pub(super) fn read<'a>(self) -> &'a [T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the address is aligned and not null, and the size fits; the caller of the function of Python vouches
        // for the elements and that nobody writes them during the call. No output of the same call overlaps them:
        // each function checks.
        unsafe { std::slice::from_raw_parts(self.address, self.len) }
    }

    /// The elements, to be written.
    pub(super) fn write<'a>(self) -> &'a mut [T] {
        if self.len == 0 {
            return &mut [];
        }
        // SAFETY: as for `read`; the caller vouches that nobody else uses the elements during the call. Each function
        // calls this once for one memory, and checks that it lies apart from what else it uses.
        unsafe { std::slice::from_raw_parts_mut(self.address, self.len) }
    }
}

/// A matrix, or a vector, of a caller.
pub(super) fn memory(name: &'static str, address: usize, shape: &[usize]) -> Result<Memory<f32>> {
    Memory::new(name, address, count(shape)?)
}

/// Source and destination of an elementwise call: apart, or one and the same.
pub(super) struct Pair {
    pub(super) x: Option<&'static [f32]>,
    pub(super) y: &'static mut [f32],
}

impl Pair {
    pub(super) fn new(src: usize, dst: usize, n: usize) -> Result<Self> {
        let (x, y) = (Memory::new("src", src, n)?, Memory::new("dst", dst, n)?);
        if src == dst {
            return Ok(Self {
                x: None,
                y: y.write(),
            });
        }
        y.check_apart(&x)?;
        Ok(Self {
            x: Some(x.read()),
            y: y.write(),
        })
    }

    /// The pair in pieces of `len > 0` elements, each with the number of its first one. Of nothing there is no piece.
    pub(super) fn cut(self, len: usize) -> impl Iterator<Item = (usize, Self)> + Send {
        let Self { x, y } = self;
        y.chunks_mut(len).enumerate().map(move |(i, y)| {
            let x = x.map(|x| &x[i * len..i * len + y.len()]);
            (i * len, Self { x, y })
        })
    }
}
