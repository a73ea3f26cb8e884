//! Calls on raw addresses, for packages that hold tensors of their own.
//!
//! Whoever calls one of them vouches for the memory: it is there for the whole call, holds initialised elements, and is
//! neither written by others nor, where it is an output, read by them.
#![allow(
    clippy::too_many_arguments,
    reason = "positional numbers are what a call from Python costs least with"
)]

mod elements;
mod from_c;
mod gradients;
mod groups;
mod linear;
mod memory;
mod parts;

pub(crate) use elements::*;
pub(crate) use from_c::*;
pub(crate) use gradients::*;
pub(crate) use groups::*;
pub(crate) use linear::*;

use elision::{Dropout, Key};

use crate::dropout::check_end;
use crate::fault::Result;

/// The dropout of a key's two halves, for so many decisions.
fn dropout_of((low, high): (u64, u64), p: f64, offset: u64, decisions: usize) -> Result<Dropout> {
    let key = Key::from_u128(u128::from(low) | u128::from(high) << 64);
    check_end(offset, decisions)?;
    Ok(Dropout::new(key, p)?.with_offset(offset))
}
