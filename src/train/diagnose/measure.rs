//! A model's gradients at one state of its weights.

use super::gradients::BatchGradients;
use super::statistics::{GradientStatistics, GradientSummary, sum};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::nn::{Layer, Pass};
use crate::train::{Batch, Loss, Samples, shuffled};

/// What [`diagnose`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diagnosis {
    /// The gradients of the batches, with dropout, and their directions against each other and the full gradient.
    pub batches: GradientSummary,
    /// The norm of the full gradient: that of all samples, without dropout.
    pub full_norm: f64,
    /// What the full gradient's forward pass saw.
    pub full: Batch,
}

/// The norms and directions of the gradients of some batches, each a list of rows of the samples, at one state of a
/// model, after Liu et al. 2023, <https://arxiv.org/abs/2303.01500>.
///
/// The gradient is that of the entire model, dropped weights included. A batch's is computed in training mode, with
/// the masks of step i of a run with that key for batch i ([`Pass::train`]); a model without dropout so has none. The full
/// gradient, that of all samples, is computed without dropout. It is the mean over parts of the samples in an order
/// of the key's, as large as the largest batch and as equal as can be, in each of which normalisation uses the part's own
/// statistics, as it does in the batches: what then tells the batches from the whole is dropout and the choice of rows, and
/// not where statistics come from. Running statistics are neither used nor changed.
///
/// ```
/// use elision::nn::{Dropout, Linear, Sequential};
/// use elision::train::diagnose::{diagnose, draw_batches};
/// use elision::train::{Loss, Samples, Targets};
/// use elision::{Key, Tensor};
/// let x = Tensor::from_vec((0..60).map(|i| (i % 7) as f32).collect(), &[20, 3])?;
/// let samples = Samples::new(x, Targets::Labels((0..20).map(|i| i % 2).collect()))?;
/// let model = Sequential::new()
///     .with("input", Dropout::new(0.2)?)?
///     .with("output", Linear::new(3, 2, Key::new(1))?)?;
/// let (loss, key) = (Loss::CrossEntropy { smoothing: 0.0 }, Key::new(2));
/// let found = diagnose(&model, &loss, &samples, &draw_batches(key, 20, 5, 8), key)?;
/// assert!(found.batches.gdv.is_some() && found.full.rows == 20);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Empty`] if there are no batches or one has no rows, [`Error::Range`] if a row does not exist, and those of the
/// model and the loss.
pub fn diagnose(
    model: &dyn Layer,
    loss: &Loss,
    samples: &Samples,
    batches: &[Vec<usize>],
    key: Key,
) -> Result<Diagnosis> {
    let mut gradients = BatchGradients::new(model, *loss, samples);
    let largest = batches.iter().map(Vec::len).max().unwrap_or(0);
    if largest == 0 {
        return Err(Error::Empty("a batch"));
    }
    let (full, mean) = full(&mut gradients, largest, key)?;
    let mut statistics = GradientStatistics::new(mean.len()).against(&mean)?;
    for (step, rows) in (0..).zip(batches) {
        statistics.push(gradients.of(rows, &Pass::train(key, step))?.1)?;
    }
    Ok(Diagnosis {
        batches: statistics.finish(),
        full_norm: sum(mean.len(), |i| mean[i] * mean[i]).sqrt(),
        full,
    })
}

/// The gradient of all samples without dropout, in parts of at most so many rows.
fn full(gradients: &mut BatchGradients<'_>, largest: usize, key: Key) -> Result<(Batch, Vec<f64>)> {
    let order = shuffled(key.named("full"), gradients.samples().rows());
    let (mut seen, mut mean) = (Batch::default(), Vec::new());
    for rows in even_parts(&order, largest) {
        let share = rows.len() as f64 / order.len() as f64;
        let (batch, gradient) = gradients.of(rows, &Pass::reestimate())?;
        seen = seen.and(batch);
        mean.resize(gradient.len(), 0.0);
        let pairs = mean.iter_mut().zip(gradient);
        pairs.for_each(|(mean, &g)| *mean += share * f64::from(g));
    }
    Ok((seen, mean))
}

/// As few parts of at most `largest` rows as there can be, none larger than another by more than a row.
fn even_parts(order: &[usize], largest: usize) -> impl Iterator<Item = &[usize]> {
    let count = order.len().div_ceil(largest);
    let (len, longer) = (order.len() / count.max(1), order.len() % count.max(1));
    let start = move |part: usize| part * len + part.min(longer);
    (0..count).map(move |part| &order[start(part)..start(part + 1)])
}

/// `count` batches of `batch` of some rows: those of as many epochs as it takes, each with an order of its own. What is
/// left of an epoch when no whole batch is, is left out; where there are fewer rows than a batch has, each batch has
/// them all. None without rows.
///
/// ```
/// use elision::{Key, train::diagnose::draw_batches};
/// let batches = draw_batches(Key::new(1), 100, 30, 4);
/// assert_eq!((batches.len(), batches[3].len()), (4, 30));
/// ```
#[must_use]
pub fn draw_batches(key: Key, rows: usize, batch: usize, count: usize) -> Vec<Vec<usize>> {
    let batch = batch.min(rows);
    if batch == 0 {
        return Vec::new();
    }
    let epochs = (1..).map(|epoch| shuffled(key.named("order").fold_in(epoch), rows));
    let batches = epochs.flat_map(|order| {
        let whole: Vec<Vec<usize>> = order.chunks_exact(batch).map(<[_]>::to_vec).collect();
        whole
    });
    batches.take(count).collect()
}

/// The norm of the difference of two states of a model: of all trainable parameters together. A clone made before
/// training is a state to start from, and takes no memory until training changes the model.
///
/// ```
/// use elision::nn::{Layer, Linear};
/// use elision::{Key, train::diagnose::distance};
/// let mut model = Linear::new(2, 2, Key::new(1))?;
/// let start = model.clone();
/// model.for_each_parameter_mut(&mut |_, own| {
///     own.value_mut().as_mut_slice().iter_mut().for_each(|w| *w += 0.5);
///     Ok(())
/// })?;
/// assert!((distance(&model, &start)? - 1.5_f64.sqrt()).abs() < 1e-6);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Unsupported`] if their parameters have other names, [`Error::Shape`] if one has another shape.
pub fn distance(model: &dyn Layer, from: &dyn Layer) -> Result<f64> {
    let (left, right) = (model.named_parameters(), from.named_parameters());
    let names = |all: &[(String, _)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(&left) != names(&right) {
        return Err(Error::Unsupported(
            "the states are those of different models",
        ));
    }
    let mut square = 0.0;
    for ((_, left), (_, right)) in left.into_iter().zip(right) {
        let (a, b) = (left.value(), right.value());
        if a.shape() != b.shape() {
            return Err(Error::Shape {
                what: "parameter of the other state",
                expected: a.shape().into(),
                found: b.shape().into(),
            });
        }
        if left.is_trainable() {
            let (a, b) = (a.as_slice(), b.as_slice());
            square += sum(a.len(), |i| (f64::from(a[i]) - f64::from(b[i])).powi(2));
        }
    }
    Ok(square.sqrt())
}
