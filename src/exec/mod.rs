//! Execution: which instruction set, how work is cut, who does it.
//!
//! The instruction set is chosen once for each operation, on the caller's thread, and travels with the
//! work. Threads are the ambient rayon pool's: the global one, or the one whose `install` the caller is
//! in; this crate never builds or resizes one. How work is cut never decides a result.

mod batch;
mod isa;
mod product;
mod rows;
mod scratch;
mod share;
mod sums;

pub(crate) use batch::{Batch, products};
pub(crate) use isa::current_isa;
pub(crate) use product::{Job, column_sums, product};
pub(crate) use rows::{
    for_each_piece_of_rows, for_each_rows, for_each_rows_and_item, for_each_rows_of_two,
};
pub(crate) use scratch::{reserve_scratch, with_f64_scratch, with_mask, with_scratch};
pub(crate) use share::{for_each_chunk, for_each_chunk_pair, for_each_heavy_chunk, for_each_zip};
pub(crate) use sums::sum_over_rows;
