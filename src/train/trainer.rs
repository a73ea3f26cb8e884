//! Training steps.

use std::ops::Range;

use super::batch::Batch;
use super::checkpoint::Checkpoint;
use super::evaluate::evaluate;
use super::loss::{Known, Loss, Target, constant, rows};
use super::objective::Objective;
use super::optimizer::Optimizer;
use super::samples::Samples;
use crate::autograd::{Gradients, Tape, Var};
use crate::error::{Error, Result, check_number};
use crate::key::Key;
use crate::nn::{Layer, Pass, Updates};
use crate::tensor::View;

/// Trains a model. All randomness is a function of the key, the number of the step and the names of the layers.
///
/// It keeps one tape, whose memory serves from step to step, and lives on one thread; the work of a step is shared on
/// the ambient pool.
///
/// ```
/// use elision::nn::{Linear, Sequential};
/// use elision::train::{Loss, Optimizer, OptimizerConfig, Rule, Target, Trainer};
/// use elision::{Activation, Key, Tensor};
/// let key = Key::new(1);
/// let model = Sequential::new()
///     .with("hidden", Linear::new(1, 16, key.named("hidden"))?.activation(Activation::Relu).dropout(0.5)?)?
///     .with("output", Linear::new(16, 2, key.named("output"))?)?;
/// let optimizer = Optimizer::new(OptimizerConfig::new(Rule::sgd(0.9), 0.1))?;
/// let mut trainer = Trainer::new(model, optimizer, Loss::CrossEntropy { smoothing: 0.0 }, key);
/// let (x, labels) = (Tensor::from_slice(&[-1.0, 1.0], &[2, 1])?, [0, 1]);
/// let first = trainer.step(&x, &Target::Labels(&labels))?;
/// for _ in 0..50 {
///     trainer.step(&x, &Target::Labels(&labels))?;
/// }
/// assert_eq!((first.rows, trainer.steps()), (2, 51));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Debug)]
pub struct Trainer<M> {
    model: M,
    optimizer: Optimizer,
    objective: Objective,
    key: Key,
    micro_batches: usize,
    /// The penalties of the last step.
    penalty: f64,
    tape: Tape,
    gradients: Gradients,
}

/// What the parts of a batch gave.
#[derive(Default)]
struct Sweep {
    batch: Batch,
    penalty: f64,
    updates: Vec<Updates>,
}

/// What a trainer shows of itself whatever its model is.
pub trait TrainerState {
    /// The model.
    fn model(&self) -> &dyn Layer;

    /// Steps done.
    fn steps(&self) -> u64;

    /// All that is needed to go on from here: [`Trainer::checkpoint`].
    ///
    /// # Errors
    /// Those of [`Trainer::checkpoint`].
    fn checkpoint(&self) -> Result<Checkpoint>;
}

impl<M: Layer> TrainerState for Trainer<M> {
    fn model(&self) -> &dyn Layer {
        &self.model
    }

    fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    fn checkpoint(&self) -> Result<Checkpoint> {
        Self::checkpoint(self)
    }
}

impl<M: Layer> Trainer<M> {
    /// A trainer; its step is the optimiser's.
    #[must_use]
    pub fn new(model: M, optimizer: Optimizer, loss: Loss, key: Key) -> Self {
        Self {
            model,
            optimizer,
            objective: Objective::new(loss),
            key,
            micro_batches: 1,
            penalty: 0.0,
            tape: Tape::new(),
            gradients: Gradients::default(),
        }
    }

    /// The same with each batch cut into so many parts, as equal as can be, whose gradients are averaged by their
    /// rows: the memory of a part, the step of the whole. Each part has masks of its own.
    ///
    /// # Errors
    /// [`Error::Empty`] for no parts.
    pub fn accumulate(self, micro_batches: usize) -> Result<Self> {
        match micro_batches {
            0 => Err(Error::Empty("a batch")),
            _ => Ok(Self {
                micro_batches,
                ..self
            }),
        }
    }

    pub(super) fn r_drop_alpha(&self) -> Option<f64> {
        self.objective.r_drop
    }

    pub(super) fn with_r_drop(mut self, alpha: f64) -> Self {
        self.objective.r_drop = Some(alpha);
        self
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The model, to be changed.
    #[must_use]
    pub fn model_mut(&mut self) -> &mut M {
        &mut self.model
    }

    /// The model, trained.
    #[must_use]
    pub fn into_model(self) -> M {
        self.model
    }

    /// The optimiser.
    #[must_use]
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    pub(super) fn micro_batches(&self) -> usize {
        self.micro_batches
    }

    pub(super) fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    pub(super) fn optimizer_mut(&mut self) -> &mut Optimizer {
        &mut self.optimizer
    }

    /// The loss.
    #[must_use]
    pub fn loss(&self) -> Loss {
        self.objective.loss
    }

    /// The key of the run.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// Steps done.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    /// The factor of what layers add to the loss by [`Pass::penalize`]: 1 unless it was set.
    #[must_use]
    pub fn penalty_weight(&self) -> f64 {
        self.objective.penalty_weight
    }

    /// Sets that factor for the steps to come; with 0 penalties have no gradient. It is no part of a checkpoint.
    /// In [`fit`](Trainer::fit) a callback may set it before each step: [`Callback::penalty_weight`].
    ///
    /// # Errors
    /// [`Error::Number`] if `weight` is negative or not finite.
    ///
    /// [`Callback::penalty_weight`]: super::Callback::penalty_weight
    pub fn set_penalty_weight(&mut self, weight: f64) -> Result<()> {
        let valid = weight >= 0.0 && (weight as f32).is_finite();
        check_number("weight of the penalties", weight, valid)?;
        self.objective.penalty_weight = weight;
        Ok(())
    }

    /// The sum of the penalties of the last step, before their weight: a mean over the parts of the batch.
    #[must_use]
    pub fn penalty(&self) -> f64 {
        self.penalty
    }

    /// The tape, which tells the memory of a step.
    #[must_use]
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// One step of the optimiser on a batch of samples `[rows, ..]` with a target each. Loss and number correct are
    /// those of the model with its dropout, before the step; the loss is that of the data, without the
    /// [`penalty`](Trainer::penalty).
    ///
    /// # Errors
    /// [`Error::Empty`] if there are no rows, [`Error::Length`] if there are not as many targets as samples, and those of
    /// the model, the loss and the optimiser; the model and the optimiser are then unchanged.
    pub fn step<'a>(&mut self, x: impl Into<View<'a>>, target: &Target<'_>) -> Result<Batch> {
        let x = x.into();
        let (expected, found) = (rows("samples", x)?, target.rows()?);
        if expected != found {
            return Err(Error::Length {
                what: "targets",
                expected,
                found,
            });
        }
        self.step_on(expected, |tape, part| {
            let target = target.slice(part.clone())?.on(tape)?;
            Ok((constant(tape, x.slice(0, part)?)?, target))
        })
    }

    /// [`step`](Trainer::step) on some rows of samples, which are gathered straight into the tape's memory.
    ///
    /// # Errors
    /// [`Error::Range`] if a row does not exist, and those of [`step`](Trainer::step).
    pub fn step_rows(&mut self, samples: &Samples, rows: &[usize]) -> Result<Batch> {
        self.step_on(rows.len(), |tape, part| samples.on(tape, &rows[part]))
    }

    /// Loss and number correct in evaluation.
    ///
    /// # Errors
    /// Those of [`evaluate`].
    pub fn evaluate(&self, samples: &Samples) -> Result<Batch> {
        evaluate(&self.model, &self.objective.loss, samples)
    }

    fn step_on<'a>(
        &mut self,
        rows: usize,
        part: impl Fn(&Tape, Range<usize>) -> Result<(Var, Known<'a>)>,
    ) -> Result<Batch> {
        let outcome = self.backward(rows, part).and_then(|sweep| {
            self.update(sweep.updates)?;
            self.penalty = sweep.penalty;
            Ok(sweep.batch)
        });
        // Whatever happened, the memory goes back to the tape.
        self.gradients.clear();
        self.tape.clear();
        outcome
    }

    /// The gradients of a batch, added up over its parts.
    fn backward<'a>(
        &mut self,
        rows: usize,
        part: impl Fn(&Tape, Range<usize>) -> Result<(Var, Known<'a>)>,
    ) -> Result<Sweep> {
        if rows == 0 {
            return Err(Error::Empty("a batch"));
        }
        let mut sweep = Sweep::default();
        let size = rows.div_ceil(self.micro_batches);
        for (i, start) in (0..).zip((0..rows).step_by(size)) {
            let end = (start + size).min(rows);
            let (x, target) = part(&self.tape, start..end)?;
            let pass = self.pass(i);
            let part = self.objective.of(&self.model, (&x, &target), &pass)?;
            sweep.batch = sweep.batch.and(part.seen);
            let share = (end - start) as f64 / rows as f64;
            sweep.penalty += share * part.penalty;
            let weighted = match end - start {
                all if all == rows => part.objective,
                _ => part.objective.scale(share as f32)?,
            };
            weighted.backward_into(&mut self.gradients)?;
            sweep.updates.push(pass.take_updates());
        }
        Ok(sweep)
    }

    fn pass(&self, part: u64) -> Pass {
        match self.micro_batches {
            1 => Pass::train(self.key, self.steps()),
            _ => Pass::train(self.key.fold_in(self.steps()), part),
        }
    }

    fn update(&mut self, updates: Vec<Updates>) -> Result<()> {
        self.optimizer.prepare(&self.model, &self.gradients)?;
        for updates in updates {
            updates.apply(&mut self.model)?;
        }
        self.optimizer.step(&mut self.model, &mut self.gradients)
    }
}
