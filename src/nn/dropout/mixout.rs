//! Mixout as a layer.

use super::drop_connect::WEIGHT;
use crate::autograd::{Parameter, Var};
use crate::dropout::check_probability;
use crate::error::Result;
use crate::nn::layer::Layer;
use crate::nn::linear::Linear;
use crate::nn::pass::Pass;

/// A linear layer that is fine-tuned, of whose weights each training step takes some back to what they were when this
/// was made: [`Var::mixout`] (Lee, Cho and Kang 2020, <https://arxiv.org/abs/1909.11299>). In the mean it pulls the weights
/// towards the pretrained ones, with a strength that grows as p / (1 - p). Evaluation is the plain layer. The paper takes
/// p from 0.7 to 0.9 for large language models, as we recall it. Biases are not mixed.
///
/// Load the pretrained parameters first, then wrap. Parameters: those of the linear layer, and the state `pretrained`,
/// so that a run is taken up again with the same target. The bits are those of the layer's key with the name `weight`.
///
/// ```
/// use elision::nn::{Layer, Linear, Mixout};
/// use elision::Key;
/// let pretrained = Linear::new(8, 2, Key::new(1))?;
/// let layer = Mixout::new(&pretrained, 0.9)?;
/// let names: Vec<_> = layer.parameters().iter().map(|(name, _)| name.to_string()).collect();
/// assert_eq!(names, ["weight", "bias", "pretrained"]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mixout {
    linear: Linear,
    pretrained: Parameter,
    p: f64,
    by_input: bool,
}

impl Mixout {
    /// Around a linear layer as it is now. The result is to be trained in its place: it holds the same parameters.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none,
    /// [`Error::Unsupported`](crate::Error::Unsupported) if the linear layer has dropout of its own.
    pub fn new(linear: &Linear, p: f64) -> Result<Self> {
        linear.check_no_dropout()?;
        let own = linear.parameters();
        let pretrained = own.into_iter().find(|(name, _)| *name == WEIGHT);
        let pretrained = pretrained.map(|(_, weight)| weight.value().clone());
        Ok(Self {
            p: check_probability(p)?,
            pretrained: Parameter::state(pretrained.unwrap_or_default()),
            linear: linear.clone(),
            by_input: false,
        })
    }

    /// The same with one decision for all weights of an input, as in the authors' code.
    #[must_use]
    pub fn by_input(self) -> Self {
        Self {
            by_input: true,
            ..self
        }
    }
}

impl Layer for Mixout {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let weight = self.linear.weights(x)?;
        let Some(dropout) = pass.child(WEIGHT).dropout(self.p)? else {
            return self.linear.run(x, &weight, pass);
        };
        let pretrained = x.tape().parameter(&self.pretrained)?;
        let mixed = match self.by_input {
            true => weight.mixout_columns(&pretrained, &dropout),
            false => weight.mixout(&pretrained, &dropout),
        };
        self.linear.run(x, &mixed?, pass)
    }

    fn kind(&self) -> String {
        format!("Mixout of {}", self.linear.kind())
    }

    fn rate(&self) -> Option<f64> {
        Some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        let mut all = self.linear.parameters();
        all.push(("pretrained", &self.pretrained));
        all
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        let mut all = self.linear.parameters_mut();
        all.push(("pretrained", &mut self.pretrained));
        all
    }
}
