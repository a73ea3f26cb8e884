//! Multilayer perceptrons.

use crate::activation::Activation;
use crate::dropout::Dropout;
use crate::epilogue::Epilogue;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::nn::Init;
use crate::ops::linear_into;
use crate::tensor::{Tensor, View};

/// One layer: `dropout(activation(x * w^T + bias))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerConfig {
    /// Outputs.
    pub units: usize,
    /// What follows the product.
    pub activation: Activation,
    /// Drop probability of the outputs in training.
    pub p: f64,
}

/// The shape of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpConfig {
    /// Features of a sample.
    pub inputs: usize,
    /// Drop probability of the features in training.
    pub input_p: f64,
    /// The layers; the last one's outputs are the logits.
    pub layers: Vec<LayerConfig>,
}

/// The parameters of one layer.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) config: LayerConfig,
    /// Shape `[units, inputs]`.
    pub(super) w: Tensor,
    /// Shape `[units]`.
    pub(super) bias: Tensor,
}

impl Layer {
    /// The epilogue of a training step, or of inference if there is no dropout.
    pub(super) fn epilogue(&self, dropout: Option<Dropout>) -> Epilogue<'_> {
        Epilogue {
            bias: Some(self.bias.view()),
            activation: self.config.activation,
            dropout,
        }
    }
}

/// A multilayer perceptron.
///
/// ```
/// use elision::train::{LayerConfig, Mlp, MlpConfig};
/// use elision::{Activation, Key, Tensor};
/// let layers = vec![
///     LayerConfig { units: 32, activation: Activation::Relu, p: 0.5 },
///     LayerConfig { units: 3, activation: Activation::Identity, p: 0.0 },
/// ];
/// let mlp = Mlp::new(&MlpConfig { inputs: 4, input_p: 0.2, layers }, Key::new(1))?;
/// assert_eq!(mlp.parameters(), 32 * 4 + 32 + 3 * 32 + 3);
/// assert_eq!(mlp.logits(&Tensor::zeros(&[7, 4])?)?.shape(), [7, 3]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mlp {
    pub(super) inputs: usize,
    pub(super) input_p: f64,
    pub(super) layers: Vec<Layer>,
}

impl Mlp {
    /// A network with weights drawn uniformly from `±sqrt(6 / inputs of the layer)` (He et al. 2015) and
    /// biases of zero.
    ///
    /// # Errors
    /// [`Error::Empty`] if there is no layer or a layer without units or inputs, [`Error::Probability`]
    /// if a rate is not a probability, [`Error::Overflow`] if the weights do not fit in memory.
    pub fn new(config: &MlpConfig, key: Key) -> Result<Self> {
        Dropout::new(key, config.input_p)?;
        if config.layers.is_empty() || config.inputs == 0 {
            return Err(Error::Empty("a network"));
        }
        let mut inputs = config.inputs;
        let mut layers = Vec::with_capacity(config.layers.len());
        for (i, &layer) in (0..).zip(&config.layers) {
            Dropout::new(key, layer.p)?;
            if layer.units == 0 {
                return Err(Error::Empty("a layer"));
            }
            layers.push(Layer {
                config: layer,
                w: Init::KaimingUniform.fill(&[layer.units, inputs], key.fold_in(i))?,
                bias: Tensor::zeros(&[layer.units])?,
            });
            inputs = layer.units;
        }
        Ok(Self {
            inputs: config.inputs,
            input_p: config.input_p,
            layers,
        })
    }

    /// The number of weights and biases.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| layer.w.len() + layer.bias.len())
            .sum()
    }

    /// Features of a sample.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Outputs of the last layer.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.config.units)
    }

    /// The outputs for samples of shape `[rows, inputs]` at inference, without dropout.
    ///
    /// # Errors
    /// [`Error::Rank`] or [`Error::Shape`] if the samples do not fit.
    pub fn logits<'a>(&self, x: impl Into<View<'a>>) -> Result<Tensor> {
        let mut x = x.into().to_tensor()?;
        for layer in &self.layers {
            let rows = x.shape().first().copied().unwrap_or(0);
            let mut out = Tensor::zeros(&[rows, layer.config.units])?;
            linear_into(&x, &layer.w, &layer.epilogue(None), &mut out, None)?;
            x = out;
        }
        Ok(x)
    }
}
