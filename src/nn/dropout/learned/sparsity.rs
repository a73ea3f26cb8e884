//! How sparse a model is.

use super::sparse_variational::kept;
use crate::autograd::Parameter;
use crate::error::Result;
use crate::nn::Layer;

/// How many weights a [`SparseVariational`](crate::nn::SparseVariational) layer of a model keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparsity {
    /// The layer's path; empty for the model itself.
    pub path: String,
    /// Its weights.
    pub weights: usize,
    /// Those that evaluation reads.
    pub kept: usize,
}

impl Sparsity {
    /// The share that evaluation takes for 0.
    #[must_use]
    pub fn pruned_share(&self) -> f64 {
        1.0 - self.kept as f64 / self.weights.max(1) as f64
    }
}

/// Every layer of sparse variational dropout in a model: those that hold a `log_sigma2` beside a `weight` of its shape. All
/// weights over all that are kept is the compression that papers report.
///
/// # Errors
/// [`Error::Overflow`](crate::Error::Overflow) if memory is short.
pub fn sparsity(model: &dyn Layer) -> Result<Vec<Sparsity>> {
    let all = model.named_parameters();
    let mut found = Vec::new();
    for (name, spread) in &all {
        let Some(path) = name.strip_suffix("log_sigma2") else {
            continue;
        };
        let named = |own: &&(String, &Parameter)| own.0 == format!("{path}weight");
        if let Some((_, weight)) = all.iter().find(named)
            && weight.value().shape() == spread.value().shape()
        {
            let kept = kept(weight.value(), spread.value())?;
            found.push(Sparsity {
                path: path.trim_end_matches('.').to_owned(),
                weights: kept.len(),
                kept: kept.count_kept(),
            });
        }
    }
    Ok(found)
}
