//! Layers that are left out.

use crate::autograd::Var;
use crate::dropout::check_probability;
use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::nn::containers::Sequential;
use crate::nn::layer::Layer;
use crate::nn::pass::Pass;

/// Layers one after the other, each of which is left out of a training step with probability `p` (LayerDrop; Fan, Grave and
/// Joulin 2020, "Reducing Transformer Depth on Demand with Structured Dropout", <https://arxiv.org/abs/1909.11556>). A layer
/// that is left out is the identity and does no work, and its parameters have no gradient; one that is run is not scaled.
/// Evaluation runs all of them, and the paper's point is that it may as well run fewer. The paper takes p = 0.2, as we recall it.
///
/// Bit l of [`Mask::draw`] with the layer's own key decides for layer l of the stack, and for the whole batch. The layers
/// must keep the shape of their input; the names of their parameters are those that the stack alone gives them.
///
/// ```
/// use elision::nn::{LayerDrop, Linear, Sequential};
/// use elision::{Activation, Key};
/// let layer = |name| Ok::<_, elision::Error>(Linear::new(8, 8, Key::new(1).named(name))?.residual());
/// let stack = Sequential::new().with("first", layer("first")?)?.with("second", layer("second")?)?;
/// let stack = LayerDrop::new(stack, 0.2)?;
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LayerDrop {
    stack: Sequential,
    p: f64,
}

impl LayerDrop {
    /// Of the layers of a stack.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none.
    pub fn new(stack: Sequential, p: f64) -> Result<Self> {
        let p = check_probability(p)?;
        Ok(Self { stack, p })
    }
}

impl Layer for LayerDrop {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let layers = self.stack.children();
        let kept = match pass.dropout(self.p)? {
            Some(dropout) => Mask::draw(&dropout, layers.len())?,
            None => Mask::all(layers.len()),
        };
        let mut x = x.clone();
        for l in kept.kept() {
            let (name, layer) = layers[l];
            let y = pass.run(name, layer, &x)?;
            if y.shape() != x.shape() {
                return Err(Error::Shape {
                    what: "output of a layer that may be left out",
                    expected: x.shape().into(),
                    found: y.shape().into(),
                });
            }
            x = y;
        }
        Ok(x)
    }

    fn kind(&self) -> String {
        "LayerDrop".to_owned()
    }

    fn rate(&self) -> Option<f64> {
        Some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }

    fn children(&self) -> Vec<(&str, &dyn Layer)> {
        self.stack.children()
    }

    fn children_mut(&mut self) -> Vec<(&str, &mut dyn Layer)> {
        self.stack.children_mut()
    }
}
