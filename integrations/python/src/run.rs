//! Where the library is called: on which threads, with which instruction set, with or without the interpreter.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use elision::Isa;
use pyo3::Python;

use crate::fault::{Fault, Result};
use crate::openmp::openmp;
use crate::{isa, threads};

/// How much work a call is, which decides whether it is worth to let other Python threads run meanwhile, and to hand
/// it over to a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// As much as a scaled copy of so many numbers.
    Elements(usize),
    /// A product of so many multiply-adds.
    Product(usize),
}

/// Elements that take some microseconds. To release the interpreter takes a tenth of one, but to get it back while
/// another thread computes can take milliseconds.
const RELEASED: usize = 1 << 15;
/// Elements that take tens of microseconds: to hand work to a pool whose threads sleep, and to be woken when it is done,
/// takes as long.
const SHARED: usize = 1 << 18;
/// Multiply-adds that take as long.
const SHARED_PRODUCT: usize = 1 << 21;
/// Elements that are worth a thread of OpenMP, which has not gone to sleep: as many as PyTorch finds worth it.
const GRAIN: usize = 1 << 15;
/// Pieces begin at multiples of this, so that each owns whole words of a mask.
const ALIGN: usize = 1 << 12;
/// Pieces for each thread, so that a thread that is late can be helped.
const PIECES_PER_THREAD: usize = 4;

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
    let f = move || caught(chosen, f);
    match work.place(1) {
        Place::Here => f(),
        _ => {
            let pool = threads::current();
            match work.place(pool.threads()) {
                Place::Pool => py.detach(|| pool.install(f))?,
                _ => py.detach(f),
            }
        }
    }
}

/// Runs an elementwise call on `n` elements: calls `f` with what `cut` makes of them, pieces of about the length that
/// it is given. Its threads are OpenMP's where those were found, and otherwise the pool's.
pub(crate) fn run_in_pieces<I: Iterator<Item: Send> + Send>(
    py: Python<'_>,
    n: usize,
    cut: impl FnOnce(usize) -> I + Send,
    f: impl Fn(I::Item) -> elision::Result<()> + Sync + Send,
) -> Result<()> {
    match Work::Elements(n).place(1) {
        Place::Here => share(n, cut, f),
        _ => py.detach(|| share(n, cut, f)),
    }
}

/// The same for a caller that has released the interpreter, or never had it.
pub(crate) fn share<I: Iterator<Item: Send> + Send>(
    n: usize,
    cut: impl FnOnce(usize) -> I + Send,
    f: impl Fn(I::Item) -> elision::Result<()> + Sync + Send,
) -> Result<()> {
    let chosen = isa::chosen();
    if let Some(openmp) = openmp() {
        let threads = openmp.threads();
        let f = |piece| caught(chosen, || f(piece));
        let len = piece_len(n, threads);
        return match len < n {
            true => openmp.each(threads, cut(len), f),
            false => cut(len).try_for_each(f),
        };
    }
    let alone = || caught(chosen, || cut(n.max(1)).try_for_each(&f));
    let pool = threads::current();
    match Work::Elements(n).place(pool.threads()) {
        Place::Pool => pool.install(alone)?,
        _ => alone(),
    }
}

/// Runs a product: calls `f` with the parts that `cut` makes for so many threads. Those are OpenMP's where they were
/// found; otherwise there is one part, which the pool's threads share.
pub(crate) fn run_in_parts<I: Iterator<Item: Send> + Send>(
    py: Python<'_>,
    work: Work,
    cut: impl FnOnce(usize) -> I + Send,
    f: impl Fn(I::Item) -> elision::Result<()> + Sync + Send,
) -> Result<()> {
    match (openmp(), work.place(1)) {
        (None, _) | (_, Place::Here) => run(py, work, || cut(1).try_for_each(&f)),
        (Some(openmp), _) => {
            let (chosen, threads) = (isa::chosen(), openmp.threads());
            let f = |part| caught(chosen, || f(part));
            py.detach(|| openmp.each(threads, cut(threads), f))
        }
    }
}

/// How many of `n` elements one piece has: all of them where sharing does not pay.
fn piece_len(n: usize, threads: usize) -> usize {
    if threads < 2 || n < 2 * GRAIN {
        return n.max(1);
    }
    let fair = n.div_ceil(threads.saturating_mul(PIECES_PER_THREAD));
    fair.max(GRAIN).next_multiple_of(ALIGN)
}

/// Calls the library with the instruction set that was chosen, and makes an error of a panic.
fn caught<R>(chosen: Option<Isa>, f: impl FnOnce() -> elision::Result<R>) -> Result<R> {
    let f = AssertUnwindSafe(|| match chosen {
        Some(isa) => isa.install(f),
        None => f(),
    });
    Ok(catch_unwind(f).map_err(panicked)??)
}

fn panicked(payload: Box<dyn Any + Send>) -> Fault {
    let words = payload
        .downcast_ref::<&str>()
        .map(|&words| words.to_owned());
    let words = words.or_else(|| payload.downcast_ref::<String>().cloned());
    Fault::Panic(words.unwrap_or_default())
}
