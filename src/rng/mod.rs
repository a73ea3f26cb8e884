//! Random streams in registers: eight lanes of xoshiro256++ for each block of 4,096 elements, and the
//! exact Bernoulli comparator; numbers of other laws from the same lanes. Everything in this folder influences the random stream, which is frozen
//! as "stream v1": `docs/determinism.md` specifies it, `reference::stream` repeats it naively, and the
//! digests in `tests/golden/` guard it.

mod bernoulli;
mod digits;
mod law;
#[cfg(test)]
mod tests;
mod xoshiro;

pub(crate) use bernoulli::Bernoulli;
pub(crate) use law::{Centred, Law, Normal, PAIR, Unit};
pub(crate) use xoshiro::Xoshiro;

/// Elements of a block: each block of a key has a generator of its own.
pub(crate) const BLOCK: usize = 4096;
/// Elements of a group: what eight lanes of 64 bits decide at a time.
pub(crate) const GROUP: usize = 512;
