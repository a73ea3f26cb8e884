//! Normalisation layers.

use super::layer::Layer;
use super::pass::Pass;
use crate::autograd::{Parameter, Var};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Added to a variance before its root.
const EPSILON: f32 = 1e-5;

fn ones(features: usize) -> Result<Parameter> {
    if features == 0 {
        return Err(Error::Empty("a norm"));
    }
    Ok(Parameter::new(Tensor::full(&[features], 1.0)?))
}

/// Normalises each row of the last axis ([Ba et al. 2016](https://arxiv.org/abs/1607.06450)); it has no running
/// statistics and is the same in every mode.
///
/// Parameters: `weight` `[features]`, ones; `bias` `[features]`, zeros.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Parameter,
    bias: Parameter,
}

impl LayerNorm {
    /// Of rows of that many features.
    ///
    /// # Errors
    /// [`Error::Empty`] if there are none, [`Error::Overflow`] if they do not fit in memory.
    pub fn new(features: usize) -> Result<Self> {
        Ok(Self {
            weight: ones(features)?,
            bias: Parameter::new(Tensor::zeros(&[features])?),
        })
    }
}

impl Layer for LayerNorm {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        let [weight, bias] = [
            x.tape().parameter(&self.weight)?,
            x.tape().parameter(&self.bias)?,
        ];
        x.layer_norm(&weight, &bias, EPSILON)
    }

    fn kind(&self) -> String {
        "LayerNorm".to_owned()
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![("weight", &self.weight), ("bias", &self.bias)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![("weight", &mut self.weight), ("bias", &mut self.bias)]
    }
}

/// Divides each row of the last axis by the root of its mean square
/// ([Zhang and Sennrich 2019](https://arxiv.org/abs/1910.07467)).
///
/// Parameter: `weight` `[features]`, ones.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    weight: Parameter,
}

impl RmsNorm {
    /// Of rows of that many features.
    ///
    /// # Errors
    /// [`Error::Empty`] if there are none, [`Error::Overflow`] if they do not fit in memory.
    pub fn new(features: usize) -> Result<Self> {
        Ok(Self {
            weight: ones(features)?,
        })
    }
}

impl Layer for RmsNorm {
    fn forward(&self, x: &Var, _: &Pass) -> Result<Var> {
        x.rms_norm(&x.tape().parameter(&self.weight)?, EPSILON)
    }

    fn kind(&self) -> String {
        "RmsNorm".to_owned()
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![("weight", &self.weight)]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![("weight", &mut self.weight)]
    }
}

/// Normalises each feature (channel) of the last axis: over the batch in training, with running statistics in
/// evaluation and under Monte-Carlo dropout ([Ioffe and Szegedy 2015](https://arxiv.org/abs/1502.03167)).
///
/// The running statistics move by a tenth of the way towards those of each batch (the variance's estimate is the
/// unbiased one). Gathered under dropout they are those of another distribution than evaluation sees: put dropout
/// behind the last such layer, or estimate them anew ([`Pass::reestimate`]).
///
/// Parameters: `weight` `[features]`, ones; `bias` `[features]`, zeros. State: `running_mean`, zeros, and
/// `running_variance`, ones.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    weight: Parameter,
    bias: Parameter,
    running_mean: Parameter,
    running_variance: Parameter,
}

/// How far running statistics move towards a batch's.
const MOMENTUM: f64 = 0.1;

impl BatchNorm {
    /// Of that many features.
    ///
    /// # Errors
    /// [`Error::Empty`] if there are none, [`Error::Overflow`] if they do not fit in memory.
    pub fn new(features: usize) -> Result<Self> {
        Ok(Self {
            weight: ones(features)?,
            bias: Parameter::new(Tensor::zeros(&[features])?),
            running_mean: Parameter::state(Tensor::zeros(&[features])?),
            running_variance: Parameter::state(Tensor::full(&[features], 1.0)?),
        })
    }

    fn note(&self, saved: &crate::ops::BatchNormSaved, pass: &Pass) -> Result<()> {
        let tensor = |numbers: &mut dyn Iterator<Item = f64>| {
            let numbers: Vec<f32> = numbers.map(|x| x as f32).collect();
            let features = numbers.len();
            Tensor::from_vec(numbers, &[features])
        };
        let mean = tensor(&mut saved.mean().iter().copied())?;
        let variance = tensor(&mut saved.unbiased_variance())?;
        pass.update(&self.running_mean, mean, MOMENTUM);
        pass.update(&self.running_variance, variance, MOMENTUM);
        Ok(())
    }
}

impl Layer for BatchNorm {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let tape = x.tape();
        let [weight, bias] = [tape.parameter(&self.weight)?, tape.parameter(&self.bias)?];
        if pass.uses_batch_statistics() {
            let (y, saved) = x.batch_norm(&weight, &bias, EPSILON)?;
            self.note(&saved, pass)?;
            return Ok(y);
        }
        let [mean, variance] = [
            tape.parameter(&self.running_mean)?,
            tape.parameter(&self.running_variance)?,
        ];
        x.batch_norm_given([&mean, &variance], &weight, &bias, EPSILON)
    }

    fn kind(&self) -> String {
        "BatchNorm".to_owned()
    }

    fn parameters(&self) -> Vec<(&str, &Parameter)> {
        vec![
            ("weight", &self.weight),
            ("bias", &self.bias),
            ("running_mean", &self.running_mean),
            ("running_variance", &self.running_variance),
        ]
    }

    fn parameters_mut(&mut self) -> Vec<(&str, &mut Parameter)> {
        vec![
            ("weight", &mut self.weight),
            ("bias", &mut self.bias),
            ("running_mean", &mut self.running_mean),
            ("running_variance", &mut self.running_variance),
        ]
    }
}
