//! Keys.

use std::ffi::{CStr, c_char};

use elision::Key;

use crate::fault::{Fault, Status, call};
use crate::memory;

/// `elision_key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CKey {
    /// The lower 64 bits.
    pub low: u64,
    /// The upper ones.
    pub high: u64,
}

impl From<Key> for CKey {
    fn from(key: Key) -> Self {
        let bits = key.to_u128();
        Self {
            low: bits as u64,
            high: (bits >> 64) as u64,
        }
    }
}

impl From<CKey> for Key {
    fn from(key: CKey) -> Self {
        Self::from_u128(u128::from(key.low) | u128::from(key.high) << 64)
    }
}

/// The key of a seed.
#[unsafe(no_mangle)]
pub extern "C" fn elision_key_from_seed(seed: u64) -> CKey {
    Key::new(seed).into()
}

/// The `n`-th child of a key.
#[unsafe(no_mangle)]
pub extern "C" fn elision_key_fold_in(key: CKey, n: u64) -> CKey {
    Key::from(key).fold_in(n).into()
}

/// The child of a name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_key_named(
    key: CKey,
    name: *const c_char,
    child: *mut CKey,
) -> Status {
    call(|| {
        // SAFETY: a name that is not null ends with a NUL.
        let name = unsafe { CStr::from_ptr(memory::handle("name", name)?) };
        let name = name
            .to_str()
            .map_err(|error| Fault::new(Status::Value, "name", error))?;
        let named = Key::from(key).named(name);
        // SAFETY: by the header.
        unsafe { memory::put("child", child, named.into()) }
    })
}
