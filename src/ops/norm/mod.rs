//! Normalisation of rows and of columns.

mod batch;
mod columns;
mod given;
mod rows;

pub use batch::{BatchNormSaved, batch_norm, batch_norm_backward_into, batch_norm_into};
pub use given::{
    GivenStatistics, batch_norm_inference, batch_norm_inference_backward_into,
    batch_norm_inference_into,
};
pub use rows::{
    NormSaved, layer_norm, layer_norm_backward_into, layer_norm_into, rms_norm,
    rms_norm_backward_into, rms_norm_into,
};

use super::check::{Contiguous, ContiguousMut, check_length, check_shape};
use crate::error::{Error, Result};
use crate::tensor::{View, ViewMut};

/// Two or three passes over memory that the first brings to the cache, in elements of a scaled copy.
const WEIGHT: usize = 4;

/// Where the gradients of a normalisation go; one that is `None` is not computed.
#[derive(Debug, Default)]
pub struct NormGradsInto<'a> {
    /// With respect to the input, and of its shape.
    pub x: Option<ViewMut<'a>>,
    /// With respect to the weight: shape `[features]`. It exists where the weight is absent, and so 1, too.
    pub weight: Option<ViewMut<'a>>,
    /// With respect to the bias: shape `[features]`.
    pub bias: Option<ViewMut<'a>>,
}

/// The shape of an input, seen as a matrix.
#[derive(Clone, Copy)]
struct Extent {
    rows: usize,
    features: usize,
}

impl Extent {
    /// The last axis of a view holds the features.
    fn of(x: &View<'_>, least_rank: usize) -> Result<Self> {
        match x.shape().split_last() {
            Some((&features, rows)) if rows.len() + 1 >= least_rank => Ok(Self {
                rows: rows.iter().product(),
                features,
            }),
            _ => Err(Error::Rank {
                what: "input of the norm, of this rank or more",
                expected: least_rank,
                found: x.rank(),
            }),
        }
    }

    /// One number for each feature, if given, must have that shape.
    fn check(self, what: &'static str, parameter: Option<&View<'_>>) -> Result<()> {
        parameter.map_or(Ok(()), |parameter| {
            check_shape(what, &[self.features], parameter.shape())
        })
    }

    fn check_parameters(self, weight: Option<&View<'_>>, bias: Option<&View<'_>>) -> Result<()> {
        self.check("weight of the norm", weight)?;
        self.check("bias of the norm", bias)
    }
}

/// What is added to a variance so that its root can be divided by.
fn check_eps(eps: f32) -> Result<f64> {
    if eps > 0.0 && eps.is_finite() {
        return Ok(f64::from(eps));
    }
    Err(Error::Number {
        what: "epsilon of the norm, positive and finite,",
        value: f64::from(eps),
    })
}

/// The elements of an optional view.
fn optional(view: Option<View<'_>>) -> Result<Option<Contiguous<'_>>> {
    view.map(Contiguous::new).transpose()
}

/// Room for `len` values in memory that is kept.
fn reserve<T>(values: &mut Vec<T>, len: usize) -> Result<()> {
    let more = len.saturating_sub(values.len());
    let room = values.try_reserve_exact(more);
    room.map_err(|_| Error::Overflow("what the norm saves"))
}

/// The gradients, checked, with room for each.
struct Grads<'a> {
    x: Option<ContiguousMut<'a>>,
    weight: Option<ContiguousMut<'a>>,
    bias: Option<ContiguousMut<'a>>,
}

impl<'a> Grads<'a> {
    fn new(grads: NormGradsInto<'a>, shape: &[usize], extent: Extent) -> Result<Self> {
        let check = |what, expected: &[usize], grad: &Option<ViewMut<'_>>| {
            grad.as_ref()
                .map_or(Ok(()), |grad| check_shape(what, expected, grad.shape()))
        };
        check("gradient of the norm's input", shape, &grads.x)?;
        check(
            "gradient of the norm's weight",
            &[extent.features],
            &grads.weight,
        )?;
        check(
            "gradient of the norm's bias",
            &[extent.features],
            &grads.bias,
        )?;
        let room = |grad: Option<ViewMut<'a>>| grad.map(ContiguousMut::new).transpose();
        Ok(Self {
            x: room(grads.x)?,
            weight: room(grads.weight)?,
            bias: room(grads.bias)?,
        })
    }

    fn has_parameters(&self) -> bool {
        self.weight.is_some() || self.bias.is_some()
    }

    /// Writes the gradients of weight and bias from sums over the rows, one after the other.
    fn write_parameters(&mut self, sums: &[f64]) {
        let (weight, bias) = sums.split_at(sums.len() / 2);
        for (grad, sums) in [(&mut self.weight, weight), (&mut self.bias, bias)] {
            if let Some(grad) = grad {
                for (grad, &sum) in grad.as_mut_slice().iter_mut().zip(sums) {
                    *grad = sum as f32;
                }
            }
        }
    }

    fn finish(self) -> Result<()> {
        let all = [self.x, self.weight, self.bias];
        all.into_iter()
            .flatten()
            .try_for_each(ContiguousMut::finish)
    }
}
