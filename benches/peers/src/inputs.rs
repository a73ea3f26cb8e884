//! The numbers that every peer is given.

use elision::Key;

use crate::work::{Training, Work};

/// The arrays of one piece of work, row-major; those that it has no use for are empty.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// `m x k`, or the elements of dropout.
    pub(crate) x: Vec<f32>,
    /// `n x k`.
    pub(crate) w: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    /// The gradient of the output.
    pub(crate) g: Vec<f32>,
    /// The classes of the training step's samples.
    pub(crate) labels: Vec<u32>,
}

impl Inputs {
    /// The same numbers for the same work in every process.
    pub(crate) fn new(work: Work) -> Self {
        match work {
            Work::Mask { .. } => Self::default(),
            Work::Dropout { n } | Work::DropoutStep { n } => Self {
                x: noise(n, 1),
                g: noise(n, 4),
                ..Self::default()
            },
            Work::Linear(s) | Work::FusedToPlain(s) | Work::Fused(s) | Work::FusedStep(s) => Self {
                x: noise(s.m * s.k, 1),
                w: noise(s.n * s.k, 2),
                bias: noise(s.n, 3),
                g: noise(s.m * s.n, 4),
                labels: Vec::new(),
            },
            Work::Train => samples(),
        }
    }
}

/// Numbers in (-0.5, 0.5) that a seed decides. None is zero, so that a zero in an output was put there.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let key = Key::new(seed);
    let number = |i| {
        let random = (key.fold_in(i).to_u128() >> 105) as f32;
        (random + 0.5) / 8_388_608.0 - 0.5
    };
    (0..len as u64).map(number).collect()
}

/// A batch that can be learnt: the features of a class lie around a point of its own.
fn samples() -> Inputs {
    let (features, classes) = (Training::WIDTHS[0], Training::WIDTHS[4]);
    let points = noise(classes * features, 5);
    let mut x = noise(Training::BATCH * features, 6);
    let labels: Vec<u32> = (0..Training::BATCH).map(|i| (i % classes) as u32).collect();
    for (row, &label) in x.chunks_exact_mut(features).zip(&labels) {
        let point = &points[label as usize * features..][..features];
        for (x, point) in row.iter_mut().zip(point) {
            *x = 0.5 * (*x + point);
        }
    }
    Inputs {
        x,
        labels,
        ..Inputs::default()
    }
}
