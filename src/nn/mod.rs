//! Layers that hold parameters, containers of layers, and what a pass through them needs.
//!
//! A [`Layer`] states its forward pass on variables of a tape and names its parameters. A [`Pass`] says what the
//! forward pass is for and carries the key from which every layer derives its masks by its own name.
//!
//! Images are channels-last, `[samples, height, width, channels]`: the channels are then the columns of the fused
//! product.

mod containers;
mod conv;
mod drawn;
mod dropout;
mod embedding;
mod init;
mod layer;
mod linear;
mod mode;
mod norm;
mod pass;
mod penalty;
mod plain;
mod rates;
mod summary;
mod updates;

pub use containers::{Checkpoint, Residual, Sequential};
pub use conv::{AvgPool2d, Conv2d, MaxPool2d};
pub use drawn::Drawn;
pub use dropout::{
    AlphaDropout, AlphaSharing, ConcreteDropout, ConcretePrior, Cutout, DepthRule, DropBlock,
    DropConnect, DropHead, DropPath, Dropout, GaussianDropout, GaussianNoise, LayerDrop, Mixout,
    MultiSample, Shakeout, SparseVariational, Sparsity, Standout, UniformDropout,
    VariationalLinear, VariationalNoise, Zoneout, depth_rates, multi_sample, set_depth_rates,
    sparsity,
};
pub use embedding::Embedding;
pub use init::Init;
pub use layer::{CloneLayer, Layer};
pub use linear::Linear;
pub use mode::Mode;
pub use norm::{BatchNorm, LayerNorm, RmsNorm};
pub use pass::Pass;
pub use plain::Flatten;
pub use rates::{HIDDEN_RATE, INPUT_RATE, path_matches, rates, set_rates, set_rates_matching};
pub(crate) use rates::{for_each_rate_mut, settable_rates};
pub use summary::Summary;
pub use updates::Updates;
