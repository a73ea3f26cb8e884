//! Dropout, activations and shapes as layers.

use super::layer::Layer;
use super::pass::Pass;
use crate::activation::Activation;
use crate::autograd::Var;
use crate::dropout::check_probability;
use crate::error::Result;

/// Dropout of each element with probability `p` (Srivastava et al. 2014), in training and Monte-Carlo mode; the
/// identity, bit for bit, in evaluation. Behind a linear layer it is better fused: [`Linear::dropout`](super::Linear::dropout).
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{Dropout, Layer, Pass};
/// use elision::{Key, Tensor};
/// let layer = Dropout::new(0.5)?;
/// let x = Tape::new().constant(Tensor::full(&[100], 1.0)?);
/// let dropped = layer.forward(&x, &Pass::train(Key::new(1), 0))?;
/// assert!(dropped.view().iter().all(|y| y == 0.0 || y == 2.0));
/// assert_eq!(layer.forward(&x, &Pass::eval())?.to_tensor()?, x.to_tensor()?);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Dropout with that probability.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn new(p: f64) -> Result<Self> {
        let mut layer = Self { p: 0.0 };
        layer.set_rate(p)?;
        Ok(layer)
    }
}

impl Layer for Dropout {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let dropout = pass.dropout(self.p)?;
        pass.note_dropout(dropout.as_ref(), x.shape())?;
        match dropout {
            Some(dropout) => x.dropout(&dropout),
            None => Ok(x.clone()),
        }
    }

    fn kind(&self) -> String {
        "Dropout".to_owned()
    }

    fn rate(&self) -> Option<f64> {
        Some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }
}

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
