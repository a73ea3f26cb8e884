//! The kinds of dropout.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What is dropped together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Each element by itself.
    #[default]
    Element,
    /// A unit of a linear layer for the whole batch, which then costs nothing.
    Unit,
}
