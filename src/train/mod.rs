//! Training: losses, optimisers, steps, and the loop over epochs. Without I/O but for checkpoints; the command in
//! `cli` brings data and shows progress.
//!
//! A [`Trainer`] makes steps on a model of [`nn`](crate::nn). All randomness of a run is a function of its key, the
//! number of the step and the names of layers, so a run is the same for any number of threads and may be taken up
//! at any step.

mod batch;
mod callback;
mod checkpoint;
mod data;
pub mod diagnose;
mod evaluate;
mod fit;
mod loss;
mod objective;
mod optimizer;
mod r_drop;
mod rate;
mod resume;
mod rule;
mod samples;
mod schedule;
mod trainer;
mod warm_up;
mod watch;

pub use batch::Batch;
pub use callback::{Callback, Control, Epoch, History, Progress, Stopped};
pub use checkpoint::Checkpoint;
pub use data::{gather_rows, shuffled};
pub use evaluate::{evaluate, predict, reestimate_statistics};
pub use fit::Fit;
pub use loss::{Loss, Target};
pub use optimizer::Optimizer;
pub use rate::{
    ControllerSettings, Moment, RateCallback, RateController, RateFeedback, RateSchedule,
};
pub use rule::{OptimizerConfig, Rule};
pub use samples::{Samples, Targets};
pub use schedule::Schedule;
pub use trainer::{Trainer, TrainerState};
pub use warm_up::WarmUp;
pub use watch::Watch;
