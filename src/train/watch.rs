//! What early stopping looks at.

use super::batch::Batch;

/// The score of the validation part that tells the best epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// The least loss.
    #[default]
    Loss,
    /// The greatest accuracy.
    Accuracy,
}

impl Watch {
    /// Whether a score is better than another; one that is NaN is not, and any other is better than NaN.
    fn improves(self, score: &Batch, on: &Batch) -> bool {
        let [new, old] = match self {
            Self::Loss => [-score.loss, -on.loss],
            Self::Accuracy => [score.accuracy(), on.accuracy()],
        };
        new > old || old.is_nan() && !new.is_nan()
    }
}

/// The best epoch so far, and its model if it is to be kept.
#[derive(Debug)]
pub(super) struct Best<M> {
    watch: Watch,
    best: Option<(u64, Batch)>,
    pub(super) model: Option<M>,
}

impl<M> Best<M> {
    pub(super) fn new(watch: Watch) -> Self {
        let (best, model) = (None, None);
        Self { watch, best, model }
    }

    /// Notes an epoch; whether it is the best.
    pub(super) fn see(&mut self, epoch: u64, score: Batch) -> bool {
        let better = match &self.best {
            None => true,
            Some((_, best)) => self.watch.improves(&score, best),
        };
        if better {
            self.best = Some((epoch, score));
        }
        better
    }

    pub(super) fn epoch(&self) -> Option<u64> {
        self.best.map(|(epoch, _)| epoch)
    }
}
