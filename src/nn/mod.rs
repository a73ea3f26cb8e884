//! Layers that hold parameters, containers of layers, and what a pass through them needs.
//!
//! A [`Layer`] states its forward pass on variables of a tape and names its parameters. A [`Pass`] says what the
//! forward pass is for and carries the key from which every layer derives its masks by its own name.
//!
//! Images are channels-last, `[samples, height, width, channels]`: the channels are then the columns of the fused
//! product.

mod containers;
mod conv;
mod dropout;
mod embedding;
mod init;
mod layer;
mod learned;
mod linear;
mod mode;
mod noise;
mod norm;
mod pass;
mod penalty;
mod summary;
mod updates;

pub use containers::{Checkpoint, Residual, Sequential};
pub use conv::{AvgPool2d, Conv2d, MaxPool2d};
pub use dropout::{Dropout, Flatten};
pub use embedding::Embedding;
pub use init::Init;
pub use layer::{CloneLayer, Layer};
pub use learned::{
    AlphaSharing, ConcreteDropout, ConcretePrior, SparseVariational, Sparsity, Standout,
    VariationalLinear, VariationalNoise, sparsity,
};
pub use linear::Linear;
pub use mode::Mode;
pub use noise::{AlphaDropout, GaussianDropout, GaussianNoise, UniformDropout};
pub use norm::{BatchNorm, LayerNorm, RmsNorm};
pub use pass::Pass;
pub use summary::Summary;
pub use updates::Updates;
