//! Training steps.

use crate::dropout::Dropout;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::mask::Mask;
use crate::ops::{
    LinearGradsInto, Saved, dropout_into, linear_backward_into, linear_into, softmax_cross_entropy,
};
use crate::tensor::{Tensor, View};
use crate::train::mlp::{Layer, Mlp};
use crate::train::optimizer::{Optimizer, State};

/// What a step or an evaluation saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Batch {
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Rows whose largest logit is the label's.
    pub correct: usize,
    /// Rows.
    pub rows: usize,
}

/// Trains a network. All randomness is a function of the key and the number of the step.
///
/// ```
/// use elision::train::{LayerConfig, Mlp, MlpConfig, Optimizer, Trainer};
/// use elision::{Activation, Key, Tensor};
/// let layers = vec![
///     LayerConfig { units: 16, activation: Activation::Relu, p: 0.5 },
///     LayerConfig { units: 2, activation: Activation::Identity, p: 0.0 },
/// ];
/// let mlp = Mlp::new(&MlpConfig { inputs: 1, input_p: 0.0, layers }, Key::new(1))?;
/// let mut trainer = Trainer::new(mlp, Optimizer::sgd(0.1, 0.9)?, Key::new(2))?;
/// let (x, labels) = (Tensor::from_slice(&[-1.0, 1.0], &[2, 1])?, [0, 1]);
/// let first = trainer.step(&x, &labels)?;
/// for _ in 0..50 {
///     trainer.step(&x, &labels)?;
/// }
/// assert!(trainer.evaluate(&x, &labels)?.loss < first.loss);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trainer {
    model: Mlp,
    optimizer: Optimizer,
    states: Vec<[State; 2]>,
    key: Key,
    steps: u64,
    buffers: Buffers,
}

/// The tensors of a step, kept from one to the next; remade when the number of rows changes.
#[derive(Clone, Debug)]
struct Buffers {
    rows: usize,
    /// The samples after dropout of the features.
    input: Tensor,
    layers: Vec<LayerBuffers>,
}

#[derive(Clone, Debug)]
struct LayerBuffers {
    output: Tensor,
    /// The gradient of the output.
    gradient: Tensor,
    saved: Saved,
    dw: Tensor,
    dbias: Tensor,
}

impl Buffers {
    fn new(model: &Mlp, rows: usize) -> Result<Self> {
        let layers = model
            .layers
            .iter()
            .map(|layer| LayerBuffers::new(layer, rows));
        Ok(Self {
            rows,
            input: Tensor::zeros(&[rows, model.inputs])?,
            layers: layers.collect::<Result<_>>()?,
        })
    }
}

impl LayerBuffers {
    fn new(layer: &Layer, rows: usize) -> Result<Self> {
        let outputs = [rows, layer.config.units];
        Ok(Self {
            output: Tensor::zeros(&outputs)?,
            gradient: Tensor::zeros(&outputs)?,
            saved: Saved::default(),
            dw: Tensor::zeros(layer.w.shape())?,
            dbias: Tensor::zeros(layer.bias.shape())?,
        })
    }
}

impl Trainer {
    /// A trainer at step 0.
    ///
    /// # Errors
    /// [`Error::Number`] if a number of the optimiser is out of its range, and [`Error::Overflow`] if its
    /// state does not fit in memory.
    pub fn new(model: Mlp, optimizer: Optimizer, key: Key) -> Result<Self> {
        optimizer.check()?;
        let states = model.layers.iter().map(|layer| {
            let [w, bias] = [&layer.w, &layer.bias].map(|t| State::new(&optimizer, t.shape()));
            Ok([w?, bias?])
        });
        let states = states.collect::<Result<_>>()?;
        let buffers = Buffers::new(&model, 0)?;
        Ok(Self {
            model,
            optimizer,
            states,
            key,
            steps: 0,
            buffers,
        })
    }

    /// The network.
    #[must_use]
    pub fn model(&self) -> &Mlp {
        &self.model
    }

    /// Steps done.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step of the optimiser on a batch of shape `[rows, inputs]` with a label a row. The loss and
    /// the number correct are those of the network with its dropout, before the step.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Length`], [`Error::Label`] or [`Error::Empty`] if the batch does not
    /// fit; the network is then unchanged.
    pub fn step<'a>(&mut self, x: impl Into<View<'a>>, labels: &[u32]) -> Result<Batch> {
        let x = x.into();
        check_batch(&self.model, x, labels)?;
        if self.buffers.rows != labels.len() {
            self.buffers = Buffers::new(&self.model, labels.len())?;
        }
        self.forward(x)?;
        let batch = self.loss(labels)?;
        self.backward(x)?;
        self.update()?;
        Ok(batch)
    }

    fn forward(&mut self, x: View<'_>) -> Result<()> {
        let Buffers {
            input,
            layers: buffers,
            ..
        } = &mut self.buffers;
        let key = self.key.fold_in(self.steps);
        if let Some(dropout) = dropout_of(key, 0, self.model.input_p)? {
            dropout_into(x, &dropout, &mut *input, None::<&mut Mask>)?;
        }
        let mut input = first_input(x, input, self.model.input_p);
        for ((i, layer), buffer) in (1..).zip(&self.model.layers).zip(buffers) {
            let LayerBuffers { output, saved, .. } = buffer;
            let epilogue = layer.epilogue(dropout_of(key, i, layer.config.p)?);
            linear_into(input, &layer.w, &epilogue, &mut *output, Some(saved))?;
            input = output.view();
        }
        Ok(())
    }

    fn loss(&mut self, labels: &[u32]) -> Result<Batch> {
        let Some(LayerBuffers {
            output, gradient, ..
        }) = self.buffers.layers.last_mut()
        else {
            return Err(Error::Empty("a network"));
        };
        let loss = softmax_cross_entropy(&*output, labels, Some(gradient.view_mut()))?;
        Ok(Batch {
            loss,
            correct: count_correct(output, labels),
            rows: labels.len(),
        })
    }

    fn backward(&mut self, x: View<'_>) -> Result<()> {
        let Buffers {
            input,
            layers: buffers,
            ..
        } = &mut self.buffers;
        let key = self.key.fold_in(self.steps);
        let first = first_input(x, input, self.model.input_p);
        for (i, layer) in self.model.layers.iter().enumerate().rev() {
            let (before, after) = buffers.split_at_mut(i);
            let LayerBuffers {
                gradient,
                saved,
                dw,
                dbias,
                ..
            } = &mut after[0];
            let (x, dx) = match before.last_mut() {
                None => (first, None),
                Some(previous) => (previous.output.view(), Some(previous.gradient.view_mut())),
            };
            let grads = LinearGradsInto {
                x: dx,
                w: Some(dw.view_mut()),
                bias: Some(dbias.view_mut()),
            };
            let dropout = dropout_of(key, i as u64 + 1, layer.config.p)?;
            let epilogue = layer.epilogue(dropout);
            linear_backward_into(&*gradient, x, &layer.w, &epilogue, saved, grads)?;
        }
        Ok(())
    }

    fn update(&mut self) -> Result<()> {
        self.steps += 1;
        let layers = self.model.layers.iter_mut().zip(&mut self.states);
        for ((layer, [w, bias]), buffer) in layers.zip(&self.buffers.layers) {
            w.step(&self.optimizer, &mut layer.w, &buffer.dw, self.steps)?;
            bias.step(&self.optimizer, &mut layer.bias, &buffer.dbias, self.steps)?;
        }
        Ok(())
    }

    /// Loss and number correct at inference, without dropout.
    ///
    /// # Errors
    /// As [`step`](Trainer::step).
    pub fn evaluate<'a>(&self, x: impl Into<View<'a>>, labels: &[u32]) -> Result<Batch> {
        let x = x.into();
        check_batch(&self.model, x, labels)?;
        let logits = self.model.logits(x)?;
        let loss = softmax_cross_entropy(&logits, labels, None)?;
        Ok(Batch {
            loss,
            correct: count_correct(&logits, labels),
            rows: labels.len(),
        })
    }
}

/// The dropout of the network's input (`layer` 0) or of a layer's output (from 1 on) in one step.
fn dropout_of(step: Key, layer: u64, p: f64) -> Result<Option<Dropout>> {
    match p {
        0.0 => Ok(None),
        p => Dropout::new(step.fold_in(layer), p).map(Some),
    }
}

/// What the first layer reads: the batch, or what dropout left of it.
fn first_input<'a>(x: View<'a>, dropped: &'a Tensor, p: f64) -> View<'a> {
    if p == 0.0 { x } else { dropped.view() }
}

fn check_batch(model: &Mlp, x: View<'_>, labels: &[u32]) -> Result<()> {
    let expected = [labels.len(), model.inputs];
    if x.shape() != expected {
        let what = "batch of samples";
        return Err(Error::Shape {
            what,
            expected: expected[..].into(),
            found: x.shape().into(),
        });
    }
    let classes = model.classes();
    match (0..)
        .zip(labels)
        .find(|&(_, &label)| label as usize >= classes)
    {
        Some((row, &label)) => Err(Error::Label {
            row,
            label,
            classes,
        }),
        None if labels.is_empty() => Err(Error::Empty("a batch")),
        None => Ok(()),
    }
}

/// Rows whose first largest logit is the label's.
fn count_correct(logits: &Tensor, labels: &[u32]) -> usize {
    let classes = logits.shape().last().copied().unwrap_or(1).max(1);
    let rows = logits.as_slice().chunks_exact(classes).zip(labels);
    rows.filter(|(row, label)| argmax(row) == **label as usize)
        .count()
}

fn argmax(row: &[f32]) -> usize {
    (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}
