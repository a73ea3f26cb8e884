//! The C interface of elision. `include/elision.h` describes it to its users; this crate is what stands behind.
//!
//! Every function has the name and the meaning that the header gives it, and the contract that the header asks of
//! its callers: pointers that are not null point to what the header says, for as long as the call lasts. They are
//! public for tests that call them from Rust.
#![allow(
    unsafe_code,
    clippy::missing_safety_doc,
    reason = "the boundary: the header is the contract of every function"
)]

mod dropout;
mod fault;
mod keys;
mod linear;
mod masks;
mod memory;
mod settings;
mod shared;
mod version;
mod views;

pub use dropout::{
    CDropout, elision_dropout_backward, elision_dropout_forward, elision_dropout_inference,
    elision_dropout_scale,
};
pub use fault::{Status, elision_last_error, elision_status_name};
pub use keys::{CKey, elision_key_fold_in, elision_key_from_seed, elision_key_named};
pub use linear::{
    CLinear, CLinearGrads, CLinearOutput, elision_linear_backward, elision_linear_forward,
    elision_saved_bytes, elision_saved_free, elision_saved_new,
};
pub use masks::{
    elision_mask_count_kept, elision_mask_draw, elision_mask_free, elision_mask_from_bools,
    elision_mask_from_words, elision_mask_get, elision_mask_length, elision_mask_new,
    elision_mask_redraw, elision_mask_to_bools, elision_mask_to_bytes, elision_mask_words,
};
pub use settings::{
    Pool, elision_isa_available, elision_isa_best, elision_isa_name, elision_pool_free,
    elision_pool_new, elision_pool_threads, elision_use_isa, elision_use_pool,
};
pub use shared::{
    CSharedDropout, elision_noise_shape, elision_shared_dropout_backward,
    elision_shared_dropout_forward,
};
pub use version::{elision_abi_version, elision_version};
pub use views::{CView, CViewMut};
