//! MKL's generator of Bernoulli numbers, a 32-bit integer each.
#![allow(unsafe_code, reason = "C functions that are found at run time")]

use std::ffi::{c_int, c_uint, c_void};
use std::path::Path;
use std::ptr::null_mut;

use libloading::Library;

use crate::failure::Failure;
use crate::library::function;
use crate::peer::{Local, Run};
use crate::work::RATE;

/// `VSL_BRNG_ARS5`: of MKL's generators the fastest one here, twice as fast as PyTorch's choice, MCG31.
const ARS5: c_int = 15 << 20;
/// `VSL_RNG_METHOD_BERNOULLI_ICDF`.
const ICDF: c_int = 0;
const SEED: c_uint = 1;

type Stream = *mut c_void;
type NewStream = unsafe extern "C" fn(*mut Stream, c_int, c_uint) -> c_int;
type Bernoulli = unsafe extern "C" fn(c_int, Stream, c_int, *mut c_int, f64) -> c_int;

/// The two functions.
#[derive(Clone, Copy)]
pub(super) struct MklRandom {
    new_stream: NewStream,
    bernoulli: Bernoulli,
}

/// Finds them in MKL's library.
pub(super) fn load(library: &Library, path: &Path) -> Result<MklRandom, Failure> {
    // SAFETY: the types are those of mkl_vsl_functions.h.
    unsafe {
        Ok(MklRandom {
            new_stream: function(library, path, "vslNewStream")?,
            bernoulli: function(library, path, "viRngBernoulli")?,
        })
    }
}

impl MklRandom {
    /// A stream, which lives as long as the process, and `n` numbers from it at each call.
    pub(super) fn prepare(self, n: usize) -> Result<Option<Box<dyn Run>>, Failure> {
        let mut stream = null_mut();
        // SAFETY: the stream's place outlives the call.
        accept(unsafe { (self.new_stream)(&raw mut stream, ARS5, SEED) })?;
        let call = move |kept: &mut Vec<c_int>| {
            let len = kept.len() as c_int;
            // SAFETY: the stream was made above and is used by this thread alone; the buffer has `len` places.
            accept(unsafe { (self.bernoulli)(ICDF, stream, len, kept.as_mut_ptr(), 1.0 - RATE) })
        };
        let answer = |kept: &mut Vec<c_int>| Ok(vec![kept.iter().map(|&one| one as f32).collect()]);
        Ok(Local::boxed(vec![0; n], call, answer))
    }
}

/// Zero is success.
fn accept(status: c_int) -> Result<(), Failure> {
    if status == 0 {
        return Ok(());
    }
    Err(Failure::Peer {
        peer: "MKL",
        message: format!("its random numbers end with status {status}"),
    })
}
