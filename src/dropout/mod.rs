//! The description of one dropout: which bits, at which rate, scaled how.

mod block;
mod place;

use crate::error::{Error, Result};
use crate::key::Key;
pub use block::DropBlock;
pub use place::{Channels, Where};

/// What happens to a kept element in training, and what inference must then do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Kept elements are multiplied by `1 / (1 - p)`; inference is the identity.
    #[default]
    Inverted,
    /// Kept elements stay as they are; inference multiplies by `1 - p` (Srivastava et al. 2014).
    Original,
}

/// One dropout: a key, a drop probability, a form and the index of the first element.
///
/// Whether element i of a tensor is kept is a function of (key, p, offset + i) and of nothing else.
///
/// ```
/// use elision::{Dropout, Key};
/// let dropout = Dropout::new(Key::new(1), 0.5)?;
/// assert_eq!(dropout.scale(), 2.0);
/// assert!(Dropout::new(Key::new(1), 1.5).is_err());
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    key: Key,
    p: f64,
    form: Form,
    offset: u64,
}

/// A probability, back again.
pub(crate) fn check_probability(p: f64) -> Result<f64> {
    match (0.0..=1.0).contains(&p) {
        true => Ok(p),
        false => Err(Error::Probability(p)),
    }
}

impl Dropout {
    /// Inverted dropout with drop probability `p`, from element 0.
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is NaN or outside [0, 1].
    pub fn new(key: Key, p: f64) -> Result<Self> {
        Ok(Self {
            key,
            p: check_probability(p)?,
            form: Form::Inverted,
            offset: 0,
        })
    }

    /// The same with another form.
    #[must_use]
    pub const fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// The same for a tensor whose first element is element `offset` of a larger one.
    #[must_use]
    pub const fn with_offset(self, offset: u64) -> Self {
        Self { offset, ..self }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }

    /// The drop probability.
    #[must_use]
    pub const fn p(&self) -> f64 {
        self.p
    }

    /// The form.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The index of the first element.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The factor of a kept element in training: `1 / (1 - p)` computed in f64 and rounded once to f32,
    /// or 1 for the original form. With p = 1 nothing is kept and the factor is 1.
    #[must_use]
    pub fn scale(&self) -> f32 {
        match self.form {
            Form::Inverted if self.p < 1.0 => (1.0 / (1.0 - self.p)) as f32,
            _ => 1.0,
        }
    }

    /// The factor of every element at inference: 1 for the inverted form (the identity), `1 - p` rounded
    /// once to f32 for the original form.
    #[must_use]
    pub fn inference_scale(&self) -> f32 {
        match self.form {
            Form::Inverted => 1.0,
            Form::Original => (1.0 - self.p) as f32,
        }
    }
}
