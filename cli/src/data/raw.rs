//! Rows as the files have them, and the step from there to what a network learns from.

use super::{Column, Dataset, Encoder, Fault, HoldOut, Part, Preparation, hold_out};

/// A data set before it is scaled.
pub(crate) struct Raw {
    pub(crate) name: String,
    pub(crate) classes: Vec<String>,
    pub(super) scaling: Scaling,
    pub(crate) train: Part,
    pub(crate) test: Part,
}

/// How features are scaled.
pub(super) enum Scaling {
    /// All by one known number.
    Divided { features: usize, by: f32 },
    /// As the training rows ask for, each column by its kind.
    Fitted(Vec<Column>),
}

impl Raw {
    /// Columns of a row, before it is scaled.
    pub(crate) fn columns(&self) -> usize {
        match &self.scaling {
            Scaling::Divided { features, .. } => *features,
            Scaling::Fitted(columns) => columns.len(),
        }
    }

    /// Holds validation rows out first, so that nothing of them enters what scaling is fitted to.
    pub(super) fn dataset(self, validation: Option<HoldOut>) -> Result<Dataset, Fault> {
        let columns = self.columns();
        let (mut train, mut validation) = match validation {
            None => (self.train, None),
            Some(which) => {
                let (train, validation) = hold_out(self.train, columns, which)?;
                (train, Some(validation))
            }
        };
        let mut test = self.test;
        let preparation = match self.scaling {
            Scaling::Divided { features, by } => Preparation::Divided { features, by },
            Scaling::Fitted(columns) => Preparation::Encoded(Encoder::fit(&train.x, &columns)),
        };
        for part in [&mut train, &mut test].into_iter().chain(&mut validation) {
            part.x = preparation.apply(std::mem::take(&mut part.x));
        }
        Ok(Dataset {
            name: self.name,
            features: preparation.features(),
            classes: self.classes,
            preparation,
            train,
            validation,
            test,
        })
    }
}
