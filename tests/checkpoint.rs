//! Checkpoints: their bytes, models that they fit or not, and files that survive whatever stops a save.

#[path = "checkpoint/bytes.rs"]
mod bytes;
#[path = "checkpoint/files.rs"]
mod files;
#[path = "checkpoint/models.rs"]
mod models;
