//! What a layer is.

use std::fmt;

use super::dropout::DropPath;
use super::pass::{Pass, join};
use crate::activation::Activation;
use crate::autograd::{Parameter, Var};
use crate::dropout::check_probability;
use crate::error::Result;

/// A function with parameters: a layer, a container of layers, a whole model.
///
/// A layer of your own states its forward pass and names what it holds; derive `Clone` and `Debug`. Clones share
/// the memory of their parameters until one of them is trained.
///
/// ```
/// use elision::autograd::Var;
/// use elision::nn::{Layer, Linear, Pass};
/// use elision::{Key, Result};
///
/// /// Two layers side by side, added.
/// #[derive(Clone, Debug)]
/// struct Sum {
///     left: Linear,
///     right: Linear,
/// }
///
/// impl Layer for Sum {
///     fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
///         pass.run("left", &self.left, x)?.add(&pass.run("right", &self.right, x)?)
///     }
///     fn children(&self) -> Vec<(&str, &dyn Layer)> {
///         vec![("left", &self.left), ("right", &self.right)]
///     }
///     fn children_mut(&mut self) -> Vec<(&str, &mut dyn Layer)> {
///         vec![("left", &mut self.left), ("right", &mut self.right)]
///     }
/// }
/// # let key = Key::new(1);
/// # let sum = Sum { left: Linear::new(2, 3, key.named("left"))?, right: Linear::new(2, 3, key.named("right"))? };
/// # let names: Vec<String> = sum.named_parameters().into_iter().map(|(name, _)| name).collect();
/// # assert_eq!(names, ["left.weight", "left.bias", "right.weight", "right.bias"]);
/// # Ok::<(), elision::Error>(())
/// ```
pub trait Layer: CloneLayer + fmt::Debug + Send + Sync {
    /// The output for the input `x`, whose first axis counts the samples of a batch.
    ///
    /// # Errors
    /// What the layer's documentation says; the layer is then unchanged, as it is after success: state is changed by
    /// [`Pass::take_updates`](super::Pass::take_updates).
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var>;

    /// What the layer is, for the table of a model: `Linear 784 -> 1024, relu`.
    fn kind(&self) -> String {
        String::new()
    }

    /// The drop probability, if the layer has one.
    fn rate(&self) -> Option<f64> {
        None
    }

    /// Sets the drop probability of this layer, if it has one.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    fn set_rate(&mut self, p: f64) -> Result<()> {
        check_probability(p).map(|_| ())
    }

    /// How the layer drops its branch, if it is a residual block: what
    /// [`set_depth_rates`](super::set_depth_rates) counts and sets.
    fn drop_path_mut(&mut self) -> Option<&mut DropPath> {
        None
    }

    /// The layer's own parameters and state, by name.
    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        Vec::new()
    }

    /// The same, to be changed, in the same order.
    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        Vec::new()
    }

    /// The layers within, by name.
    fn children(&self) -> Vec<(&str, &dyn Layer)> {
        Vec::new()
    }

    /// The same, to be changed, in the same order.
    fn children_mut(&mut self) -> Vec<(&str, &mut dyn Layer)> {
        Vec::new()
    }

    /// All parameters and state of this and of the layers within, by their paths: `hidden.weight`.
    fn named_parameters(&self) -> Vec<(String, &Parameter)> {
        let own = self.parameters().into_iter();
        let mut all: Vec<_> = own.map(|(name, own)| (name.to_owned(), own)).collect();
        for (name, child) in self.children() {
            let inner = child.named_parameters().into_iter();
            all.extend(inner.map(|(path, inner)| (join(name, &path), inner)));
        }
        all
    }

    /// Calls `f` with each of them, in the same order, to change it.
    ///
    /// # Errors
    /// The first of `f`; the parameters before it stay changed.
    fn for_each_parameter_mut(
        &mut self,
        f: &mut dyn FnMut(&str, &mut Parameter) -> Result<()>,
    ) -> Result<()> {
        for (name, own) in self.parameters_mut() {
            f(name, own)?;
        }
        for (name, child) in self.children_mut() {
            child.for_each_parameter_mut(&mut |path, inner| f(&join(name, path), inner))?;
        }
        Ok(())
    }

    /// The number of trainable numbers.
    fn parameter_count(&self) -> usize {
        let all = self.named_parameters().into_iter();
        all.filter(|(_, own)| own.is_trainable())
            .map(|(_, own)| own.value().len())
            .sum()
    }

    /// Calls `f` with each layer within and its path, outermost first, to change it.
    ///
    /// # Errors
    /// The first of `f`; the layers before it stay changed.
    fn for_each_layer_mut(
        &mut self,
        f: &mut dyn FnMut(&str, &mut dyn Layer) -> Result<()>,
    ) -> Result<()> {
        for (name, child) in self.children_mut() {
            f(name, child)?;
            child.for_each_layer_mut(&mut |path, inner| f(&join(name, path), inner))?;
        }
        Ok(())
    }
}

/// Clones of layers whose type is not known; every layer that is `Clone` has it.
pub trait CloneLayer {
    /// A clone on the heap.
    fn boxed(&self) -> Box<dyn Layer>;
}

impl<L: Layer + Clone + 'static> CloneLayer for L {
    fn boxed(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Layer> {
    fn clone(&self) -> Self {
        (**self).boxed()
    }
}

/// An activation at the end of a layer's kind.
pub(super) fn followed_by(activation: Activation) -> String {
    match activation {
        Activation::Identity => String::new(),
        other => format!(", {other}"),
    }
}
