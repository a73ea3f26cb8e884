//! A table of rows.

use super::layer::Layer;
use super::pass::Pass;
use crate::autograd::{Parameter, Tape, Var};
use crate::dropout::check_probability;
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
    /// The drop probability of a word, if words are dropped.
    p: Option<f64>,
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
        Ok(Self { weight, p: None })
    }

    /// Dropout of words as they are looked up by the layer, in training and Monte-Carlo mode: each word of the vocabulary
    /// is dropped with probability `p`, all its occurrences in the batch with it (AWD-LSTM; Merity et al. 2018,
    /// <https://arxiv.org/abs/1708.02182>, whose default is 0.1 as we recall it).
    ///
    /// ```
    /// use elision::nn::{Embedding, Layer};
    /// use elision::Key;
    /// let table = Embedding::new(1000, 16, Key::new(1))?.word_dropout(0.1)?;
    /// assert_eq!(table.rate(), Some(0.1));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Probability`] if `p` is none.
    pub fn word_dropout(self, p: f64) -> Result<Self> {
        let p = Some(check_probability(p)?);
        Ok(Self { p, ..self })
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
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let words: Result<Vec<u32>> = x.value().as_slice().iter().map(|&x| word(x)).collect();
        let rows = match pass.dropout(self.p.unwrap_or(0.0))? {
            None => self.look_up(&words?, x.tape())?,
            Some(dropout) => {
                let table = x.tape().parameter(&self.weight)?;
                table.word_dropout(&words?, &dropout)?
            }
        };
        rows.reshape(&[x.shape(), &rows.shape()[1..]].concat())
    }

    fn kind(&self) -> String {
        let shape = self.weight.value().shape();
        let dropout = self.p.map_or("", |_| ", dropout of words");
        format!("Embedding {} x {}{dropout}", shape[0], shape[1])
    }

    fn rate(&self) -> Option<f64> {
        self.p
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        let p = check_probability(p)?;
        self.p = self.p.map(|_| p);
        Ok(())
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
