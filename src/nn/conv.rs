//! Convolution and pooling.

use super::layer::{Layer, followed_by};
use super::pass::Pass;
use crate::activation::Activation;
use crate::autograd::{Fused, Parameter, Var};
use crate::dropout::check_probability;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::nn::Init;
use crate::ops::{self, Window};
use crate::tensor::Tensor;

/// `dropout(activation(convolution + bias))` of images `[N, H, W, channels]`, in one fused product; the output is
/// `[N, OH, OW, filters]`.
///
/// Parameters: `weight` `[filters, KH, KW, channels / groups]`, drawn by [`Init::KaimingUniform`]; `bias` `[filters]`, zeros.
///
/// ```
/// use elision::nn::Conv2d;
/// use elision::ops::Window;
/// use elision::{Activation, Key};
/// let layer = Conv2d::new([1, 32], Window::new([3, 3]).padding([1, 1]), Key::new(1))?.activation(Activation::Relu);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Parameter,
    bias: Parameter,
    conv: ops::Conv2d,
    activation: Activation,
    p: f64,
}

impl Conv2d {
    /// A convolution from the first number of channels to the second.
    ///
    /// # Errors
    /// [`Error::Empty`] if there are no channels, [`Error::Overflow`] if the weights do not fit in memory.
    pub fn new(channels: [usize; 2], window: Window, key: Key) -> Result<Self> {
        Self::grouped(channels, window, 1, key)
    }

    /// The same in groups: filters of a part of the outputs read the same part of the inputs alone. As many groups as
    /// channels make a depthwise convolution.
    ///
    /// # Errors
    /// Those of [`new`](Conv2d::new); [`Error::Number`] if the groups do not divide both numbers of channels.
    pub fn grouped(
        [inputs, filters]: [usize; 2],
        window: Window,
        groups: usize,
        key: Key,
    ) -> Result<Self> {
        if inputs == 0 || filters == 0 {
            return Err(Error::Empty("a convolution"));
        }
        if groups == 0 || !inputs.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
            let (what, value) = ("number of groups of a convolution", groups as f64);
            return Err(Error::Number { what, value });
        }
        let [kh, kw] = window.kernel;
        let weight = Init::KaimingUniform.fill(&[filters, kh, kw, inputs / groups], key)?;
        Ok(Self {
            weight: Parameter::new(weight),
            bias: Parameter::new(Tensor::zeros(&[filters])?),
            conv: ops::Conv2d::new(window).groups(groups),
            activation: Activation::Identity,
            p: 0.0,
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
        Ok(self)
    }
}

impl Layer for Conv2d {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let [weight, bias] = [
            x.tape().parameter(&self.weight)?,
            x.tape().parameter(&self.bias)?,
        ];
        let fused = Fused {
            activation: self.activation,
            dropout: pass.dropout(self.p)?,
        };
        let y = x.conv2d(&weight, Some(&bias), &self.conv, &fused)?;
        pass.note_dropout(fused.dropout.as_ref(), y.shape())?;
        Ok(y)
    }

    fn kind(&self) -> String {
        let &[filters, kh, kw, channels] = self.weight.value().shape() else {
            return "Conv2d".to_owned();
        };
        let activation = followed_by(self.activation);
        format!(
            "Conv2d {} -> {filters}, {kh}x{kw}{activation}",
            channels * self.conv.groups
        )
    }

    fn rate(&self) -> Option<f64> {
        (self.p > 0.0).then_some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![("weight", &self.weight), ("bias", &self.bias)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![("weight", &mut self.weight), ("bias", &mut self.bias)]
    }
}

/// The largest of each window of images `[N, H, W, C]`.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d(pub Window);

impl Layer for MaxPool2d {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        x.max_pool2d(&self.0)
    }

    fn kind(&self) -> String {
        format!("MaxPool2d {}x{}", self.0.kernel[0], self.0.kernel[1])
    }
}

/// The mean of each window of images `[N, H, W, C]`; padding counts as zeros.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d(pub Window);

impl Layer for AvgPool2d {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        x.avg_pool2d(&self.0)
    }

    fn kind(&self) -> String {
        format!("AvgPool2d {}x{}", self.0.kernel[0], self.0.kernel[1])
    }
}
