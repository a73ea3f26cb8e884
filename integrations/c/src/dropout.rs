//! Dropout of each element.

use elision::{Dropout, Error, Form, Mask, ops};

use crate::fault::{Fault, Status, call};
use crate::keys::CKey;
use crate::memory;
use crate::settings::run;
use crate::views::{CView, CViewMut, Region, source_and_target};

/// `elision_dropout`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CDropout {
    /// The key.
    pub key: CKey,
    /// The drop probability.
    pub p: f64,
    /// The index of the first element.
    pub offset: u64,
    /// 0 for the inverted form, 1 for the original one.
    pub form: i32,
}

impl CDropout {
    /// # Safety
    /// A pointer that is not null points to a dropout.
    pub(crate) unsafe fn read(dropout: *const Self) -> Result<Dropout, Fault> {
        // SAFETY: by the contract.
        unsafe { memory::copy("dropout", dropout)? }.described()
    }

    pub(crate) fn described(self) -> Result<Dropout, Fault> {
        let form = match self.form {
            0 => Form::Inverted,
            1 => Form::Original,
            form => {
                let why = format_args!("there is no form {form}");
                return Err(Fault::new(Status::Value, "dropout", why));
            }
        };
        let dropout = Dropout::new(self.key.into(), self.p)
            .map_err(|error| Fault::within("dropout", &error))?;
        Ok(dropout.with_form(form).with_offset(self.offset))
    }
}

/// A mask that may be absent.
///
/// # Safety
/// As [`memory::handle`].
pub(crate) unsafe fn given<'a>(mask: *const Mask) -> Result<Option<&'a Mask>, Fault> {
    match mask.is_null() {
        true => Ok(None),
        // SAFETY: by the contract.
        false => unsafe { memory::handle("mask", mask) }.map(Some),
    }
}

/// The same, to be filled.
///
/// # Safety
/// As [`memory::handle_mut`].
pub(crate) unsafe fn to_fill<'a>(mask: *mut Mask) -> Result<Option<&'a mut Mask>, Fault> {
    match mask.is_null() {
        true => Ok(None),
        // SAFETY: by the contract.
        false => unsafe { memory::handle_mut("mask", mask) }.map(Some),
    }
}

/// The factor of a kept element.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_dropout_scale(
    dropout: *const CDropout,
    scale: *mut f32,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let dropout = unsafe { CDropout::read(dropout)? };
        // SAFETY: by the header.
        unsafe { memory::put("scale", scale, dropout.scale()) }
    })
}

/// Dropout in training.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_dropout_forward(
    x: *const CView,
    dropout: *const CDropout,
    out: *const CViewMut,
    mask: *mut Mask,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let (x, out) = unsafe { (Region::input("x", x)?, Region::output("out", out)?) };
        // SAFETY: by the header.
        let (dropout, mask) = unsafe { (CDropout::read(dropout)?, to_fill(mask)?) };
        // SAFETY: by the header.
        let (x, out) = unsafe { source_and_target(&x, &out)? };
        run(|| match x {
            Some(x) => ops::dropout_into(x, &dropout, out, mask),
            None => ops::dropout_in_place(out, &dropout, mask),
        })?;
        Ok(())
    })
}

/// The gradient of dropout.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_dropout_backward(
    g: *const CView,
    dropout: *const CDropout,
    mask: *const Mask,
    out: *const CViewMut,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let (g, out) = unsafe { (Region::input("g", g)?, Region::output("out", out)?) };
        // SAFETY: by the header.
        let (dropout, mask) = unsafe { (CDropout::read(dropout)?, given(mask)?) };
        // SAFETY: by the header.
        let (g, out) = unsafe { source_and_target(&g, &out)? };
        run(|| match g {
            Some(g) => ops::dropout_backward_into(g, &dropout, mask, out),
            None => ops::dropout_backward_in_place(out, &dropout, mask),
        })?;
        Ok(())
    })
}

/// What inference does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_dropout_inference(
    x: *const CView,
    dropout: *const CDropout,
    out: *const CViewMut,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let (x, out) = unsafe { (Region::input("x", x)?, Region::output("out", out)?) };
        // SAFETY: by the header.
        let dropout = unsafe { CDropout::read(dropout)? };
        // SAFETY: by the header.
        let (x, mut out) = unsafe { source_and_target(&x, &out)? };
        run(|| {
            if let Some(x) = x {
                check_shape(x.shape(), out.shape())?;
                ops::copy_into(x, out.reborrow())?;
            }
            ops::dropout_inference_in_place(out, &dropout)
        })?;
        Ok(())
    })
}

/// A copy would repeat an input of another shape.
fn check_shape(expected: &[usize], found: &[usize]) -> elision::Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Shape {
        what: "output of dropout",
        expected: expected.into(),
        found: found.into(),
    })
}
