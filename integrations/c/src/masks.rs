//! Masks.

use elision::{Error, Mask};

use crate::dropout::CDropout;
use crate::fault::{Fault, Status, call};
use crate::memory;
use crate::settings::run;

/// A mask whose words are written by `fill`, after the others of them have been made zero.
fn packed(length: usize, fill: impl FnOnce(&mut [u64])) -> Result<Mask, Fault> {
    let count = length.div_ceil(64);
    let mut words = Vec::new();
    words
        .try_reserve_exact(count)
        .map_err(|_| Fault::within("length", &Error::Overflow("mask")))?;
    words.resize(count, 0);
    fill(&mut words);
    Ok(Mask::from_words(words, length)?)
}

/// A length must be that one.
fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), Fault> {
    if expected == found {
        return Ok(());
    }
    let (what, expected, found) = (what, expected, found);
    Err(Error::Length {
        what,
        expected,
        found,
    }
    .into())
}

/// A mask that drops everything.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_new(length: usize, mask: *mut *mut Mask) -> Status {
    // SAFETY: by the header.
    call(|| unsafe { memory::give("mask", mask, || packed(length, |_| ())) })
}

/// The keep bits of some elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_draw(
    dropout: *const CDropout,
    length: usize,
    mask: *mut *mut Mask,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let dropout = unsafe { CDropout::read(dropout)? };
        let draw = || Ok(run(|| Mask::draw(&dropout, length))?);
        // SAFETY: by the header.
        unsafe { memory::give("mask", mask, draw) }
    })
}

/// Draws the bits of a mask anew.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_redraw(mask: *mut Mask, dropout: *const CDropout) -> Status {
    call(|| {
        // SAFETY: by the header.
        let mask = unsafe { memory::handle_mut("mask", mask)? };
        // SAFETY: by the header.
        let dropout = unsafe { CDropout::read(dropout)? };
        Ok(run(|| mask.redraw(&dropout))?)
    })
}

/// A mask from one byte an element.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_from_bools(
    kept: *const u8,
    length: usize,
    mask: *mut *mut Mask,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let kept = unsafe { memory::elements("kept", kept, length)? };
        let pack = |words: &mut [u64]| {
            for (word, kept) in words.iter_mut().zip(kept.chunks(64)) {
                let bits = (0..).zip(kept).map(|(i, &kept)| u64::from(kept != 0) << i);
                *word = bits.sum();
            }
        };
        // SAFETY: by the header.
        unsafe { memory::give("mask", mask, || packed(length, pack)) }
    })
}

/// A mask from packed words.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_from_words(
    words: *const u64,
    count: usize,
    length: usize,
    mask: *mut *mut Mask,
) -> Status {
    call(|| {
        check_length("words of a mask", length.div_ceil(64), count)?;
        // SAFETY: by the header.
        let words = unsafe { memory::elements("words", words, count)? };
        let make = || packed(length, |to| to.copy_from_slice(words));
        // SAFETY: by the header.
        unsafe { memory::give("mask", mask, make) }
    })
}

/// Frees a mask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_free(mask: *mut Mask) {
    // SAFETY: by the header.
    unsafe { memory::free(mask) };
}

/// The number of elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_length(mask: *const Mask) -> usize {
    // SAFETY: by the header.
    unsafe { mask.as_ref() }.map_or(0, Mask::len)
}

/// The number of elements that are kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_count_kept(mask: *const Mask) -> usize {
    // SAFETY: by the header.
    unsafe { mask.as_ref() }.map_or(0, Mask::count_kept)
}

/// Whether an element is kept; -1 if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_get(mask: *const Mask, i: usize) -> i32 {
    // SAFETY: by the header.
    let kept = unsafe { mask.as_ref() }.and_then(|mask| mask.get(i));
    kept.map_or(-1, i32::from)
}

/// The packed words.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_words(mask: *const Mask) -> *const u64 {
    // SAFETY: by the header.
    let words = unsafe { mask.as_ref() }.map(|mask| mask.as_words().as_ptr());
    words.unwrap_or_default()
}

/// Writes one byte an element.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_to_bools(
    mask: *const Mask,
    kept: *mut u8,
    length: usize,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let mask = unsafe { memory::handle("mask", mask)? };
        check_length("kept", mask.len(), length)?;
        // SAFETY: by the header.
        let kept = unsafe { memory::elements_mut("kept", kept, length)? };
        for (kept, word) in kept.chunks_mut(64).zip(mask.as_words()) {
            for (i, kept) in kept.iter_mut().enumerate() {
                *kept = (word >> i & 1) as u8;
            }
        }
        Ok(())
    })
}

/// Writes the packed bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_mask_to_bytes(
    mask: *const Mask,
    bytes: *mut u8,
    count: usize,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let mask = unsafe { memory::handle("mask", mask)? };
        check_length("bytes of a mask", mask.len().div_ceil(8), count)?;
        // SAFETY: by the header.
        let bytes = unsafe { memory::elements_mut("bytes", bytes, count)? };
        for (bytes, word) in bytes.chunks_mut(8).zip(mask.as_words()) {
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
        Ok(())
    })
}
