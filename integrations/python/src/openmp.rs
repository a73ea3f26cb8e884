//! The threads of another library of this process: PyTorch's, which are those of OpenMP.
//!
//! A pool of our own beside them would wait for the same processors, since threads of OpenMP spin for a while when
//! their work is done. On theirs, an operator here costs what one of PyTorch's costs to share, and
//! `torch.set_num_threads` holds for both.
#![allow(
    unsafe_code,
    reason = "functions of another library are called here by their address, and nowhere else"
)]

use std::ffi::{c_int, c_uint, c_void};
use std::sync::{Mutex, OnceLock, PoisonError};

use pyo3::prelude::*;

use crate::fault::{Fault, Result};

/// `GOMP_parallel` of GCC's runtime, which LLVM's and Intel's have, too: calls a function with some data on every
/// one of so many threads, and returns when all calls have.
type Parallel = unsafe extern "C" fn(extern "C" fn(*mut c_void), *mut c_void, c_uint, c_uint);
/// How many threads the caller may start.
type Threads = unsafe extern "C" fn() -> c_int;

/// A runtime of OpenMP, and the process that it was found in: a forked child has its memory, but not its threads.
pub(crate) struct OpenMp {
    parallel: Parallel,
    threads: Threads,
    process: u32,
}

static FOUND: OnceLock<OpenMp> = OnceLock::new();

/// The runtime, once it was found.
pub(crate) fn openmp() -> Option<&'static OpenMp> {
    FOUND
        .get()
        .filter(|found| found.process == std::process::id())
}

/// Makes the calls on raw addresses use a runtime of OpenMP, from now on; the first one stays.
///
/// The numbers are the addresses of its function `GOMP_parallel` and of one, without arguments, that returns how many
/// threads the caller may start. Whoever calls this vouches for them, and that their libraries stay loaded.
#[pyfunction]
#[expect(
    clippy::disallowed_methods,
    reason = "nothing else makes a function of an address"
)]
#[pyo3(signature = (parallel, threads, /))]
pub(crate) fn _use_openmp(parallel: usize, threads: usize) -> Result<()> {
    if parallel == 0 || threads == 0 {
        return Err(Fault::value("there is no function at address 0"));
    }
    let process = std::process::id();
    // SAFETY: they are not null, and the caller vouches that functions of these types lie there.
    let (parallel, threads) = unsafe {
        (
            std::mem::transmute::<*const c_void, Parallel>(parallel as *const c_void),
            std::mem::transmute::<*const c_void, Threads>(threads as *const c_void),
        )
    };
    FOUND.get_or_init(|| OpenMp {
        parallel,
        threads,
        process,
    });
    Ok(())
}

/// What the threads of a team do: take items until there are none, or until one fails.
struct Region<I, F> {
    items: Mutex<I>,
    f: F,
    fault: Mutex<Option<Fault>>,
}

impl<I: Iterator, F: Fn(I::Item) -> Result<()>> Region<I, F> {
    fn next(&self) -> Option<I::Item> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.next()
    }

    fn work(&self) {
        while let Some(item) = self.next() {
            if let Err(fault) = (self.f)(item) {
                let mut first = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(fault);
                return;
            }
        }
    }
}

extern "C" fn work<I, F>(region: *mut c_void)
where
    I: Iterator + Send,
    F: Fn(I::Item) -> Result<()> + Sync,
{
    // SAFETY: the address is that of the region which `each` lends to the team. The team has ended when `each` goes on,
    // and shares it by reference alone: the items are sent under a lock, and `f` can be called by several threads.
    let region = unsafe { &*region.cast::<Region<I, F>>() };
    region.work();
}

impl OpenMp {
    /// How many threads the caller may start.
    pub(crate) fn threads(&self) -> usize {
        // SAFETY: a function without arguments, which whoever called `_use_openmp` vouched for.
        let threads = unsafe { (self.threads)() };
        usize::try_from(threads).unwrap_or(1).max(1)
    }

    /// Calls `f`, which must not panic, with each item, on so many threads; the first error is returned.
    pub(crate) fn each<I, F>(&self, threads: usize, items: I, f: F) -> Result<()>
    where
        I: Iterator<Item: Send> + Send,
        F: Fn(I::Item) -> Result<()> + Sync,
    {
        let region = Region {
            items: Mutex::new(items),
            f,
            fault: Mutex::new(None),
        };
        let threads = c_uint::try_from(threads).unwrap_or(1);
        let data = (&raw const region).cast_mut().cast();
        // SAFETY: the function is the runtime's, as was vouched for, and calls `work` with the region it takes, which
        // outlives the call.
        unsafe { (self.parallel)(work::<I, F>, data, threads, 0) };
        let fault = region.fault.into_inner();
        fault
            .unwrap_or_else(PoisonError::into_inner)
            .map_or(Ok(()), Err)
    }
}
