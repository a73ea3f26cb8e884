//! What a forward pass is for.

use std::fmt;

/// What a forward pass is for; every layer knows what to do in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Training: dropout draws, normalisation uses the batch's statistics and updates the running ones.
    Train,
    /// Evaluation: dropout is the identity, normalisation uses the running statistics.
    #[default]
    Eval,
    /// Monte-Carlo dropout (Gal and Ghahramani 2016): dropout draws, normalisation as in evaluation.
    Mc,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Eval, Self::Mc];

    /// Whether dropout draws.
    #[must_use]
    pub const fn drops(self) -> bool {
        matches!(self, Self::Train | Self::Mc)
    }

    /// Whether normalisation uses the batch's own statistics.
    #[must_use]
    pub const fn uses_batch_statistics(self) -> bool {
        matches!(self, Self::Train)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Train => "train",
            Self::Eval => "eval",
            Self::Mc => "mc",
        })
    }
}
