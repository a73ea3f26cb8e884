//! Loading shared libraries.
#![allow(unsafe_code, reason = "what a shared library does cannot be checked")]

use std::path::Path;

use libloading::Library;

use crate::failure::Failure;

/// Loads a shared library for the rest of the process: those of the peers start threads of their own, under
/// which they must not vanish.
pub(crate) fn load(path: &Path) -> Result<&'static Library, Failure> {
    // SAFETY: the initialisers of a numerical library that the user names or has installed are trusted.
    match unsafe { Library::new(path) } {
        Ok(library) => Ok(Box::leak(Box::new(library))),
        Err(source) => Err(Failure::Library {
            path: path.to_owned(),
            source,
        }),
    }
}

/// A function of a library.
///
/// # Safety
/// `F` must be the type of the function that the library has under this name.
pub(crate) unsafe fn function<F: Copy>(
    library: &Library,
    path: &Path,
    name: &str,
) -> Result<F, Failure> {
    // SAFETY: the caller vouches for the type.
    match unsafe { library.get::<F>(name) } {
        Ok(function) => Ok(*function),
        Err(source) => Err(Failure::Library {
            path: path.to_owned(),
            source,
        }),
    }
}
