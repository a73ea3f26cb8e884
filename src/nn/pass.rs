//! One forward pass through a model.

use std::cell::RefCell;
use std::rc::Rc;

use super::drawn::Drawn;
use super::layer::Layer;
use super::mode::Mode;
use super::summary::Row;
use super::updates::{Update, Updates};
use crate::autograd::{Parameter, Var};
use crate::dropout::Dropout;
use crate::error::Result;
use crate::key::Key;
use crate::tensor::Tensor;

/// One forward pass: its mode, and the key of the layer at hand.
///
/// A run has one key. A pass folds the step into it, and each layer the names on its path, so a layer's masks
/// depend on the seed, the step and its own name, and on no other layer.
///
/// ```
/// use elision::{Key, nn::Pass};
/// let pass = Pass::train(Key::new(1), 10);
/// assert_eq!(pass.child("hidden").key(), Key::new(1).fold_in(10).named("hidden"));
/// ```
#[derive(Clone, Debug)]
pub struct Pass {
    mode: Mode,
    key: Key,
    batch_statistics: bool,
    path: String,
    /// Whether this is the first run of a segment whose inner values are not kept.
    pub(super) checkpointed: bool,
    /// Whether penalties are those of a run that has been counted.
    pub(super) unpunished: bool,
    pub(super) shared: Rc<Shared>,
}

/// What all layers of a pass add to.
#[derive(Debug, Default)]
pub(super) struct Shared {
    updates: Option<RefCell<Updates>>,
    pub(super) penalties: Option<RefCell<Vec<Var>>>,
    rows: Option<RefCell<Vec<Row>>>,
    drawn: Option<RefCell<Vec<Drawn>>>,
}

impl Pass {
    fn new(mode: Mode, key: Key, shared: Shared) -> Self {
        Self {
            mode,
            key,
            batch_statistics: mode.uses_batch_statistics(),
            path: String::new(),
            checkpointed: false,
            unpunished: false,
            shared: Rc::new(shared),
        }
    }

    /// The pass of a training step of a run.
    #[must_use]
    pub fn train(run: Key, step: u64) -> Self {
        let shared = Shared {
            updates: Some(RefCell::default()),
            penalties: Some(RefCell::default()),
            ..Shared::default()
        };
        Self::new(Mode::Train, run.fold_in(step), shared)
    }

    /// A pass of evaluation.
    #[must_use]
    pub fn eval() -> Self {
        Self::new(Mode::Eval, Key::new(0), Shared::default())
    }

    /// The pass of one sample of Monte-Carlo dropout.
    #[must_use]
    pub fn mc(run: Key, sample: u64) -> Self {
        Self::new(Mode::Mc, run.fold_in(sample), Shared::default())
    }

    /// A pass without dropout in which normalisation sees the batch's statistics and notes them: to estimate them
    /// anew after training. Running statistics that were gathered under dropout are those of another distribution
    /// (Li et al. 2019, <https://arxiv.org/abs/1801.05134>).
    #[must_use]
    pub fn reestimate() -> Self {
        let shared = Shared {
            updates: Some(RefCell::default()),
            ..Shared::default()
        };
        let pass = Self::new(Mode::Eval, Key::new(0), shared);
        Self {
            batch_statistics: true,
            ..pass
        }
    }

    /// A pass of evaluation that notes what each layer makes.
    pub(super) fn traced() -> Self {
        let shared = Shared {
            rows: Some(RefCell::default()),
            ..Shared::default()
        };
        Self::new(Mode::Eval, Key::new(0), shared)
    }

    /// The same pass, in which layers note what their dropout decides: linear layers, convolutions,
    /// [`Dropout`](super::Dropout), [`DropBlock`](super::DropBlock), [`DropHead`](super::DropHead) and
    /// [`DropConnect`](super::DropConnect), and layers of your own that call [`note_mask`](Pass::note_mask). It costs
    /// memory and the drawing of the bits a second time, and changes nothing of what the layers make.
    ///
    /// ```
    /// use elision::autograd::Tape;
    /// use elision::nn::{Dropout, Layer, Pass};
    /// use elision::{Key, Tensor};
    /// let x = Tape::new().constant(Tensor::full(&[10, 4], 1.0)?);
    /// let pass = Pass::train(Key::new(1), 0).observed();
    /// let y = Dropout::new(0.5)?.forward(&x, &pass)?;
    /// let drawn = pass.take_drawn();
    /// let kept = y.view().iter().filter(|&y| y > 0.0).count();
    /// assert_eq!((drawn[0].units, drawn[0].mask.count_kept()), (4, kept));
    /// # Ok::<(), elision::Error>(())
    /// ```
    #[must_use]
    pub fn observed(self) -> Self {
        let shared = Shared {
            updates: self.shared.updates.is_some().then(RefCell::default),
            penalties: self.shared.penalties.is_some().then(RefCell::default),
            drawn: Some(RefCell::default()),
            ..Shared::default()
        };
        Self {
            shared: Rc::new(shared),
            ..self
        }
    }

    /// The mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The key of the layer at hand.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// Whether normalisation uses the batch's own statistics.
    #[must_use]
    pub fn uses_batch_statistics(&self) -> bool {
        self.batch_statistics
    }

    /// The names down to the layer at hand, joined by dots.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The pass for the layer of that name within this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let path = join(&self.path, name);
        Self {
            key: self.key.named(name),
            path,
            ..self.clone()
        }
    }

    /// Runs a layer within this one: what every container does for each of its children.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn run(&self, name: &str, layer: &dyn Layer, x: &Var) -> Result<Var> {
        let pass = self.child(name);
        let at = self.shared.rows.as_ref().map(|rows| {
            rows.borrow_mut().push(Row::new(&pass.path, layer));
            rows.borrow().len() - 1
        });
        let y = layer.forward(x, &pass)?;
        if let (Some(rows), Some(at)) = (&self.shared.rows, at) {
            rows.borrow_mut()[at].shape = y.shape().to_vec();
        }
        Ok(y)
    }

    /// The dropout of the layer at hand with drop probability `p`; `None` where this mode, or `p = 0`, drops nothing.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn dropout(&self, p: f64) -> Result<Option<Dropout>> {
        let dropout = Dropout::new(self.key, p)?;
        Ok((self.mode.drops() && p > 0.0).then_some(dropout))
    }

    /// Notes that some state of a layer is to move by the share `rate` of the way towards `target`, once the step is done.
    pub fn update(&self, state: &Parameter, target: Tensor, rate: f64) {
        if let Some(updates) = &self.shared.updates {
            let id = state.id();
            updates.borrow_mut().push(Update { id, target, rate });
        }
    }

    /// What the layers noted, which is then gone from the pass.
    #[must_use]
    pub fn take_updates(&self) -> Updates {
        self.shared
            .updates
            .as_ref()
            .map(RefCell::take)
            .unwrap_or_default()
    }

    /// The same pass within a segment whose inner values are not kept.
    #[must_use]
    pub(super) fn checkpointed(&self) -> Self {
        Self {
            checkpointed: true,
            ..self.clone()
        }
    }

    /// What dropout decided, if the pass is [`observed`](Pass::observed), in the order of the layers; it is then gone
    /// from the pass.
    #[must_use]
    pub fn take_drawn(&self) -> Vec<Drawn> {
        self.drawn().map(RefCell::take).unwrap_or_default()
    }

    pub(super) fn drawn(&self) -> Option<&RefCell<Vec<Drawn>>> {
        self.shared.drawn.as_ref()
    }

    /// The same pass, run a second time: nothing is noted.
    #[must_use]
    pub(super) fn again(&self) -> Self {
        Self {
            shared: Rc::default(),
            ..self.clone()
        }
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.shared
            .rows
            .as_ref()
            .map(RefCell::take)
            .unwrap_or_default()
    }
}

/// A path with one more name.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
