//! The linear layer.

use super::layer::{Layer, followed_by};
use super::pass::Pass;
use crate::activation::Activation;
use crate::autograd::{Fused, Parameter, Var};
use crate::dropout::check_probability;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::mask::{BlockMask, UnitMask};
use crate::nn::Init;
use crate::tensor::Tensor;

/// `dropout(activation(x w^T + bias))`, and the layer's input on top if it is [`residual`](Linear::residual): one fused
/// product, one node. Samples of shape `[.., inputs]` become `[.., units]`.
///
/// Parameters: `weight` `[units, inputs]`, drawn by [`Init::KaimingUniform`]; `bias` `[units]`, zeros.
///
/// ```
/// use elision::nn::Linear;
/// use elision::{Activation, Key};
/// let layer = Linear::new(784, 1024, Key::new(1))?.activation(Activation::Relu).dropout(0.5)?;
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Parameter,
    bias: Option<Parameter>,
    activation: Activation,
    p: f64,
    drops: Drops,
    residual: bool,
}

/// What shares a fate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Drops {
    /// Nothing: each output has its own.
    Outputs,
    /// An output's whole batch.
    Units,
    /// Inputs in blocks of rows by columns.
    InputBlocks([usize; 2]),
}

impl Linear {
    /// A layer without activation or dropout.
    ///
    /// # Errors
    /// [`Error::Empty`] if there are no inputs or no units, [`Error::Overflow`] if the weights do not fit in memory.
    pub fn new(inputs: usize, units: usize, key: Key) -> Result<Self> {
        if inputs == 0 || units == 0 {
            return Err(Error::Empty("a linear layer"));
        }
        Ok(Self {
            weight: Parameter::new(Init::KaimingUniform.fill(&[units, inputs], key)?),
            bias: Some(Parameter::new(Tensor::zeros(&[units])?)),
            activation: Activation::Identity,
            p: 0.0,
            drops: Drops::Outputs,
            residual: false,
        })
    }

    /// The same with other weights.
    ///
    /// # Errors
    /// Those of [`Init::fill`].
    pub fn init(mut self, init: Init, key: Key) -> Result<Self> {
        let shape = self.weight.value().shape();
        self.weight = Parameter::new(init.fill(shape, key)?);
        Ok(self)
    }

    /// The same without bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// The same with an activation.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// The same with dropout of the outputs, after the activation.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none.
    pub fn dropout(mut self, p: f64) -> Result<Self> {
        self.set_rate(p)?;
        Ok(Self {
            drops: Drops::Outputs,
            ..self
        })
    }

    /// The same with dropout of whole units: one decision a unit for the whole batch, and no work for those that are
    /// dropped, here or in a next layer that is linear too. At p = 0.5 between layers that do likewise a
    /// step takes some 0.4 of the time of one without dropout; the gradient is noisier than that of element
    /// dropout, since a batch sees one network and not one a sample.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none.
    pub fn unit_dropout(mut self, p: f64) -> Result<Self> {
        self.set_rate(p)?;
        Ok(Self {
            drops: Drops::Units,
            ..self
        })
    }

    /// The same with dropout of its *input* in blocks of rows by columns, which are left out of the product and of
    /// both gradients (SparseDrop; Lo 2024, "Efficient Sparse Training with Structured Dropout"). [`BlockMask`] says
    /// which sizes of blocks save time. At the same rate it disturbs more than dropout of elements.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none, [`Error::Empty`] if a block has no elements.
    pub fn input_block_dropout(mut self, p: f64, block: [usize; 2]) -> Result<Self> {
        BlockMask::count([0, 0], block)?;
        self.set_rate(p)?;
        Ok(Self {
            drops: Drops::InputBlocks(block),
            ..self
        })
    }

    /// The same with its input added to its output, after the dropout; there must be as many units as inputs.
    #[must_use]
    pub fn residual(self) -> Self {
        Self {
            residual: true,
            ..self
        }
    }
}

/// Rows and columns of an input.
fn matrix(x: &Var) -> [usize; 2] {
    let (columns, rows) = x.shape().split_last().unwrap_or((&0, &[]));
    [rows.iter().product(), *columns]
}

impl Linear {
    /// The weights on the tape of `x`.
    pub(super) fn weights(&self, x: &Var) -> Result<Var> {
        x.tape().parameter(&self.weight)
    }

    /// The biases on the tape of `x`.
    pub(super) fn biases(&self, x: &Var) -> Result<Option<Var>> {
        let bias = self.bias.as_ref().map(|bias| x.tape().parameter(bias));
        bias.transpose()
    }

    /// Activation and dropout of a pass.
    pub(super) fn fused(&self, pass: &Pass) -> Result<Fused> {
        Ok(Fused {
            activation: self.activation,
            dropout: pass.dropout(self.p)?,
        })
    }

    /// Fails for a layer with dropout, for one that wraps it and has a rate of its own: a layer has one rate.
    pub(super) fn check_no_dropout(&self) -> Result<()> {
        match self.rate() {
            None => Ok(()),
            Some(_) => Err(Error::Unsupported(
                "a linear layer whose weights are dropped has no other dropout: put a layer of it behind",
            )),
        }
    }

    /// The forward pass with `weight` in the place of the layer's own.
    pub(super) fn run(&self, x: &Var, weight: &Var, pass: &Pass) -> Result<Var> {
        let bias = self.biases(x)?;
        let fused = self.fused(pass)?;
        if let (Drops::InputBlocks(block), Some(dropout)) = (self.drops, fused.dropout) {
            let mask = BlockMask::draw(&dropout, matrix(x), block)?;
            pass.note_mask(dropout.p(), matrix(x)[1], || Ok(mask.elements().clone()))?;
            let fused = Fused {
                dropout: None,
                ..fused
            };
            let y = x.linear_blocks(weight, bias.as_ref(), &fused, mask)?;
            return self.on_top(y, x);
        }
        let Fused {
            activation,
            dropout,
        } = fused;
        let of_units = self.drops == Drops::Units && dropout.is_some();
        if of_units || x.units().is_some() && dropout.is_none() {
            let units = dropout.map(|dropout| UnitMask::draw(&dropout, weight.shape()[0]));
            let y = x.linear_units(weight, bias.as_ref(), activation, units.transpose()?)?;
            pass.note_dropout(dropout.as_ref(), &weight.shape()[..1])?;
            return self.on_top(y, x);
        }
        let y = match self.residual {
            true => x.linear_residual(weight, bias.as_ref(), &fused, x),
            false => x.linear(weight, bias.as_ref(), &fused),
        }?;
        pass.note_dropout(dropout.as_ref(), y.shape())?;
        Ok(y)
    }

    /// What follows a product without bias in a layer without dropout.
    pub(super) fn finish(&self, product: Var, x: &Var) -> Result<Var> {
        let mut y = product;
        if let Some(bias) = self.biases(x)? {
            y = y.add(&bias)?;
        }
        if self.activation != Activation::Identity {
            y = y.activate(self.activation)?;
        }
        self.on_top(y, x)
    }

    /// The input added to the output, if the layer is residual.
    pub(super) fn on_top(&self, y: Var, x: &Var) -> Result<Var> {
        if self.residual { y.add(x) } else { Ok(y) }
    }
}

impl Layer for Linear {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        self.run(x, &self.weights(x)?, pass)
    }

    fn kind(&self) -> String {
        let shape = self.weight.value().shape();
        let activation = followed_by(self.activation);
        let residual = if self.residual { ", residual" } else { "" };
        format!("Linear {} -> {}{activation}{residual}", shape[1], shape[0])
    }

    fn rate(&self) -> Option<f64> {
        (self.p > 0.0).then_some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        let bias = self.bias.as_ref().map(|bias| ("bias", bias));
        [("weight", &self.weight)].into_iter().chain(bias).collect()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        let bias = self.bias.as_mut().map(|bias| ("bias", bias));
        [("weight", &mut self.weight)]
            .into_iter()
            .chain(bias)
            .collect()
    }
}
