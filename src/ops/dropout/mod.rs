//! Dropout of tensors and of any strided memory.
//!
//! Elements are counted in row-major order of the shape, whatever the strides, so a transposed view and
//! its copy get the same bits. Elements that share a fate read one bit of a mask on a reduced shape.

mod blocks;
mod draw;
mod drop_block;
mod element;
mod exact;
mod heads;
mod pass;
mod shared;

pub(super) use draw::{check_end, draw};
pub use drop_block::{drop_block, drop_block_into};
pub use element::{
    dropout, dropout_backward, dropout_backward_in_place, dropout_backward_into, dropout_in_place,
    dropout_inference, dropout_inference_in_place, dropout_into,
};
pub(crate) use heads::check_head_rate;
pub use heads::{drop_heads, drop_heads_backward, drop_heads_backward_into, drop_heads_into};
pub use shared::{
    dropout_shared, dropout_shared_backward, dropout_shared_backward_into, dropout_shared_into,
    select_shared_into,
};
