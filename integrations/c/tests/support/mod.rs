//! The body of the fuzz target, shared with `tests/regressions.rs`.

#[path = "../../../../tests/support/fuzz/bytes.rs"]
#[allow(dead_code, reason = "other targets use more of it")]
mod bytes;
pub(crate) mod c_abi;
mod layers;
mod tensors;
