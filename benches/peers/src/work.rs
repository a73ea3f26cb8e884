//! What is measured, and at which sizes.

use serde::{Deserialize, Serialize};

use crate::peer::OURS;

/// The drop probability of every dropout but that of the training step's input.
pub(crate) const RATE: f64 = 0.5;

/// Elements of an elementwise operation: in the second-level cache, and beyond it.
const SIZES: [usize; 2] = [1 << 16, 1 << 20];

/// Small, skinny, square, and shapes of common networks.
const SHAPES: [[usize; 3]; 7] = [
    [1, 1024, 1024],
    [16, 1024, 1024],
    [64, 512, 512],
    [128, 784, 2048],
    [512, 768, 3072],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
];

/// A linear layer: `m` samples of `k` features to `n` outputs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) m: usize,
    pub(crate) k: usize,
    pub(crate) n: usize,
}

/// The training step's network, batch and optimiser, the same for every peer.
pub(crate) struct Training;

impl Training {
    /// Features, hidden units three times, classes.
    pub(crate) const WIDTHS: [usize; 5] = [784, 1024, 1024, 1024, 10];
    pub(crate) const BATCH: usize = 128;
    pub(crate) const INPUT_RATE: f64 = 0.2;
    pub(crate) const LEARNING_RATE: f64 = 0.01;
    pub(crate) const MOMENTUM: f64 = 0.9;
    /// Steps after which the loss must have fallen.
    pub(crate) const STEPS: u32 = 60;
}

/// One piece of work. The variants' names are those that the PyTorch script knows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub(crate) enum Work {
    /// Deciding which of `n` elements are kept.
    Mask { n: usize },
    /// `y = dropout(x)`.
    Dropout { n: usize },
    /// The same, and the gradient of x.
    DropoutStep { n: usize },
    /// `y = x w^T`.
    Linear(Shape),
    /// `y = dropout(relu(x w^T + bias))`.
    Fused(Shape),
    /// The fused layer by ours, in turn with the plain product by the others.
    FusedToPlain(Shape),
    /// The fused layer, and the gradients of x, w and bias.
    FusedStep(Shape),
    /// A step of training: forward, cross-entropy, backward, SGD with momentum.
    Train,
}

impl Work {
    /// Everything, in the order of the report.
    pub(crate) fn all() -> Vec<Self> {
        let shapes = SHAPES.map(|[m, k, n]| Shape { m, k, n });
        let mut all = Vec::new();
        all.extend(shapes.map(Self::Linear));
        all.extend(shapes.map(Self::FusedToPlain));
        all.extend(shapes.map(Self::Fused));
        all.extend(shapes.map(Self::FusedStep));
        all.push(Self::Train);
        all.extend(SIZES.map(|n| Self::Mask { n }));
        all.extend(SIZES.map(|n| Self::Dropout { n }));
        all.extend(SIZES.map(|n| Self::DropoutStep { n }));
        all
    }

    /// What a peer does of it.
    pub(crate) fn done_by(self, peer: &str) -> Self {
        match self {
            Self::FusedToPlain(s) if peer.starts_with(OURS) => Self::Fused(s),
            Self::FusedToPlain(s) => Self::Linear(s),
            other => other,
        }
    }

    /// What it is, without its size.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Mask { .. } => "mask",
            Self::Dropout { .. } => "dropout forward",
            Self::DropoutStep { .. } => "dropout forward + backward",
            Self::Linear(_) => "linear",
            Self::FusedToPlain(_) => "ours with bias, ReLU and dropout, the others plain",
            Self::Fused(_) => "linear + bias + ReLU + dropout forward",
            Self::FusedStep(_) => "linear + bias + ReLU + dropout forward + backward",
            Self::Train => "training step",
        }
    }

    /// The table it stands in: work that the same peers offer.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Linear(_) | Self::FusedToPlain(_) => "Matrix products: m x k x n",
            Self::Fused(_) | Self::FusedStep(_) | Self::Train => {
                "Layers with dropout, and a training step"
            }
            _ => "Masks, and dropout alone",
        }
    }

    /// Its size, as a reader writes it.
    pub(crate) fn size(self) -> String {
        match self {
            Self::Mask { n } | Self::Dropout { n } | Self::DropoutStep { n } => {
                if n % (1 << 20) == 0 {
                    format!("{} Mi", n >> 20)
                } else {
                    format!("{} Ki", n >> 10)
                }
            }
            Self::Linear(s) | Self::FusedToPlain(s) | Self::Fused(s) | Self::FusedStep(s) => {
                format!("{}x{}x{}", s.m, s.k, s.n)
            }
            Self::Train => format!("batch {}", Training::BATCH),
        }
    }

    /// Title and size.
    pub(crate) fn label(self) -> String {
        format!("{} {}", self.title(), self.size())
    }

    /// Floating-point operations of the matrix products of one call.
    pub(crate) fn flops(self) -> Option<f64> {
        let product = |s: Shape| 2.0 * (s.m * s.k * s.n) as f64;
        match self {
            Self::Linear(s) | Self::FusedToPlain(s) | Self::Fused(s) => Some(product(s)),
            Self::FusedStep(s) => Some(3.0 * product(s)),
            _ => None,
        }
    }

    /// Elements of an elementwise operation.
    pub(crate) fn elements(self) -> Option<usize> {
        match self {
            Self::Mask { n } | Self::Dropout { n } | Self::DropoutStep { n } => Some(n),
            _ => None,
        }
    }

    /// The lengths of an answer's arrays: the output, then the gradients of x, w and bias; of the training
    /// step, the losses before and after.
    pub(crate) fn answer_lengths(self) -> Vec<usize> {
        match self {
            Self::Mask { n } | Self::Dropout { n } => vec![n],
            Self::DropoutStep { n } => vec![n, n],
            Self::Linear(s) | Self::FusedToPlain(s) | Self::Fused(s) => vec![s.m * s.n],
            Self::FusedStep(s) => vec![s.m * s.n, s.m * s.k, s.n * s.k, s.n],
            Self::Train => vec![2],
        }
    }
}
