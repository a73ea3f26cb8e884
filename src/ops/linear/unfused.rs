//! The epilogue and its gradient as passes over a whole matrix, for products that are made in parts.

use super::backward::smooth_gradient;
use super::{Residuals, Saved};
use crate::activation::Activation;
use crate::dropout::Dropout;
use crate::epilogue::Epilogue;
use crate::error::Result;
use crate::exec::current_isa;
use crate::ops::activation::activate_in_place;
use crate::ops::check::Contiguous;
use crate::ops::dropout::dropout_in_place;
use crate::ops::elementwise::{add_assign, copy_into};
use crate::ops::select::{positive, select};
use crate::simd::Isa;
use crate::tensor::{View, ViewMut};

/// Makes the outputs of sums without bias, in place, and saves the same as a fused product. `y` is contiguous
/// and `[m, n]`, the epilogue fits it, and `saved` is prepared for both.
pub(in crate::ops) fn finish_sums(
    isa: Isa,
    mut y: ViewMut<'_>,
    epilogue: &Epilogue<'_>,
    mut saved: Option<&mut Saved>,
) -> Result<()> {
    if let Some(bias) = epilogue.bias {
        add_assign(y.reborrow(), bias)?;
    }
    if let Some(sums) = saved.as_mut().and_then(|s| s.pre_activation.as_mut()) {
        copy_into(y.as_view(), sums)?;
    }
    if epilogue.activation != Activation::Identity {
        activate_in_place(y.reborrow(), epilogue.activation)?;
    }
    let mut kept = saved.and_then(|saved| saved.kept.as_mut());
    if let Some(dropout) = &epilogue.dropout {
        dropout_in_place(y.reborrow(), dropout, kept.as_deref_mut())?;
    }
    if let (Activation::Relu, Some(kept), Some(y)) = (epilogue.activation, kept, y.as_mut_slice()) {
        positive(isa, y, kept);
    }
    Ok(())
}

/// The gradient of the sums with bias, from the gradient `g` of the outputs; what is saved is checked.
pub(in crate::ops) fn gradient_of_sums(
    g: View<'_>,
    epilogue: &Epilogue<'_>,
    saved: Residuals<'_>,
    dz: &mut [f32],
) -> Result<()> {
    if let Some(sums) = saved.pre_activation() {
        return smooth_gradient(g, epilogue, saved.kept(), sums, dz);
    }
    let isa = current_isa()?;
    let scale = epilogue.dropout.as_ref().map_or(1.0, Dropout::scale);
    saved.with_kept(isa, epilogue, g.len(), |kept| match kept {
        Some(kept) => {
            let g = Contiguous::new(g)?;
            select(isa, Some(g.as_slice()), kept, scale, dz);
            Ok(())
        }
        None => copy_into(g, ViewMut::contiguous(dz, g.shape())?),
    })
}
