//! A table of rows.

use super::layer::Layer;
use super::pass::Pass;
use crate::autograd::{Parameter, Tape, Var};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::nn::Init;

/// A row of numbers for each word of a vocabulary.
///
/// Parameter: `weight` `[words, features]`, standard normal.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::Embedding;
/// use elision::Key;
/// let table = Embedding::new(1000, 16, Key::new(1))?;
/// assert_eq!(table.look_up(&[3, 1, 3], &Tape::new())?.shape(), [3, 16]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    weight: Parameter,
}

/// Whole numbers up to here are exact in an `f32`.
const EXACT: f32 = 16_777_216.0;

impl Embedding {
    /// A table of `words` rows.
    ///
    /// # Errors
    /// [`Error::Empty`] if there are no words or no features, [`Error::Overflow`] if the table does not fit in memory.
    pub fn new(words: usize, features: usize, key: Key) -> Result<Self> {
        if words == 0 || features == 0 {
            return Err(Error::Empty("an embedding"));
        }
        let weight = Parameter::new(Init::Normal(1.0).fill(&[words, features], key)?);
        Ok(Self { weight })
    }

    /// The rows of some words: shape `[words.len(), features]`.
    ///
    /// # Errors
    /// [`Error::Index`] if a word is not in the table.
    pub fn look_up(&self, words: &[u32], tape: &Tape) -> Result<Var> {
        tape.parameter(&self.weight)?.embedding(words)
    }
}

/// The input holds words as whole numbers, of any shape; the output has one more axis.
impl Layer for Embedding {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        let words: Result<Vec<u32>> = x.value().as_slice().iter().map(|&x| word(x)).collect();
        let rows = self.look_up(&words?, x.tape())?;
        rows.reshape(&[x.shape(), &rows.shape()[1..]].concat())
    }

    fn kind(&self) -> String {
        let shape = self.weight.value().shape();
        format!("Embedding {} x {}", shape[0], shape[1])
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![("weight", &self.weight)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![("weight", &mut self.weight)]
    }
}

fn word(x: f32) -> Result<u32> {
    if x.fract() == 0.0 && (0.0..EXACT).contains(&x) {
        return Ok(x as u32);
    }
    let (what, value) = ("a word's number", x.into());
    Err(Error::Number { what, value })
}
