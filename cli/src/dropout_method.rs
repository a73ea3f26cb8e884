//! From a method to the layers that drop: a line a method in each function.

use elision::Result;
use elision::nn::{Conv2d, Dropout, Linear, Sequential};

use crate::config::Method;

/// A layer by itself.
pub(crate) fn alone(model: Sequential, name: &str, method: Method, p: f64) -> Result<Sequential> {
    match method {
        Method::Element | Method::Unit => model.with(name, Dropout::new(p)?),
    }
}

/// The outputs of a linear layer.
pub(crate) fn linear(
    model: Sequential,
    name: &str,
    layer: Linear,
    method: Method,
    p: f64,
) -> Result<Sequential> {
    match method {
        Method::Element => model.with(name, layer.dropout(p)?),
        Method::Unit => model.with(name, layer.unit_dropout(p)?),
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
        Method::Element | Method::Unit => model.with(name, layer.dropout(p)?),
    }
}
