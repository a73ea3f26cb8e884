//! A small trainer: multilayer perceptrons of fused linear layers, softmax cross-entropy, SGD with
//! momentum and Adam. Without I/O; the command in `cli` brings data and shows progress.

mod data;
mod mlp;
mod optimizer;
mod schedule;
mod trainer;

pub use data::{gather_rows, shuffled};
pub use mlp::{LayerConfig, Mlp, MlpConfig};
pub use optimizer::Optimizer;
pub use schedule::Schedule;
pub use trainer::{Batch, Trainer};
