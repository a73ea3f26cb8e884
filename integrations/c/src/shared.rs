//! Dropout of groups of elements that share a fate.

use elision::{Channels, Dims, Dropout, Mask, Where, ops};

use crate::dropout::{CDropout, given, to_fill};
use crate::fault::{Fault, Status, call};
use crate::memory;
use crate::settings::run;
use crate::views::{CView, CViewMut, Region, dims};

/// `elision_shared_dropout`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CSharedDropout {
    /// The rate and the key.
    pub dropout: CDropout,
    /// The shape of the decisions.
    pub noise_shape: *const usize,
    /// Its number of axes.
    pub noise_rank: usize,
}

impl CSharedDropout {
    /// # Safety
    /// A pointer that is not null points to a dropout of groups as the header describes it.
    unsafe fn read(dropout: *const Self) -> Result<(Dropout, Dims), Fault> {
        // SAFETY: by the contract.
        let shared = unsafe { memory::copy("dropout", dropout)? };
        // SAFETY: by the contract.
        let sizes = unsafe { sizes("noise_shape", shared.noise_shape, shared.noise_rank)? };
        Ok((shared.dropout.described()?, sizes))
    }
}

/// A copy of some sizes of the caller.
///
/// # Safety
/// A pointer that is not null points to `rank` sizes.
unsafe fn sizes(what: &str, sizes: *const usize, rank: usize) -> Result<Dims, Fault> {
    // SAFETY: by the contract, and the borrow ends with the copy.
    dims(what, unsafe { memory::elements(what, sizes, rank)? })
}

/// The kinds of groups, by their numbers.
const PLACES: [Where; 6] = [
    Where::Element,
    Where::Unit,
    Where::Channel(Channels::Last),
    Where::Channel(Channels::First),
    Where::Row,
    Where::Sample,
];

/// The noise shape of a kind of groups.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_noise_shape(
    place: i32,
    shape: *const usize,
    rank: usize,
    noise_shape: *mut usize,
) -> Status {
    call(|| {
        let known = usize::try_from(place).ok().and_then(|i| PLACES.get(i));
        let place = known.ok_or_else(|| {
            Fault::new(
                Status::Value,
                "place",
                format_args!("there is no place {place}"),
            )
        })?;
        // SAFETY: by the header.
        let shape = unsafe { sizes("shape", shape, rank)? };
        let noise = place
            .noise_shape(&shape)
            .map_err(|error| Fault::within("shape", &error))?;
        // SAFETY: by the header.
        let out = unsafe { memory::elements_mut("noise_shape", noise_shape, rank)? };
        out.copy_from_slice(&noise);
        Ok(())
    })
}

/// Dropout of groups in training.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_shared_dropout_forward(
    x: *const CView,
    dropout: *const CSharedDropout,
    out: *const CViewMut,
    mask: *mut Mask,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let (x, out) = unsafe { (Region::input("x", x)?, Region::output("out", out)?) };
        // SAFETY: by the header.
        let ((dropout, noise), mask) = unsafe { (CSharedDropout::read(dropout)?, to_fill(mask)?) };
        out.apart_from([&x])?;
        // SAFETY: by the header, and they do not overlap.
        let (x, out) = unsafe { (x.view()?, out.view_mut()?) };
        Ok(run(|| {
            ops::dropout_shared_into(x, &noise, &dropout, out, mask)
        })?)
    })
}

/// The gradient of dropout of groups.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn elision_shared_dropout_backward(
    g: *const CView,
    dropout: *const CSharedDropout,
    mask: *const Mask,
    out: *const CViewMut,
) -> Status {
    call(|| {
        // SAFETY: by the header.
        let (g, out) = unsafe { (Region::input("g", g)?, Region::output("out", out)?) };
        // SAFETY: by the header.
        let ((dropout, noise), mask) = unsafe { (CSharedDropout::read(dropout)?, given(mask)?) };
        out.apart_from([&g])?;
        // SAFETY: by the header, and they do not overlap.
        let (g, out) = unsafe { (g.view()?, out.view_mut()?) };
        Ok(run(|| {
            ops::dropout_shared_backward_into(g, &noise, &dropout, mask, out)
        })?)
    })
}
