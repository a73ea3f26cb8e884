//! From a method to the layers that drop.

use elision::nn::{
    AlphaDropout, ConcreteDropout, ConcretePrior, Conv2d, DropBlock, DropConnect, Dropout,
    GaussianDropout, Init, Layer, Linear, Sequential, Shakeout, SparseVariational, Standout,
    UniformDropout, VariationalLinear,
};
use elision::{Activation, Key, Result};

use crate::config::Method;

/// The prior length scale of concrete dropout: that of the authors' experiments on tables.
const LENGTH_SCALE: f64 = 1e-2;

/// A layer by itself.
pub(crate) fn alone(model: Sequential, name: &str, method: Method, p: f64) -> Result<Sequential> {
    match method {
        Method::Channel => model.with(name, Dropout::spatial(p)?),
        Method::DropBlock(size) => {
            model.with(name, DropBlock::new(p, elision::DropBlock::new(size)?)?)
        }
        Method::Gaussian => model.with(name, GaussianDropout::new(p)?),
        Method::Uniform => model.with(name, UniformDropout::new(p)?),
        Method::Alpha => model.with(name, AlphaDropout::new(p)?),
        Method::FeatureAlpha => model.with(name, AlphaDropout::new(p)?.features()),
        _ => model.with(name, Dropout::new(p)?),
    }
}

/// A layer, and behind it a layer that drops.
fn followed(
    model: Sequential,
    name: &str,
    layer: impl Layer + 'static,
    method: Method,
    p: f64,
) -> Result<Sequential> {
    let behind = format!("{name}-dropout");
    alone(model.with(name, layer)?, &behind, method, p)
}

/// The outputs of a linear layer, its input or its weights; `rows` is the number of training rows.
pub(crate) fn linear(
    model: Sequential,
    name: &str,
    layer: Linear,
    (method, p): (Method, f64),
    rows: usize,
) -> Result<Sequential> {
    match method {
        Method::Element => model.with(name, layer.dropout(p)?),
        Method::Unit => model.with(name, layer.unit_dropout(p)?),
        Method::InputBlock(block) => model.with(name, layer.input_block_dropout(p, block)?),
        Method::DropConnect => model.with(name, DropConnect::new(layer, p)?),
        Method::Shakeout(constant) => model.with(name, Shakeout::new(layer, p, constant)?),
        Method::Concrete => {
            let prior = ConcretePrior::likelihood(LENGTH_SCALE, rows)?;
            model.with(name, ConcreteDropout::new(layer, prior)?.dropout(p)?)
        }
        method => followed(model, name, layer, method, p),
    }
}

/// What a linear layer whose noise is its own is made of.
pub(crate) struct Learned {
    pub(crate) shape: [usize; 2],
    pub(crate) activation: Activation,
    pub(crate) init: Init,
    pub(crate) key: Key,
    /// Training rows.
    pub(crate) rows: usize,
}

impl Learned {
    /// Whether a method makes the whole layer.
    pub(crate) fn has(method: Method) -> bool {
        matches!(
            method,
            Method::Variational | Method::SparseVariational | Method::Standout
        )
    }

    /// The layer of such a method.
    pub(crate) fn with(
        self,
        model: Sequential,
        name: &str,
        method: Method,
        p: Option<f64>,
    ) -> Result<Sequential> {
        let Self {
            shape: [inputs, units],
            activation,
            init,
            key,
            rows,
        } = self;
        match method {
            Method::Variational => {
                let layer = VariationalLinear::new(inputs, units, rows, key)?;
                let layer = layer.init(init, key)?.activation(activation);
                model.with(name, p.map_or(Ok(layer.clone()), |p| layer.dropout(p))?)
            }
            Method::SparseVariational => {
                let layer = SparseVariational::new(inputs, units, rows, key)?;
                model.with(name, layer.init(init, key)?.activation(activation))
            }
            _ => {
                let layer = Standout::new(inputs, units, key)?;
                model.with(name, layer.init(init, key)?.activation(activation))
            }
        }
    }
}

/// The outputs of a convolution.
pub(crate) fn conv(
    model: Sequential,
    name: &str,
    layer: Conv2d,
    method: Method,
    p: f64,
) -> Result<Sequential> {
    match method {
        Method::Element => model.with(name, layer.dropout(p)?),
        method => followed(model, name, layer, method, p),
    }
}
