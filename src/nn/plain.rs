//! Activations and shapes as layers.

use super::layer::Layer;
use super::pass::Pass;
use crate::activation::Activation;
use crate::autograd::Var;
use crate::error::Result;

/// An activation is a layer; behind a linear layer it is better fused.
impl Layer for Activation {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        x.activate(*self)
    }

    fn kind(&self) -> String {
        self.to_string()
    }
}

/// All axes but the first joined: `[rows, height, width, channels]` becomes `[rows, features]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        x.flatten()
    }

    fn kind(&self) -> String {
        "Flatten".to_owned()
    }
}
