//! The kinds of layers and their settings.

use elision::Activation;
use elision::ops::Window;

use super::Layer;

/// What a layer is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A linear layer.
    Linear(Dense),
    /// Dropout of the layer's input, with this probability.
    Dropout(f64),
    /// A convolution.
    Conv2d(Conv),
    /// The largest of each window.
    MaxPool2d(Window),
    /// The mean of each window.
    AvgPool2d(Window),
    /// All axes but the first joined.
    Flatten,
    /// Layer norm.
    LayerNorm,
    /// The norm by the root mean square.
    RmsNorm,
    /// Batch norm.
    BatchNorm,
    /// An activation.
    Activation(Activation),
    /// The input added to what these layers make of it.
    Residual(Vec<Layer>),
}

/// The settings of a linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// As many as there are classes, if it is not said.
    pub units: Option<usize>,
    /// Of the outputs.
    pub activation: Activation,
    /// The drop probability of the outputs.
    pub dropout: Option<f64>,
    /// Whether the input is added to the output.
    pub residual: bool,
    /// Whether there is a bias.
    pub bias: bool,
}

/// The settings of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Of the output.
    pub channels: usize,
    /// What slides.
    pub window: Window,
    /// Parts of the channels that do not meet.
    pub groups: usize,
    /// Of the outputs.
    pub activation: Activation,
    /// The drop probability of the outputs.
    pub dropout: Option<f64>,
}

impl Kind {
    /// Its name in a file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Linear(_) => "linear",
            Self::Dropout(_) => "dropout",
            Self::Conv2d(_) => "conv2d",
            Self::MaxPool2d(_) => "max-pool2d",
            Self::AvgPool2d(_) => "avg-pool2d",
            Self::Flatten => "flatten",
            Self::LayerNorm => "layer-norm",
            Self::RmsNorm => "rms-norm",
            Self::BatchNorm => "batch-norm",
            Self::Activation(_) => "activation",
            Self::Residual(_) => "residual",
        }
    }

    /// Its drop probability, if one is given.
    pub(super) fn rate(&self) -> Option<f64> {
        match self {
            Self::Dropout(rate) => Some(*rate),
            Self::Linear(dense) => dense.dropout,
            Self::Conv2d(conv) => conv.dropout,
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn rate_mut(&mut self) -> Option<&mut f64> {
        match self {
            Self::Dropout(rate) => Some(rate),
            Self::Linear(dense) => dense.dropout.as_mut(),
            Self::Conv2d(conv) => conv.dropout.as_mut(),
            _ => None,
        }
    }

    /// Gives it a drop probability; whether such layers have one.
    pub(super) fn set_rate(&mut self, p: f64) -> bool {
        match self {
            Self::Dropout(rate) => *rate = p,
            Self::Linear(dense) => dense.dropout = Some(p),
            Self::Conv2d(conv) => conv.dropout = Some(p),
            _ => return false,
        }
        true
    }
}
