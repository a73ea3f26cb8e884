//! Masks of units: one decision a column, shared by every row.

use super::Mask;
use crate::error::{Error, Result};

/// Which units of a layer are kept, for all rows of a batch alike, and the factor of those that are.
///
/// It holds the mask and the list of kept indices, so that a layer can compute the kept units alone:
/// [`ops::unit_linear`](crate::ops::unit_linear) does. [`UnitMask::draw`] makes a random one.
///
/// ```
/// use elision::{Mask, UnitMask};
/// let units = UnitMask::from_mask(&Mask::from_bools(&[true, false, true]), 1.5)?;
/// assert_eq!((units.len(), units.kept(), units.scale()), (3, &[0, 2][..], 1.5));
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UnitMask {
    mask: Mask,
    /// What the mask keeps, ascending.
    kept: Vec<u32>,
    scale: f32,
}

impl UnitMask {
    /// The units that `mask` keeps, each to be multiplied by `scale`.
    ///
    /// # Errors
    /// [`Error::Overflow`] if the number of units does not fit 32 bits, [`Error::Number`] if `scale` is not
    /// finite and positive.
    pub fn from_mask(mask: &Mask, scale: f32) -> Result<Self> {
        check_units(mask.len())?;
        Self::over(mask.clone(), scale)
    }

    /// The number of units, kept or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mask.len()
    }

    /// Whether there are no units.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mask.is_empty()
    }

    /// The indices of the kept units, ascending.
    #[must_use]
    pub fn kept(&self) -> &[u32] {
        &self.kept
    }

    /// The factor of a kept unit.
    #[must_use]
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// One bit a unit.
    #[must_use]
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// The same as [`from_mask`](UnitMask::from_mask), without a copy.
    pub(crate) fn over(mask: Mask, scale: f32) -> Result<Self> {
        check_units(mask.len())?;
        let kept = Vec::with_capacity(mask.len());
        let mut units = Self { mask, kept, scale };
        units.rewrite(scale, |_| Ok(()))?;
        Ok(units)
    }

    /// Changes the mask's bits, but not their number, and lists what it keeps.
    pub(crate) fn rewrite(
        &mut self,
        scale: f32,
        change: impl FnOnce(&mut Mask) -> Result<()>,
    ) -> Result<()> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Error::Number {
                what: "scale of a unit mask (positive)",
                value: f64::from(scale),
            });
        }
        change(&mut self.mask)?;
        self.scale = scale;
        self.kept.clear();
        // The indices fit: `check_units` has seen the length.
        self.kept.extend(self.mask.kept().map(|i| i as u32));
        Ok(())
    }
}

/// The indices of `units` units must fit 32 bits.
pub(crate) fn check_units(units: usize) -> Result<()> {
    u32::try_from(units)
        .map(|_| ())
        .map_err(|_| Error::Overflow("units of a mask"))
}
