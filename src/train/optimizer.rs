//! Optimisers and their state.

use std::collections::{BTreeMap, BTreeSet};

use super::rule::{OptimizerConfig, Parameters, Rule};
use crate::autograd::{Gradients, Parameter};
use crate::error::{Error, Result, check_number};
use crate::nn::Layer;
use crate::ops::{adam_step, clip_in_place, max_norm_rows_in_place, sgd_step, squared_norm};
use crate::tensor::Tensor;

/// The running means of one parameter.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// The velocity, or the mean of the gradients.
    pub(super) first: Tensor,
    /// The mean of their squares.
    pub(super) second: Option<Tensor>,
    /// The steps of this parameter, which are fewer than the optimiser's if it was frozen at times.
    pub(super) steps: u64,
}

impl State {
    fn new(rule: Rule, shape: &[usize]) -> Result<Self> {
        let second = match rule {
            Rule::Sgd { .. } => None,
            Rule::Adam { .. } => Some(Tensor::zeros(shape)?),
        };
        let (first, steps) = (Tensor::zeros(shape)?, 0);
        Ok(Self {
            first,
            second,
            steps,
        })
    }
}

/// Changes the parameters of a model by their gradients. Keeps its state by the parameters' names.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{Layer, Linear, Pass};
/// use elision::train::{Optimizer, OptimizerConfig, Rule};
/// use elision::{Key, Tensor};
/// let mut model = Linear::new(2, 1, Key::new(1))?;
/// let mut optimizer = Optimizer::new(OptimizerConfig::new(Rule::sgd(0.9), 0.1))?;
/// let x = Tape::new().constant(Tensor::full(&[4, 2], 1.0)?);
/// let mut gradients = model.forward(&x, &Pass::eval())?.sum()?.backward()?;
/// optimizer.step(&mut model, &mut gradients)?;
/// let (_, bias) = model.parameters()[1];
/// assert_eq!(bias.value().as_slice(), [-0.4]);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    states: BTreeMap<String, State>,
    steps: u64,
}

impl Optimizer {
    /// An optimiser before its first step.
    ///
    /// # Errors
    /// [`Error::Number`] if a number of the configuration is out of its range.
    pub fn new(config: OptimizerConfig) -> Result<Self> {
        config.check()?;
        let (states, steps) = (BTreeMap::new(), 0);
        Ok(Self {
            config,
            states,
            steps,
        })
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }

    /// Steps done.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The learning rate of the next step.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.config.learning_rate * self.config.schedule.factor(self.steps)
    }

    /// One step: the gradients are clipped, each element first and then the norm of all together; the parameters are
    /// changed; and rows of weights that have become too long are shortened. A parameter that is frozen or has no
    /// gradient is left alone.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the model holds a clone of one of its own layers, [`Error::Number`] if the schedule gives
    /// no learning rate, [`Error::Shape`] if a parameter has another shape
    /// than before, [`Error::Overflow`] if memory is short; the model is then unchanged.
    pub fn step(&mut self, model: &mut dyn Layer, gradients: &mut Gradients) -> Result<()> {
        self.prepare(model, gradients)?;
        self.clip(model, gradients)?;
        let rate = self.learning_rate() as f32;
        let (config, states) = (&self.config, &mut self.states);
        model.for_each_parameter_mut(&mut |name, parameter| match (
            states.get_mut(name),
            gradient(gradients, parameter),
        ) {
            (Some(state), Some(g)) => update(config, rate, (parameter, state), g),
            _ => Ok(()),
        })?;
        self.steps += 1;
        Ok(())
    }

    /// Finds all that can be wrong with a step.
    pub(super) fn prepare(&mut self, model: &dyn Layer, gradients: &Gradients) -> Result<()> {
        let rate = self.learning_rate() as f32;
        check_number("learning rate", rate, rate >= 0.0 && rate.is_finite())?;
        let parameters = model.named_parameters();
        let ids: BTreeSet<_> = parameters.iter().map(|(_, own)| own.id()).collect();
        if ids.len() < parameters.len() {
            return Err(Error::Unsupported(
                "a model holds one parameter under two names: build a layer twice instead of cloning it",
            ));
        }
        for (name, parameter) in parameters {
            if gradient(gradients, parameter).is_none() {
                continue;
            }
            let shape = parameter.value().shape();
            match self.states.get(&name) {
                Some(state) if state.first.shape() == shape => {}
                Some(state) => {
                    return Err(Error::Shape {
                        what: "parameter of the optimiser",
                        expected: state.first.shape().into(),
                        found: shape.into(),
                    });
                }
                None => {
                    let state = State::new(self.config.rule, shape)?;
                    self.states.insert(name, state);
                }
            }
        }
        Ok(())
    }

    fn clip(&self, model: &dyn Layer, gradients: &mut Gradients) -> Result<()> {
        if self.config.clip_value.is_none() && self.config.clip_norm.is_none() {
            return Ok(());
        }
        let parameters = model.named_parameters();
        if let Some(limit) = self.config.clip_value {
            for (_, parameter) in &parameters {
                if let Some(gradient) = gradients.get_mut(parameter)? {
                    clip_in_place(gradient, limit)?;
                }
            }
        }
        let Some(limit) = self.config.clip_norm else {
            return Ok(());
        };
        let mut square = 0.0;
        for (_, parameter) in &parameters {
            if let Some(gradient) = gradients.get(parameter) {
                square += squared_norm(gradient)?;
            }
        }
        let norm = square.sqrt();
        match norm > f64::from(limit) {
            true => gradients.scale((f64::from(limit) / norm) as f32),
            false => Ok(()),
        }
    }

    pub(super) fn states(&self) -> &BTreeMap<String, State> {
        &self.states
    }

    /// Puts the optimiser after step `steps`.
    pub(super) fn restore(&mut self, states: BTreeMap<String, State>, steps: u64) {
        self.states = states;
        self.steps = steps;
    }
}

/// The gradient by which a parameter is changed, if it is.
fn gradient<'a>(gradients: &'a Gradients, parameter: &Parameter) -> Option<&'a [f32]> {
    let gradient = gradients.get(parameter)?;
    gradient.as_slice().filter(|_| parameter.is_trainable())
}

/// One step of one parameter.
fn update(
    config: &OptimizerConfig,
    learning_rate: f32,
    (parameter, state): (&mut Parameter, &mut State),
    g: &[f32],
) -> Result<()> {
    state.steps += 1;
    let w = parameter.value_mut();
    let is_weight = w.rank() >= 2;
    let penalties = match is_weight {
        true => [config.weight_decay, config.l1],
        false => [0.0; 2],
    };
    let first = state.first.as_mut_slice();
    match config.rule.parameters(learning_rate, penalties) {
        Parameters::Sgd(parameters) => sgd_step(w.as_mut_slice(), first, g, &parameters)?,
        Parameters::Adam(parameters) => {
            let Some(second) = &mut state.second else {
                return Err(Error::Unsupported("the state is another optimiser's"));
            };
            let means = [first, second.as_mut_slice()];
            adam_step(w.as_mut_slice(), means, g, &parameters, state.steps)?;
        }
    }
    match config.max_norm {
        Some(longest) if is_weight => max_norm_rows_in_place(w, longest),
        _ => Ok(()),
    }
}
