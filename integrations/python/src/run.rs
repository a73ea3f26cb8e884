//! Where the library is called: on which threads, with which instruction set, with or without the interpreter.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::Python;

use crate::fault::{Fault, Result};
use crate::isa;
use crate::threads;

/// How much work a call is, which decides whether it is worth to let other Python threads run meanwhile, and to hand
/// it over to a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// As much as a scaled copy of so many numbers.
    Elements(usize),
    /// A product of so many multiply-adds.
    Product(usize),
    /// The products of a backward pass, whose sums over columns are always shared.
    Shared,
}

/// Elements that take some microseconds. To release the interpreter takes a tenth of one, but to get it back while
/// another thread computes can take milliseconds.
const RELEASED: usize = 1 << 15;
/// Elements from which on the library shares its work.
const SHARED: usize = 1 << 16;
/// Multiply-adds that take some microseconds, from which on the library shares a product.
const SHARED_PRODUCT: usize = 1 << 19;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On the caller's thread, which keeps the interpreter.
    Here,
    /// On the caller's thread, while other Python threads run.
    Released,
    /// On the threads of a pool.
    Pool,
}

impl Work {
    fn place(self, threads: usize) -> Place {
        match self {
            Self::Elements(n) if n < RELEASED => Place::Here,
            Self::Elements(n) if n < SHARED || threads == 1 => Place::Released,
            Self::Product(n) if n < SHARED_PRODUCT => Place::Here,
            _ => Place::Pool,
        }
    }
}

/// Runs a call of the library. A panic becomes an error, here and nowhere else.
pub(crate) fn run<R: Send>(
    py: Python<'_>,
    work: Work,
    f: impl FnOnce() -> elision::Result<R> + Send,
) -> Result<R> {
    let chosen = isa::chosen();
    let f = move || {
        let f = AssertUnwindSafe(move || match chosen {
            Some(isa) => isa.install(f),
            None => f(),
        });
        catch_unwind(f).map_err(panicked)
    };
    let result = match work.place(1) {
        Place::Here => f(),
        _ => {
            let pool = threads::current();
            match work.place(pool.threads()) {
                Place::Pool => py.detach(|| pool.install(f))?,
                _ => py.detach(f),
            }
        }
    };
    Ok(result??)
}

fn panicked(payload: Box<dyn Any + Send>) -> Fault {
    let words = payload
        .downcast_ref::<&str>()
        .map(|&words| words.to_owned());
    let words = words.or_else(|| payload.downcast_ref::<String>().cloned());
    Fault::Panic(words.unwrap_or_default())
}
