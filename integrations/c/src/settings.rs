//! What a thread has chosen for its calls: a pool of threads and an instruction set.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char};
use std::sync::Arc;

use elision::{Isa, Level};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::fault::{Fault, Status, call};
use crate::memory;

/// `elision_pool`: the threads end with the last one that refers to them.
pub struct Pool(Arc<ThreadPool>);

thread_local! {
    static POOL: RefCell<Option<Arc<ThreadPool>>> = const { RefCell::new(None) };
    static ISA: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// Does work of the library as this thread has chosen.
pub(crate) fn run<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let isa = ISA.get();
    let work = || match isa {
        Some(isa) => isa.install(work),
        None => work(),
    };
    match POOL.with_borrow(Option::clone) {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// The most threads of a pool.
const MOST: usize = 65_535;

/// Starts a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_pool_new(threads: usize, pool: *mut *mut Pool) -> Status {
    let start = || {
        if !(1..=MOST).contains(&threads) {
            let why = format_args!("{threads} is not within 1 to {MOST}");
            return Err(Fault::new(Status::Value, "threads", why));
        }
        let started = ThreadPoolBuilder::new().num_threads(threads).build();
        let started = started.map_err(|error| Fault::new(Status::Threads, "threads", error))?;
        Ok(Pool(Arc::new(started)))
    };
    // SAFETY: by the header.
    call(|| unsafe { memory::give("pool", pool, start) })
}

/// Frees the handle of a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_pool_free(pool: *mut Pool) {
    // SAFETY: by the header.
    unsafe { memory::free(pool) };
}

/// The number of threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_pool_threads(pool: *const Pool) -> usize {
    // SAFETY: by the header.
    unsafe { pool.as_ref() }.map_or(0, |pool| pool.0.current_num_threads())
}

/// Makes the calls of this thread use a pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_use_pool(pool: *const Pool) -> Status {
    call(|| {
        // SAFETY: by the header.
        let chosen = unsafe { pool.as_ref() }.map(|pool| Arc::clone(&pool.0));
        POOL.replace(chosen);
        Ok(())
    })
}

fn level(isa: i32) -> Option<Level> {
    usize::try_from(isa)
        .ok()
        .and_then(|i| Level::ALL.get(i))
        .copied()
}

/// The best instruction set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_isa_best(isa: *mut i32) -> Status {
    call(|| {
        let best = Isa::best()?.level();
        // SAFETY: by the header.
        unsafe { memory::put("isa", isa, best as i32) }
    })
}

/// Whether this processor has an instruction set.
#[unsafe(no_mangle)]
pub extern "C" fn elision_isa_available(isa: i32) -> i32 {
    let available = level(isa).is_some_and(|level| Isa::new(level).is_ok());
    i32::from(available)
}

/// The word for an instruction set.
#[unsafe(no_mangle)]
pub extern "C" fn elision_isa_name(isa: i32) -> *const c_char {
    let name = level(isa).map(|level| match level {
        Level::Scalar => c"scalar",
        Level::Portable => c"portable",
        Level::Avx2 => c"avx2",
        Level::Avx512 => c"avx512",
    });
    name.map(CStr::as_ptr).unwrap_or_default()
}

/// Makes the calls of this thread use an instruction set.
#[unsafe(no_mangle)]
pub extern "C" fn elision_use_isa(isa: i32) -> Status {
    const BEST: i32 = -1;
    call(|| {
        let chosen = match level(isa) {
            Some(level) => Some(Isa::new(level).map_err(|e| Fault::within("isa", &e))?),
            None if isa == BEST => None,
            None => {
                let why = format_args!("there is no instruction set {isa}");
                return Err(Fault::new(Status::Value, "isa", why));
            }
        };
        ISA.set(chosen);
        Ok(())
    })
}
