//! Layers that hold parameters, containers of layers, and what a pass through them needs.
//!
//! A [`Layer`] states its forward pass on variables of a tape and names its parameters. A [`Pass`] says what the
//! forward pass is for and carries the key from which every layer derives its masks by its own name.
//!
//! Images are channels-last, `[samples, height, width, channels]`: the channels are then the columns of the fused
//! product.

mod containers;
mod conv;
mod cutout;
mod drawn;
mod drop_block;
mod drop_connect;
mod drop_path;
mod dropout;
mod embedding;
mod init;
mod layer;
mod layer_drop;
mod learned;
mod linear;
mod mixout;
mod mode;
mod multi_sample;
mod noise;
mod norm;
mod pass;
mod penalty;
mod rates;
mod shakeout;
mod summary;
mod updates;
mod zoneout;

pub use containers::{Checkpoint, Residual, Sequential};
pub use conv::{AvgPool2d, Conv2d, MaxPool2d};
pub use cutout::Cutout;
pub use drawn::Drawn;
pub use drop_block::{DropBlock, DropHead};
pub use drop_connect::DropConnect;
pub use drop_path::{DepthRule, DropPath, depth_rates, set_depth_rates};
pub use dropout::{Dropout, Flatten};
pub use embedding::Embedding;
pub use init::Init;
pub use layer::{CloneLayer, Layer};
pub use layer_drop::LayerDrop;
pub use learned::{
    AlphaSharing, ConcreteDropout, ConcretePrior, SparseVariational, Sparsity, Standout,
    VariationalLinear, VariationalNoise, sparsity,
};
pub use linear::Linear;
pub use mixout::Mixout;
pub use mode::Mode;
pub use multi_sample::{MultiSample, multi_sample};
pub use noise::{AlphaDropout, GaussianDropout, GaussianNoise, UniformDropout};
pub use norm::{BatchNorm, LayerNorm, RmsNorm};
pub use pass::Pass;
pub use rates::{HIDDEN_RATE, INPUT_RATE, path_matches, rates, set_rates, set_rates_matching};
pub(crate) use rates::{for_each_rate_mut, settable_rates};
pub use shakeout::Shakeout;
pub use summary::Summary;
pub use updates::Updates;
pub use zoneout::Zoneout;
