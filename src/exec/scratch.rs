//! Buffers that each thread keeps between calls, so that a steady state allocates nothing.

use std::cell::{Cell, RefCell};

use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::simd::LANES;

thread_local! {
    /// One for each depth of nesting, the outermost last.
    static BUFFERS: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
    static MASK: Cell<Option<Mask>> = const { Cell::new(None) };
}

/// Calls `f` with `len` elements of scratch that begin on a cache line; what they hold is unspecified.
/// A nested call gets a buffer of its own, the same one each time.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < len + LANES {
        buffer.resize(len + LANES, 0.0);
    }
    // `align_offset` may decline to answer; alignment is for speed only.
    let skip = buffer.as_ptr().align_offset(64).min(LANES);
    let result = f(&mut buffer[skip..skip + len]);
    BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
    result
}

/// Gets the memory of the next [`with_scratch`] of `len` elements: an error where the machine refuses it, for
/// sizes that are not those of an operand.
pub(crate) fn reserve_scratch(len: usize) -> Result<()> {
    let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    let len = len.saturating_add(LANES);
    let reserved = buffer.try_reserve_exact(len.saturating_sub(buffer.len()));
    BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
    reserved.map_err(|_| Error::Overflow("scratch"))
}

/// The same for `len` elements of f64, which `what` names if there are too many.
pub(crate) fn with_f64_scratch<R>(
    what: &'static str,
    len: usize,
    f: impl FnOnce(&mut [f64]) -> R,
) -> Result<R> {
    // One takes two elements of f32, and the first may have to begin one further on.
    let room = len.checked_mul(2).and_then(|room| room.checked_add(1));
    let room = room.ok_or(Error::Overflow(what))?;
    Ok(with_scratch(room, |scratch| {
        let (_, scratch, _) = bytemuck::pod_align_to_mut::<f32, f64>(scratch);
        f(&mut scratch[..len])
    }))
}

/// Calls `f` with a mask that drops all of `len` elements, in memory that this thread keeps: as much as the
/// longest mask it ever asked for. A nested call gets a mask of its own.
pub(crate) fn with_mask<R>(len: usize, f: impl FnOnce(&mut Mask) -> R) -> R {
    let mut mask = MASK.take().unwrap_or_default();
    mask.reset(len);
    let result = f(&mut mask);
    MASK.set(Some(mask));
    result
}
