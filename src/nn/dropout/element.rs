//! Dropout of elements and of groups that share a fate.

use crate::autograd::Var;
use crate::dropout::{Channels, Where, check_probability};
use crate::error::Result;
use crate::nn::layer::Layer;
use crate::nn::pass::Pass;

/// Dropout with probability `p` of each element (Srivastava et al. 2014) or of groups that share a fate, in training and
/// Monte-Carlo mode; the identity, bit for bit, in evaluation. Behind a linear layer it is better fused:
/// [`Linear::dropout`](crate::nn::Linear::dropout).
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
/// assert_eq!(Dropout::spatial(0.1)?.kind(), "Dropout of channels");
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dropout {
    p: f64,
    place: Where,
}

impl Dropout {
    /// Dropout of each element with that probability.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none; likewise for the others.
    pub fn new(p: f64) -> Result<Self> {
        let mut layer = Self {
            p: 0.0,
            place: Where::Element,
        };
        layer.set_rate(p)?;
        Ok(layer)
    }

    /// The same of groups of elements: one decision a group.
    #[must_use]
    pub const fn over(self, place: Where) -> Self {
        Self { place, ..self }
    }

    /// Which elements share a fate.
    #[must_use]
    pub const fn place(&self) -> Where {
        self.place
    }

    /// Dropout of whole channels, which are on the last axis: spatial dropout (Tompson et al. 2015), where neighbours in
    /// a map tell the same.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn spatial(p: f64) -> Result<Self> {
        Ok(Self::new(p)?.over(Where::Channel(Channels::Last)))
    }

    /// Dropout that drops the same features in each step of a sequence, whose time is that axis: variational or locked
    /// dropout (Gal and Ghahramani 2016).
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn locked(p: f64, time: usize) -> Result<Self> {
        Ok(Self::new(p)?.over(Where::Locked { time }))
    }

    /// Dropout of columns of the last axis for the whole batch.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn units(p: f64) -> Result<Self> {
        Ok(Self::new(p)?.over(Where::Unit))
    }

    /// Dropout of whole rows along the last axis, such as tokens.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn rows(p: f64) -> Result<Self> {
        Ok(Self::new(p)?.over(Where::Row))
    }

    /// Dropout of whole samples.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn samples(p: f64) -> Result<Self> {
        Ok(Self::new(p)?.over(Where::Sample))
    }
}

impl Layer for Dropout {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let Some(dropout) = pass.dropout(self.p)? else {
            return Ok(x.clone());
        };
        let noise_shape = self.place.noise_shape(x.shape())?;
        pass.note_dropout(Some(&dropout), &noise_shape)?;
        match self.place {
            Where::Element => x.dropout(&dropout),
            _ => x.dropout_shared(&noise_shape, &dropout),
        }
    }

    fn kind(&self) -> String {
        format!("Dropout{}", self.place)
    }

    fn rate(&self) -> Option<f64> {
        Some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }
}
