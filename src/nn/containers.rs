//! Layers made of layers.

use std::sync::Arc;

use super::dropout::DropPath;
use super::layer::Layer;
use super::pass::Pass;
use crate::autograd::{Parameter, Var};
use crate::dropout::check_probability;
use crate::error::{Error, Result};

/// Layers one after the other, each with a name of its own.
///
/// Names and not positions tell layers apart: a layer that is put in between leaves the masks of all others, and the
/// names of their parameters in a checkpoint, as they were.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{Layer, Linear, Pass, Sequential};
/// use elision::{Activation, Key, Tensor};
/// let key = Key::new(1);
/// let model = Sequential::new()
///     .with("hidden", Linear::new(3, 8, key.named("hidden"))?.activation(Activation::Relu))?
///     .with("output", Linear::new(8, 2, key.named("output"))?)?;
/// let x = Tape::new().constant(Tensor::zeros(&[5, 3])?);
/// assert_eq!(model.forward(&x, &Pass::eval())?.shape(), [5, 2]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sequential {
    layers: Vec<(String, Box<dyn Layer>)>,
}

impl Sequential {
    /// No layers: the identity.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more layer at its end.
    ///
    /// # Errors
    /// [`Error::Name`] if the name is empty, has a dot in it, or is another layer's.
    pub fn with(mut self, name: &str, layer: impl Layer + 'static) -> Result<Self> {
        let taken = self.layers.iter().any(|(other, _)| other == name);
        if name.is_empty() || name.contains('.') || taken {
            return Err(Error::Name(name.to_owned()));
        }
        self.layers.push((name.to_owned(), Box::new(layer)));
        Ok(self)
    }
}

impl Layer for Sequential {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let mut x = x.clone();
        for (name, layer) in &self.layers {
            x = pass.run(name, &**layer, &x)?;
        }
        Ok(x)
    }

    fn kind(&self) -> String {
        "Sequential".to_owned()
    }

    fn children(&self) -> Vec<(&str, &dyn Layer)> {
        self.layers
            .iter()
            .map(|(name, layer)| (name.as_str(), &**layer))
            .collect()
    }

    fn children_mut(&mut self) -> Vec<(&str, &mut dyn Layer)> {
        let layers = self.layers.iter_mut();
        let named = layers.map(|(name, layer)| -> (&str, &mut dyn Layer) { (name, &mut **layer) });
        named.collect()
    }
}

/// `x + branch(x)` (He et al. 2016, <https://arxiv.org/abs/1512.03385>). A branch of one [`Linear`](super::Linear)
/// is better written [`Linear::residual`](super::Linear::residual), which is one node of the graph.
///
/// ```
/// use elision::nn::{Linear, Residual, Sequential};
/// use elision::{Activation, Key};
/// let key = Key::new(1);
/// let branch = Sequential::new()
///     .with("wide", Linear::new(8, 32, key.named("wide"))?.activation(Activation::GeluTanh))?
///     .with("narrow", Linear::new(32, 8, key.named("narrow"))?)?;
/// let block = Residual::new(branch).drop_path(0.2)?;
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Residual {
    branch: Box<dyn Layer>,
    /// How the branch is dropped, if it ever is.
    path: Option<DropPath>,
}

impl Residual {
    /// Around a branch whose output has its input's shape.
    #[must_use]
    pub fn new(branch: impl Layer + 'static) -> Self {
        Self {
            branch: Box::new(branch),
            path: None,
        }
    }

    /// The same with a branch that each sample drops with probability `p` in training, without doing its work: see
    /// [`DropPath`]. [`set_depth_rates`](super::set_depth_rates) sets the probabilities of all blocks of a model.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none.
    pub fn drop_path(self, p: f64) -> Result<Self> {
        Ok(self.with_drop_path(DropPath::new(p)?))
    }

    /// The same with a branch that is dropped in that way.
    #[must_use]
    pub fn with_drop_path(self, path: DropPath) -> Self {
        Self {
            path: Some(path),
            ..self
        }
    }
}

const BRANCH: &str = "branch";

impl Layer for Residual {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let path = self.path.unwrap_or_default();
        path.run(x, pass, |x| pass.run(BRANCH, &*self.branch, x))
    }

    fn kind(&self) -> String {
        "Residual".to_owned()
    }

    fn rate(&self) -> Option<f64> {
        self.path.map(|path| path.p()).filter(|&p| p > 0.0)
    }

    /// Of a block that drops its branch: a rate for all layers of a model makes none of the others do so.
    fn set_rate(&mut self, p: f64) -> Result<()> {
        match &mut self.path {
            Some(path) => path.set_p(p),
            None => check_probability(p).map(|_| ()),
        }
    }

    fn drop_path_mut(&mut self) -> Option<&mut DropPath> {
        Some(self.path.get_or_insert_default())
    }

    fn children(&self) -> Vec<(&str, &dyn Layer)> {
        vec![(BRANCH, &*self.branch)]
    }

    fn children_mut(&mut self) -> Vec<(&str, &mut dyn Layer)> {
        vec![(BRANCH, &mut *self.branch)]
    }
}

/// A segment of which no inner values are kept for the backward pass, which computes them again: see
/// [`Var::checkpoint`]. Its masks are the same the second time, because they are functions of keys. Layers with a
/// penalty ([`Pass::penalize`]) cannot lie in it: training them is [`Error::Unsupported`].
///
/// ```
/// use elision::nn::{Checkpoint, Linear};
/// use elision::{Activation, Key};
/// let segment = Checkpoint::new(Linear::new(8, 8, Key::new(1))?.activation(Activation::Tanh));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint<L> {
    segment: Arc<L>,
}

impl<L: Layer + Clone + 'static> Checkpoint<L> {
    /// Around a segment.
    #[must_use]
    pub fn new(segment: L) -> Self {
        Self {
            segment: Arc::new(segment),
        }
    }
}

impl<L: Layer + Clone + 'static> Layer for Checkpoint<L> {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let (segment, again) = (Arc::clone(&self.segment), pass.again());
        let first = std::cell::Cell::new(Some(pass.checkpointed()));
        x.checkpoint(move |x| match first.take() {
            Some(pass) => segment.forward(x, &pass),
            None => segment.forward(x, &again),
        })
    }

    fn kind(&self) -> String {
        format!("Checkpoint of {}", self.segment.kind())
    }

    fn rate(&self) -> Option<f64> {
        self.segment.rate()
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        Arc::make_mut(&mut self.segment).set_rate(p)
    }

    fn drop_path_mut(&mut self) -> Option<&mut DropPath> {
        Arc::make_mut(&mut self.segment).drop_path_mut()
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        self.segment.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        Arc::make_mut(&mut self.segment).parameters_mut()
    }

    fn children(&self) -> Vec<(&str, &dyn Layer)> {
        self.segment.children()
    }

    fn children_mut(&mut self) -> Vec<(&str, &mut dyn Layer)> {
        Arc::make_mut(&mut self.segment).children_mut()
    }
}
