//! From the caller's pointers to references. Null and unaligned ones are errors; that the others point to what
//! the header says is the caller's part, and the contract of every unsafe function here.

use std::fmt::Display;
use std::slice;

use crate::fault::{Fault, Status};

/// A pointer that can be used.
fn check<T>(what: impl Display, pointer: *const T) -> Result<(), Fault> {
    if pointer.is_null() {
        return Err(Fault::new(Status::Null, what, "a null pointer"));
    }
    if !pointer.is_aligned() {
        return Err(Fault::new(
            Status::Layout,
            what,
            "a pointer that is not aligned",
        ));
    }
    Ok(())
}

/// A struct of the caller.
///
/// # Safety
/// A pointer that is not null points to a `T`, any bytes of which are one.
pub(crate) unsafe fn copy<T: Copy>(what: impl Display, pointer: *const T) -> Result<T, Fault> {
    check(what, pointer)?;
    // SAFETY: by the contract.
    Ok(unsafe { pointer.read() })
}

/// Writes a number of the caller's.
///
/// # Safety
/// A pointer that is not null points to memory for a `T`.
pub(crate) unsafe fn put<T: Copy>(
    what: impl Display,
    pointer: *mut T,
    value: T,
) -> Result<(), Fault> {
    check(what, pointer)?;
    // SAFETY: by the contract.
    unsafe { pointer.write(value) };
    Ok(())
}

/// `len` elements that are read. With none, the pointer may be null.
///
/// # Safety
/// A pointer that is not null points to `len` elements, any bytes of which are one, and nobody writes them for `'a`.
pub(crate) unsafe fn elements<'a, T: Copy>(
    what: impl Display,
    pointer: *const T,
    len: usize,
) -> Result<&'a [T], Fault> {
    if len == 0 {
        return Ok(&[]);
    }
    check_bytes::<T>(&what, len)?;
    check(what, pointer)?;
    // SAFETY: not null, aligned, at most `isize::MAX` bytes; the rest is the contract.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// `len` elements that are written. With none, the pointer may be null.
///
/// # Safety
/// As [`elements`], and nobody else reads them for `'a`.
pub(crate) unsafe fn elements_mut<'a, T: Copy>(
    what: impl Display,
    pointer: *mut T,
    len: usize,
) -> Result<&'a mut [T], Fault> {
    if len == 0 {
        return Ok(&mut []);
    }
    check_bytes::<T>(&what, len)?;
    check(what, pointer)?;
    // SAFETY: not null, aligned, at most `isize::MAX` bytes; the rest is the contract.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, len) })
}

fn check_bytes<T>(what: impl Display, len: usize) -> Result<(), Fault> {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if bytes <= isize::MAX as usize => Ok(()),
        _ => Err(Fault::new(Status::Overflow, what, "the size overflows")),
    }
}

/// What a handle stands for.
///
/// # Safety
/// A pointer that is not null came from [`give`], has not been freed, and nobody writes it for `'a`.
pub(crate) unsafe fn handle<'a, T>(what: impl Display, handle: *const T) -> Result<&'a T, Fault> {
    check(what, handle)?;
    // SAFETY: by the contract.
    Ok(unsafe { &*handle })
}

/// The same, to be changed.
///
/// # Safety
/// As [`handle`], and nobody else reads it for `'a`.
pub(crate) unsafe fn handle_mut<'a, T>(
    what: impl Display,
    handle: *mut T,
) -> Result<&'a mut T, Fault> {
    check(what, handle)?;
    // SAFETY: by the contract.
    Ok(unsafe { &mut *handle })
}

/// Makes a handle; what it stands for is made only if there is a place for the handle.
///
/// # Safety
/// A pointer that is not null points to memory for a pointer.
pub(crate) unsafe fn give<T>(
    what: impl Display,
    place: *mut *mut T,
    make: impl FnOnce() -> Result<T, Fault>,
) -> Result<(), Fault> {
    check(what, place)?;
    let made = Box::into_raw(Box::new(make()?));
    // SAFETY: by the contract.
    unsafe { place.write(made) };
    Ok(())
}

/// Frees what a handle stands for; nothing of null.
///
/// # Safety
/// A pointer that is not null came from [`give`], has not been freed, and nobody uses it any more.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: by the contract.
        drop(unsafe { Box::from_raw(handle) });
    }
}
