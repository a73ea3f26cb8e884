//! The walk from a loss back to the leaves.

use std::fmt;
use std::rc::Rc;

use super::gradients::Gradients;
use super::parameter::LeafId;
use super::pool::{Buffer, Charge, Pool};
use super::saves::{KeptBytes, Saves};
use super::tape::{Note, Tape};
use super::value::Value;
use super::var::Var;
use crate::error::{Error, Result};
use crate::tensor::{Dims, Tensor};

/// An operation to be noted.
#[derive(Debug)]
pub struct Step<'a> {
    /// Its name in reports.
    pub op: &'static str,
    /// What it read.
    pub inputs: &'a [&'a Var],
    /// What it made.
    pub output: Value,
}

impl Step<'_> {
    /// Notes the operation on the tape of its inputs: its output becomes a variable. `backward` is given what was
    /// saved, the gradient of the output, and where the gradients of the inputs go. Nothing is noted, and `saved` freed,
    /// if no input needs a gradient.
    ///
    /// ```
    /// use elision::{Result, autograd::{Step, Tape, Value, Var}, ops};
    ///
    /// /// e^x; the output is its own derivative.
    /// fn exp(x: &Var) -> Result<Var> {
    ///     let mut y = x.tape().buffer(x.shape())?;
    ///     ops::exp_into(x, &mut *y)?;
    ///     let y = Value::from(y);
    ///     let step = Step { op: "exp", inputs: &[x], output: y.clone() };
    ///     step.record(y, |y, dy, gradients| {
    ///         let mut dx = gradients.buffer(dy.shape())?;
    ///         ops::mul_into(&dy, &y, &mut *dx)?;
    ///         gradients.add(0, dx)
    ///     })
    /// }
    /// # let tape = Tape::new();
    /// # let x = tape.variable(elision::Tensor::full(&[1], 0.0)?);
    /// # assert_eq!(exp(&x)?.sum()?.backward()?.of(&x).unwrap().as_slice(), Some(&[1.0][..]));
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tape::of`].
    pub fn record<S: Saves + 'static>(
        self,
        saved: S,
        backward: impl FnOnce(S, Value, &mut InputGradients<'_>) -> Result<()> + 'static,
    ) -> Result<Var> {
        Ok(Tape::of(self.inputs)?.record(self, saved, backward))
    }
}

/// A note of a tape.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) op: &'static str,
    /// The shape of the output and of its gradient.
    pub(super) shape: Dims,
    /// The numbers of the inputs' nodes; `None` for a constant.
    pub(super) inputs: Vec<Option<u64>>,
    pub(super) work: Work,
    pub(super) _charge: Charge,
}

impl Node {
    pub(super) fn count(&self, kept: &mut KeptBytes) {
        if let Work::Operation(operation) = &self.work {
            operation.count(kept);
        }
    }

    pub(super) fn note(&self) -> Note {
        let mut kept = KeptBytes::default();
        self.count(&mut kept);
        Note { op: self.op, kept }
    }
}

/// What the backward pass does at a node.
pub(super) enum Work {
    /// Hands the gradient out.
    Leaf(LeafId),
    /// Passes gradients on.
    Operation(Box<dyn Backward>),
}

impl Work {
    pub(super) fn operation<S, F>(saved: S, backward: F) -> Self
    where
        S: Saves + 'static,
        F: FnOnce(S, Value, &mut InputGradients<'_>) -> Result<()> + 'static,
    {
        Self::Operation(Box::new(Operation { saved, backward }))
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leaf(_) => "leaf",
            Self::Operation(_) => "operation",
        })
    }
}

/// An operation's backward pass, of whatever type.
pub(super) trait Backward {
    fn count(&self, kept: &mut KeptBytes);
    fn run(self: Box<Self>, dy: Value, gradients: &mut InputGradients<'_>) -> Result<()>;
}

struct Operation<S, F> {
    saved: S,
    backward: F,
}

impl<S, F> Backward for Operation<S, F>
where
    S: Saves,
    F: FnOnce(S, Value, &mut InputGradients<'_>) -> Result<()>,
{
    fn count(&self, kept: &mut KeptBytes) {
        self.saved.count(kept);
    }

    fn run(self: Box<Self>, dy: Value, gradients: &mut InputGradients<'_>) -> Result<()> {
        (self.backward)(self.saved, dy, gradients)
    }
}

/// Where the gradients of an operation's inputs go.
#[derive(Debug)]
pub struct InputGradients<'a> {
    first: u64,
    inputs: Vec<Option<u64>>,
    /// The nodes before that of the operation, and a place for the gradient of each.
    nodes: &'a [Node],
    slots: &'a mut [Option<Value>],
    leaves: &'a mut Gradients,
    pool: &'a Rc<Pool>,
}

impl InputGradients<'_> {
    /// Whether the gradient of input `i` is asked for; if not, do not compute it.
    #[must_use]
    pub fn wants(&self, i: usize) -> bool {
        self.inputs.get(i).is_some_and(Option::is_some)
    }

    /// Memory for a gradient.
    ///
    /// # Errors
    /// [`Error::RankLimit`], [`Error::Overflow`] if the shape cannot be allocated.
    pub fn buffer(&self, shape: &[usize]) -> Result<Buffer> {
        self.pool.take(shape)
    }

    /// Memory for the gradient of input `i`, if it is asked for.
    ///
    /// # Errors
    /// Those of [`buffer`](InputGradients::buffer).
    pub fn wanted(&self, i: usize, shape: &[usize]) -> Result<Option<Buffer>> {
        self.wants(i).then(|| self.buffer(shape)).transpose()
    }

    /// Adds to the gradient of input `i`; nothing happens if it is not asked for.
    ///
    /// # Errors
    /// [`Error::Length`] if the gradient has not as many elements as the input, [`Error::Overflow`] if memory is
    /// short.
    pub fn add(&mut self, i: usize, gradient: impl Into<Value>) -> Result<()> {
        let Some(&Some(node)) = self.inputs.get(i) else {
            return Ok(());
        };
        let node = (node - self.first) as usize;
        let gradient = gradient.into().reshape(&self.nodes[node].shape)?;
        match &mut self.slots[node] {
            Some(sum) => sum.add(&gradient),
            empty => {
                *empty = Some(gradient);
                Ok(())
            }
        }
    }

    /// Adds [`wanted`](InputGradients::wanted) memory, if there is any.
    ///
    /// # Errors
    /// Those of [`add`](InputGradients::add).
    pub fn add_wanted(&mut self, i: usize, gradient: Option<Buffer>) -> Result<()> {
        gradient.map_or(Ok(()), |gradient| self.add(i, gradient))
    }

    /// Adds the gradients of leaves that are no inputs.
    pub(super) fn add_leaves(&mut self, leaves: Gradients) -> Result<()> {
        for (leaf, gradient) in leaves.into_leaves() {
            self.leaves.add(leaf, gradient)?;
        }
        Ok(())
    }
}

/// The gradients of all leaves below `output`, given the gradient of `output`; the notes are freed on the way.
pub(super) fn sweep(output: &Var, gradient: Value) -> Result<Gradients> {
    let tape = Tape::of(&[output])?;
    let Some(last) = output.node() else {
        return Err(Error::Unsupported("no gradient reaches a constant"));
    };
    let (first, mut nodes) = tape.take_nodes();
    nodes.truncate((last - first) as usize + 1);
    let mut slots: Vec<Option<Value>> = vec![None; nodes.len()];
    slots[(last - first) as usize] = Some(gradient);
    let mut leaves = Gradients::default();
    while let Some(node) = nodes.pop() {
        let Some(dy) = slots.pop().flatten() else {
            continue;
        };
        match node.work {
            Work::Leaf(leaf) => leaves.add(leaf, dy)?,
            Work::Operation(operation) => {
                let mut gradients = InputGradients {
                    first,
                    inputs: node.inputs,
                    nodes: &nodes,
                    slots: &mut slots,
                    leaves: &mut leaves,
                    pool: tape.pool(),
                };
                operation.run(dy, &mut gradients)?;
            }
        }
    }
    Ok(leaves)
}

/// The gradient of a loss with respect to itself.
pub(super) fn one(loss: &Var) -> Result<Value> {
    if loss.value().len() != 1 {
        return Err(Error::Shape {
            what: "loss",
            expected: [][..].into(),
            found: loss.shape().into(),
        });
    }
    Ok(Tensor::full(loss.shape(), 1.0)?.into())
}
