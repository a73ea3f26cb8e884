//! From the features of a file to those of a network.

use serde::{Deserialize, Serialize};

use super::Encoder;

/// What is done to the features of a row, as the training rows asked for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Preparation {
    /// All are divided by one number: the white of an image.
    Divided {
        /// Features of a row.
        features: usize,
        /// The number.
        by: f32,
    },
    /// Each column by its kind.
    Encoded(Encoder),
}

impl Preparation {
    /// Features of a row of the file.
    #[must_use]
    pub fn columns(&self) -> usize {
        match self {
            Self::Divided { features, .. } => *features,
            Self::Encoded(encoder) => encoder.columns(),
        }
    }

    /// Features of a row of the network.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Self::Divided { features, .. } => *features,
            Self::Encoded(encoder) => encoder.features(),
        }
    }

    /// Prepares row-major rows.
    #[must_use]
    pub fn apply(&self, mut x: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Divided { by, .. } => {
                x.iter_mut().for_each(|x| *x /= by);
                x
            }
            Self::Encoded(encoder) => encoder.apply(&x),
        }
    }

    /// Whether its numbers belong together; those of a file need not.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Self::Divided { features, by } => *features > 0 && *by > 0.0 && by.is_finite(),
            Self::Encoded(encoder) => encoder.is_sound(),
        }
    }
}
