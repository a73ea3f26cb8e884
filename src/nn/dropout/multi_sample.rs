//! Several masks for one computation of the features.

use crate::autograd::Var;
use crate::error::{Error, Result};
use crate::nn::layer::Layer;
use crate::nn::pass::Pass;

/// The mean of what `f` makes of `samples` passes with masks of their own: multi-sample dropout (Inoue 2019,
/// <https://arxiv.org/abs/1905.09788>), if `f` is dropout, the last layer and the loss. The features before them are computed
/// once, and the loss is the mean of the losses. The paper takes 8 samples for most of its networks, as we recall it.
///
/// Sample i has the key of the child `i` of `pass`; penalties of layers within are those of sample 0. In evaluation all samples are the same, and `f` is called once,
/// with `pass` itself.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{Dropout, Layer, Linear, Pass, multi_sample};
/// use elision::{Key, Tensor};
/// let (dropout, head) = (Dropout::new(0.5)?, Linear::new(16, 2, Key::new(1))?);
/// let features = Tape::new().variable(Tensor::full(&[3, 16], 1.0)?);
/// let loss = multi_sample(8, &Pass::train(Key::new(2), 0), |pass| {
///     let dropped = pass.run("dropout", &dropout, &features)?;
///     pass.run("head", &head, &dropped)?.cross_entropy(&[0, 1, 0], 0.0)
/// })?;
/// loss.backward()?;
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of `f`, [`Error::Empty`] if there are no samples, [`Error::Broadcast`] if `f` makes different shapes.
pub fn multi_sample(samples: usize, pass: &Pass, f: impl Fn(&Pass) -> Result<Var>) -> Result<Var> {
    if samples == 0 {
        return Err(Error::Empty("a mean over samples"));
    }
    if samples == 1 || !pass.mode().drops() {
        return f(pass);
    }
    let mut sum = f(&pass.child("0"))?;
    // A penalty of layers that run again has been counted.
    let pass = pass.without_penalties();
    for sample in 1..samples {
        sum = sum.add(&f(&pass.child(&sample.to_string()))?)?;
    }
    sum.scale((samples as f32).recip())
}

/// The end of a model, with dropout in it, run several times on the same features in training: its output is the mean.
/// [`multi_sample`] is the paper's form, which averages losses; the loss of a mean of logits is at most the mean of their
/// cross-entropies, and this form pulls the samples less towards agreement. It fits a trainer that has one output a sample.
///
/// The parameters are those of the head, under the name `head`.
///
/// ```
/// use elision::nn::{Dropout, Linear, MultiSample, Sequential};
/// use elision::Key;
/// let head = Sequential::new()
///     .with("dropout", Dropout::new(0.5)?)?
///     .with("output", Linear::new(16, 2, Key::new(1))?)?;
/// let head = MultiSample::new(head, 8)?;
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultiSample {
    head: Box<dyn Layer>,
    samples: usize,
}

const HEAD: &str = "head";

impl MultiSample {
    /// Around a head, which is run `samples` times.
    ///
    /// # Errors
    /// [`Error::Empty`] if there are no samples.
    pub fn new(head: impl Layer + 'static, samples: usize) -> Result<Self> {
        if samples == 0 {
            return Err(Error::Empty("a mean over samples"));
        }
        let head = Box::new(head);
        Ok(Self { head, samples })
    }
}

impl Layer for MultiSample {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        multi_sample(self.samples, pass, |pass| pass.run(HEAD, &*self.head, x))
    }

    fn kind(&self) -> String {
        format!("MultiSample of {}", self.samples)
    }

    fn children(&self) -> Vec<(&str, &dyn Layer)> {
        vec![(HEAD, &*self.head)]
    }

    fn children_mut(&mut self) -> Vec<(&str, &mut dyn Layer)> {
        vec![(HEAD, &mut *self.head)]
    }
}
