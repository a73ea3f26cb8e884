//! A layer with its name.

use serde::{Deserialize, Serialize};

use super::table::LayerTable;
use super::{Kind, Method};

/// A layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "LayerTable", into = "LayerTable")]
pub struct Layer {
    /// Tells its weights and masks from those of others.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How it drops; as the model, if it is not said.
    pub method: Option<Method>,
}

impl Layer {
    /// A layer with a name.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        let name = name.into();
        let method = None;
        Self { name, kind, method }
    }
}
