//! The flags of `elision diagnose`.

use clap::Args;

use crate::args::TrainArgs;

/// Measure what dropout does to the gradients of training, without and with it.
///
/// Trains the model as train does, once without its dropout and once with it, from the same weights and with the same
/// rows in the same order, and stops at some steps, most of them early, to measure (Liu et al. 2023, "Dropout Reduces
/// Underfitting", arXiv:2303.01500):
///
/// the norm of the gradients of mini-batches; GDV, their direction variance: the mean distance of two of them; GDE, their
/// direction error: the mean distance from the gradient of all training rows without dropout; how far the weights are
/// from where they began; the loss of the training rows without dropout. A distance of directions is 0 for the same, 0.5 at
/// a right angle, 1 for opposite ones. Each run is measured at its own weights, and with its own dropout.
///
/// OUT/NAME gets diagnose.csv with a row for each run and step, diagnose.svg, config.toml, and with --seeds
/// diagnose-mean.csv with mean and deviation over the seeds. All epochs are trained: patience and the best model are left out.
#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    /// Gradients of mini-batches that are compared at each measured step.
    #[arg(long, value_name = "K", default_value = "64", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub(crate) batches: u32,
    /// Steps that are measured, the first and the last among them; fewer where a run is short.
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(crate) points: u32,
}
