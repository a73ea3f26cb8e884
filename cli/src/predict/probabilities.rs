//! Probabilities of the classes.

use elision::autograd::Tape;
use elision::nn::{Layer, Pass};
use elision::train::predict;
use elision::{Key, Result, Tensor};

use crate::quality::probabilities;

/// Without dropout, whose weights stand for the mean of all thinned networks.
pub(super) fn mean(model: &dyn Layer, x: &Tensor) -> Result<Tensor> {
    probabilities(&predict(model, x)?)
}

/// The mean over some samples of the thinned networks (Gal and Ghahramani 2016, <https://arxiv.org/abs/1506.02142>).
pub(super) fn monte_carlo(model: &dyn Layer, x: &Tensor, key: Key, samples: u64) -> Result<Tensor> {
    let tape = Tape::new();
    let mut sum: Vec<f64> = Vec::new();
    let mut shape = Vec::new();
    for sample in 0..samples {
        let p = tape.no_grad(|| -> Result<Tensor> {
            let x = tape.constant(x.clone());
            let outputs = model.forward(&x, &Pass::mc(key, sample))?;
            probabilities(&outputs.to_tensor()?)
        })?;
        shape = p.shape().to_vec();
        sum.resize(p.len(), 0.0);
        let terms = sum.iter_mut().zip(p.as_slice());
        terms.for_each(|(sum, &p)| *sum += f64::from(p));
    }
    let mean = sum.iter().map(|sum| (sum / samples as f64) as f32);
    Tensor::from_vec(mean.collect(), &shape)
}
