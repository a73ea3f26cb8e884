//! What dropout does to training: measurements of gradients, and the rates that were really drawn.
//!
//! Early in the training of large vision networks dropout makes the gradients of mini-batches shorter, more alike, and
//! closer to the gradient of the whole training set, as Liu et al. found (2023, "Dropout Reduces Underfitting",
//! <https://arxiv.org/abs/2303.01500>); whether it does in another network is to be measured. [`diagnose`] does so at one
//! state of a model, and changes nothing of it; [`distance`] tells how far the model has come. [`RealisedRates`] counts
//! what was dropped: of each layer, of each unit, and of all together.
//!
//! Everything is a function of the model, the samples, the batches and the key, and the same for any number of threads.

mod gradients;
mod measure;
mod rates;
mod statistics;
mod table;

pub use gradients::BatchGradients;
pub use measure::{Diagnosis, diagnose, distance, draw_batches};
pub use rates::{Capacity, LayerRate, RealisedRates};
pub use statistics::{GradientStatistics, GradientSummary};
