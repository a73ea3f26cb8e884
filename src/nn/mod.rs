//! Layers that hold parameters, containers of layers, and what a pass through them needs.
//!
//! A [`Layer`] states its forward pass on variables of a tape and names its parameters. A [`Pass`] says what the
//! forward pass is for and carries the key from which every layer derives its masks by its own name.
//!
//! Images are channels-last, `[samples, height, width, channels]`: the channels are then the columns of the fused
//! product.

mod containers;
mod conv;
mod drop_connect;
mod drop_path;
mod dropout;
mod embedding;
mod init;
mod layer;
mod layer_drop;
mod linear;
mod mixout;
mod mode;
mod multi_sample;
mod norm;
mod pass;
mod shakeout;
mod summary;
mod updates;
mod zoneout;

pub use containers::{Checkpoint, Residual, Sequential};
pub use conv::{AvgPool2d, Conv2d, MaxPool2d};
pub use drop_connect::DropConnect;
pub use drop_path::{DepthRule, DropPath, depth_rates, set_depth_rates};
pub use dropout::{Dropout, Flatten};
pub use embedding::Embedding;
pub use init::Init;
pub use layer::{CloneLayer, Layer};
pub use layer_drop::LayerDrop;
pub use linear::Linear;
pub use mixout::Mixout;
pub use mode::Mode;
pub use multi_sample::{MultiSample, multi_sample};
pub use norm::{BatchNorm, LayerNorm, RmsNorm};
pub use pass::Pass;
pub use shakeout::Shakeout;
pub use summary::Summary;
pub use updates::Updates;
pub use zoneout::Zoneout;
