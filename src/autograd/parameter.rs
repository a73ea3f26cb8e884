//! Parameters: what training changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A tensor with an identity, which its gradient and its optimiser's state go by.
///
/// A clone is the same parameter and, until one of both is changed, the same memory: a copy of a model costs
/// nothing, and a graph that still reads a parameter keeps the value that it has read.
///
/// ```
/// use elision::{Tensor, autograd::Parameter};
/// let mut w = Parameter::new(Tensor::zeros(&[2])?);
/// let before = w.clone();
/// w.value_mut().as_mut_slice()[0] = 1.0;
/// assert_eq!((before.value().as_slice()[0], before.id() == w.id()), (0.0, true));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Parameter {
    id: LeafId,
    value: Arc<Tensor>,
    trainable: bool,
}

/// What tells a parameter, or another leaf of graphs, from all others of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeafId(u64);

impl LeafId {
    pub(super) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Parameter {
    /// A new parameter.
    #[must_use]
    pub fn new(value: Tensor) -> Self {
        Self {
            id: LeafId::fresh(),
            value: Arc::new(value),
            trainable: true,
        }
    }

    /// State of a layer that no gradient reaches, such as running statistics: part of a checkpoint, not of a
    /// step of the optimiser.
    #[must_use]
    pub fn state(value: Tensor) -> Self {
        Self {
            trainable: false,
            ..Self::new(value)
        }
    }

    /// The identity.
    #[must_use]
    pub fn id(&self) -> LeafId {
        self.id
    }

    /// Whether gradients are computed.
    #[must_use]
    pub fn is_trainable(&self) -> bool {
        self.trainable
    }

    /// The same parameter, frozen or to be trained.
    pub fn set_trainable(&mut self, trainable: bool) {
        self.trainable = trainable;
    }

    /// The elements.
    #[must_use]
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// The elements to be changed; copied first if a clone or a graph still reads them.
    #[must_use]
    pub fn value_mut(&mut self) -> &mut Tensor {
        Arc::make_mut(&mut self.value)
    }

    /// Puts other elements in the place of these.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shape is another.
    pub fn set(&mut self, value: Tensor) -> Result<()> {
        if value.shape() != self.value.shape() {
            return Err(Error::Shape {
                what: "value of a parameter",
                expected: self.value.shape().into(),
                found: value.shape().into(),
            });
        }
        self.value = Arc::new(value);
        Ok(())
    }

    pub(super) fn shared(&self) -> &Arc<Tensor> {
        &self.value
    }
}
