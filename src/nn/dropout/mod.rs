//! The dropout family as layers: what shares a fate, with which noise, at which rate.

mod cutout;
mod drop_block;
mod drop_connect;
mod drop_path;
mod element;
mod layer_drop;
mod learned;
mod mixout;
mod multi_sample;
mod noise;
mod shakeout;
mod zoneout;

pub use cutout::Cutout;
pub use drop_block::{DropBlock, DropHead};
pub use drop_connect::DropConnect;
pub use drop_path::{DepthRule, DropPath, depth_rates, set_depth_rates};
pub use element::Dropout;
pub use layer_drop::LayerDrop;
pub use learned::{
    AlphaSharing, ConcreteDropout, ConcretePrior, SparseVariational, Sparsity, Standout,
    VariationalLinear, VariationalNoise, sparsity,
};
pub use mixout::Mixout;
pub use multi_sample::{MultiSample, multi_sample};
pub use noise::{AlphaDropout, GaussianDropout, GaussianNoise, UniformDropout};
pub use shakeout::Shakeout;
pub use zoneout::Zoneout;
