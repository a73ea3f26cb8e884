//! The record of a computation.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::backward::{InputGradients, Node, Step, Work};
use super::parameter::{LeafId, Parameter};
use super::pool::{Buffer, Charge, KeptState, Pool, State};
use super::saves::{KeptBytes, Saves};
use super::value::Value;
use super::var::Var;
use crate::error::{Error, Result};

/// The record of a computation and the memory of its values. A handle: a clone is the same tape.
///
/// Operations on the variables of a tape are noted in their order, each with what its backward pass will need.
/// [`Var::backward`] walks the notes from the last to the first and frees them. The memory then serves the next
/// computation, so keep one tape for a training run.
///
/// ```
/// use elision::{Tensor, autograd::Tape};
/// let tape = Tape::new();
/// let x = tape.variable(Tensor::from_slice(&[1.0, 2.0], &[2])?);
/// let gradients = x.mul(&x)?.sum()?.backward()?;
/// assert_eq!(gradients.of(&x).unwrap().as_slice(), Some(&[2.0, 4.0][..]));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tape(Rc<Record>);

#[derive(Debug, Default)]
struct Record {
    nodes: RefCell<Vec<Node>>,
    /// The number of the first of `nodes`: those before are freed.
    first: Cell<u64>,
    /// The parameters that were read, with their nodes.
    parameters: RefCell<HashMap<LeafId, (Value, Option<u64>)>>,
    paused: Cell<bool>,
    recomputing: Cell<bool>,
    pool: Rc<Pool>,
}

/// One note of a tape, for people who ask where the memory goes.
#[derive(Clone, Debug)]
pub struct Note {
    /// The operation.
    pub op: &'static str,
    /// What it keeps.
    pub kept: KeptBytes,
}

impl Tape {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty tape with the memory of this one.
    pub(super) fn sibling(&self) -> Self {
        Self(Rc::new(Record {
            recomputing: Cell::new(self.0.recomputing.get()),
            pool: Rc::clone(&self.0.pool),
            ..Record::default()
        }))
    }

    /// A variable that no gradient reaches: data.
    #[must_use]
    pub fn constant(&self, value: impl Into<Value>) -> Var {
        Var::new(self.clone(), value.into(), None)
    }

    /// A leaf whose gradient is asked for.
    #[must_use]
    pub fn variable(&self, value: impl Into<Value>) -> Var {
        let value = value.into();
        let leaf = LeafId::fresh();
        let node = self.push_leaf(leaf, &value);
        Var::new(self.clone(), value, node).with_leaf(leaf)
    }

    /// A parameter, as it is now. Reading it again gives the same variable; a frozen one, or one that is read
    /// while nothing is noted, is a constant.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the parameter has been changed since this tape read it: one graph cannot
    /// hold two versions of it.
    pub fn parameter(&self, parameter: &Parameter) -> Result<Var> {
        if !parameter.is_trainable() || !self.is_recording() {
            return Ok(self.constant(parameter.shared().clone()));
        }
        let id = parameter.id();
        if let Some((value, node)) = self.0.parameters.borrow().get(&id) {
            if !value.is(parameter.shared()) {
                return Err(Error::Unsupported(
                    "one graph cannot hold two versions of a parameter",
                ));
            }
            return Ok(Var::new(self.clone(), value.clone(), *node).with_leaf(id));
        }
        let value = Value::from(parameter.shared().clone());
        let node = self.push_leaf(id, &value);
        let read = (value.clone(), node);
        self.0.parameters.borrow_mut().insert(id, read);
        Ok(Var::new(self.clone(), value, node).with_leaf(id))
    }

    /// Memory for the output of an operation.
    ///
    /// # Errors
    /// [`Error::RankLimit`], [`Error::Overflow`] if the shape cannot be allocated.
    pub fn buffer(&self, shape: &[usize]) -> Result<Buffer> {
        self.0.pool.take(shape)
    }

    /// State for a fused layer's backward pass.
    pub(super) fn kept_state<T: State>(&self) -> KeptState<T> {
        self.0.pool.take_state()
    }

    /// Runs `f` without noting anything: its results are constants, and values are freed as they are dropped.
    pub fn no_grad<R>(&self, f: impl FnOnce() -> R) -> R {
        /// Puts the former state back, also when the closure panics.
        struct Restore<'a>(&'a Cell<bool>, bool);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _restore = Restore(&self.0.paused, self.0.paused.replace(true));
        f()
    }

    /// Whether operations are noted.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        !self.0.paused.get()
    }

    /// Whether the bits of masks are found again in the backward pass instead of being kept:
    /// see [`Saved::recomputing`](crate::ops::Saved::recomputing).
    pub fn set_recomputing(&self, recomputing: bool) {
        self.0.recomputing.set(recomputing);
    }

    pub(super) fn is_recomputing(&self) -> bool {
        self.0.recomputing.get()
    }

    /// Frees what is noted, as a backward pass does at its end.
    pub fn clear(&self) {
        let nodes = self.take_nodes();
        drop(nodes);
    }

    /// Bytes of values and of what operations keep, now. Parameters and the caller's tensors are not counted.
    #[must_use]
    pub fn live_bytes(&self) -> usize {
        self.0.pool.live()
    }

    /// The most that [`live_bytes`](Tape::live_bytes) was since the beginning or
    /// [`reset_peak`](Tape::reset_peak): set it back before a step and read it after.
    #[must_use]
    pub fn peak_bytes(&self) -> usize {
        self.0.pool.peak()
    }

    /// Begins to look for the peak anew.
    pub fn reset_peak(&self) {
        self.0.pool.reset_peak();
    }

    /// What is noted, in order, with the memory that each operation keeps for its backward pass.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        self.0.nodes.borrow().iter().map(Node::note).collect()
    }

    /// What all operations keep together; a value that several keep counts once.
    #[must_use]
    pub fn kept(&self) -> KeptBytes {
        let mut kept = KeptBytes::default();
        self.0
            .nodes
            .borrow()
            .iter()
            .for_each(|node| node.count(&mut kept));
        kept
    }

    /// The tape of an operation on these variables.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if they are of several tapes, [`Error::Freed`] if one is of a graph that is gone.
    pub fn of(inputs: &[&Var]) -> Result<Self> {
        let [first, rest @ ..] = inputs else {
            return Err(Error::Empty("an operation"));
        };
        let tape = first.tape();
        if rest
            .iter()
            .any(|input| !Rc::ptr_eq(&input.tape().0, &tape.0))
        {
            return Err(Error::Unsupported("variables of two tapes do not mix"));
        }
        let freed = |input: &&&Var| input.node().is_some_and(|node| node < tape.0.first.get());
        match inputs.iter().find(freed) {
            Some(_) => Err(Error::Freed),
            None => Ok(tape.clone()),
        }
    }

    /// Notes an operation on checked inputs: its output becomes a variable. Nothing is noted, and `saved` freed, if no
    /// input needs a gradient.
    pub(super) fn record<S: Saves + 'static>(
        &self,
        step: Step<'_>,
        saved: S,
        backward: impl FnOnce(S, Value, &mut InputGradients<'_>) -> Result<()> + 'static,
    ) -> Var {
        let inputs: Vec<_> = step.inputs.iter().map(|input| input.node()).collect();
        if inputs.iter().all(Option::is_none) {
            return Var::new(self.clone(), step.output, None);
        }
        self.record_always(step, saved, backward)
    }

    /// The same for an operation that reads parameters besides its inputs.
    pub(super) fn record_always<S: Saves + 'static>(
        &self,
        step: Step<'_>,
        saved: S,
        backward: impl FnOnce(S, Value, &mut InputGradients<'_>) -> Result<()> + 'static,
    ) -> Var {
        if !self.is_recording() {
            return Var::new(self.clone(), step.output, None);
        }
        let mut kept = KeptBytes::default();
        saved.count(&mut kept);
        let node = self.push(Node {
            op: step.op,
            shape: step.output.dims(),
            inputs: step.inputs.iter().map(|input| input.node()).collect(),
            work: Work::operation(saved, backward),
            _charge: Charge::new(&self.0.pool, kept.own_bytes()),
        });
        Var::new(self.clone(), step.output, Some(node))
    }

    fn push_leaf(&self, leaf: LeafId, value: &Value) -> Option<u64> {
        self.is_recording().then(|| {
            self.push(Node {
                op: "leaf",
                shape: value.dims(),
                inputs: Vec::new(),
                work: Work::Leaf(leaf),
                _charge: Charge::new(&self.0.pool, 0),
            })
        })
    }

    fn push(&self, node: Node) -> u64 {
        let mut nodes = self.0.nodes.borrow_mut();
        nodes.push(node);
        self.0.first.get() + nodes.len() as u64 - 1
    }

    /// The notes, which are then gone from the tape, and the number of the first.
    pub(super) fn take_nodes(&self) -> (u64, Vec<Node>) {
        let nodes = std::mem::take(&mut *self.0.nodes.borrow_mut());
        self.0.parameters.borrow_mut().clear();
        let first = self.0.first.get();
        self.0.first.set(first + nodes.len() as u64);
        (first, nodes)
    }

    pub(super) fn pool(&self) -> &Rc<Pool> {
        &self.0.pool
    }
}
