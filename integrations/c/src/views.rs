//! The caller's tensors: described, checked, kept apart, and only then borrowed.

use std::ops::Range;

use elision::{Dims, Error, MAX_RANK, View, ViewMut};

use crate::fault::{Fault, Status};
use crate::memory;

/// `elision_view`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CView {
    /// The element at index zero.
    pub data: *const f32,
    /// The size of each axis.
    pub shape: *const usize,
    /// The step of each axis, in elements; null for row-major order without gaps.
    pub strides: *const isize,
    /// The number of axes.
    pub rank: usize,
}

/// `elision_view_mut`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CViewMut {
    /// The element at index zero.
    pub data: *mut f32,
    /// The size of each axis.
    pub shape: *const usize,
    /// The step of each axis, in elements; null for row-major order without gaps.
    pub strides: *const isize,
    /// The number of axes.
    pub rank: usize,
}

/// The description of a tensor, of which nothing has been borrowed yet.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    /// The parameter's name.
    what: &'static str,
    data: *mut f32,
    shape: Dims,
    strides: Dims,
    /// Elements from the first to the last, gaps included.
    span: usize,
}

impl Region {
    /// # Safety
    /// `view` is null or a view as the header describes it.
    pub(crate) unsafe fn input(what: &'static str, view: *const CView) -> Result<Self, Fault> {
        // SAFETY: by the contract.
        let view = unsafe { memory::copy(what, view)? };
        // SAFETY: by the contract. Nothing is written through the pointer: only `view_mut` does so, of outputs.
        unsafe { Self::new(what, output(view)) }
    }

    /// # Safety
    /// `view` is null or a view as the header describes it.
    pub(crate) unsafe fn output(what: &'static str, view: *const CViewMut) -> Result<Self, Fault> {
        // SAFETY: by the contract.
        unsafe { Self::new(what, memory::copy(what, view)?) }
    }

    unsafe fn new(what: &'static str, view: CViewMut) -> Result<Self, Fault> {
        if view.rank > MAX_RANK {
            return Err(Fault::within(what, &Error::RankLimit(view.rank)));
        }
        let name = format_args!("shape of {what}");
        // SAFETY: by the contract, and the borrow ends with the copy.
        let shape = unsafe { memory::elements(name, view.shape, view.rank)? };
        let shape = dims(what, shape)?;
        let (packed, len) = row_major(what, &shape)?;
        let strides = if view.strides.is_null() {
            packed
        } else {
            // SAFETY: as for the shape.
            let given = unsafe { memory::elements(what, view.strides, view.rank)? };
            positive(what, given)?
        };
        let span = if len == 0 {
            0
        } else {
            span(what, &shape, &strides)?
        };
        if len > span {
            check_room(what, len)?;
        }
        Ok(Self {
            what,
            data: view.data,
            shape,
            strides,
            span,
        })
    }

    /// The addresses from the first element to the last.
    fn bytes(&self) -> Range<usize> {
        let start = self.data.addr();
        start..start.saturating_add(self.span * size_of::<f32>())
    }

    /// Whether the other one is this tensor, index by index.
    fn is(&self, other: &Self) -> bool {
        let same = (self.shape, self.strides) == (other.shape, other.strides);
        same && std::ptr::eq(self.data, other.data)
    }

    /// An error if this, which is written, shares memory with another one.
    pub(crate) fn apart_from<'r>(
        &self,
        others: impl IntoIterator<Item = &'r Self>,
    ) -> Result<(), Fault> {
        let own = self.bytes();
        for other in others {
            let theirs = other.bytes();
            let overlap = own.start < theirs.end && theirs.start < own.end;
            if overlap && self.span > 0 && other.span > 0 {
                let why = format_args!("its memory overlaps that of {}", other.what);
                return Err(Fault::new(Status::Overlap, self.what, why));
            }
        }
        Ok(())
    }

    /// The tensor, to be read.
    ///
    /// # Safety
    /// The memory is as the header says, and nobody writes it for `'a`.
    pub(crate) unsafe fn view<'a>(&self) -> Result<View<'a>, Fault> {
        let name = format_args!("data of {}", self.what);
        // SAFETY: by the contract.
        let data = unsafe { memory::elements(name, self.data.cast_const(), self.span)? };
        View::new(data, &self.shape, &self.strides).map_err(|error| self.fault(&error))
    }

    /// The tensor, to be written.
    ///
    /// # Safety
    /// The memory is as the header says, and nobody else uses it for `'a`.
    pub(crate) unsafe fn view_mut<'a>(&self) -> Result<ViewMut<'a>, Fault> {
        let name = format_args!("data of {}", self.what);
        // SAFETY: by the contract.
        let data = unsafe { memory::elements_mut(name, self.data, self.span)? };
        ViewMut::new(data, &self.shape, &self.strides).map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &Error) -> Fault {
        match error {
            Error::Overlap(_) => {
                Fault::new(Status::Layout, self.what, "two indices share one element")
            }
            error => Fault::within(self.what, error),
        }
    }
}

/// An input and an output; no input where the output is it, so that the work is done in place.
///
/// # Safety
/// The memory is as the header says, and nobody else uses it for `'a`.
pub(crate) unsafe fn source_and_target<'a>(
    x: &Region,
    out: &Region,
) -> Result<(Option<View<'a>>, ViewMut<'a>), Fault> {
    let source = if out.is(x) {
        None
    } else {
        out.apart_from([x])?;
        // SAFETY: by the contract; what is written lies elsewhere.
        Some(unsafe { x.view()? })
    };
    // SAFETY: by the contract; no other view is of this memory.
    Ok((source, unsafe { out.view_mut()? }))
}

fn output(view: CView) -> CViewMut {
    CViewMut {
        data: view.data.cast_mut(),
        shape: view.shape,
        strides: view.strides,
        rank: view.rank,
    }
}

/// Some sizes as they are.
pub(crate) fn dims(what: &str, sizes: &[usize]) -> Result<Dims, Fault> {
    Dims::new(sizes).map_err(|error| Fault::within(what, &error))
}

/// The strides of row-major order without gaps, and the number of elements. Like the library, it refuses shapes
/// whose other sizes overflow beside a zero.
fn row_major(what: &str, shape: &Dims) -> Result<(Dims, usize), Fault> {
    let mut strides = *shape;
    let mut stride = 1_usize;
    for (slot, &size) in strides.iter_mut().zip(shape.iter()).rev() {
        *slot = stride;
        let next = stride.checked_mul(size.max(1));
        stride = next.ok_or_else(|| Fault::within(what, &Error::Overflow("shape")))?;
    }
    Ok((strides, if shape.contains(&0) { 0 } else { stride }))
}

fn positive(what: &str, strides: &[isize]) -> Result<Dims, Fault> {
    let mut dims = dims(what, &[0; MAX_RANK][..strides.len()])?;
    for (axis, (slot, &stride)) in dims.iter_mut().zip(strides).enumerate() {
        *slot = usize::try_from(stride).map_err(|_| {
            let why = format_args!("stride {stride} of axis {axis} is negative");
            Fault::new(Status::Layout, what, why)
        })?;
    }
    Ok(dims)
}

/// One past the last offset of a tensor that has elements.
fn span(what: &str, shape: &Dims, strides: &Dims) -> Result<usize, Fault> {
    let mut axes = shape.iter().zip(strides.iter());
    let last = axes.try_fold(0_usize, |last, (&size, &stride)| {
        last.checked_add((size - 1).checked_mul(stride)?)
    });
    let span = last.and_then(|last| last.checked_add(1));
    let fits = |&span: &usize| span <= isize::MAX as usize / size_of::<f32>();
    span.filter(fits)
        .ok_or_else(|| Fault::within(what, &Error::Overflow("strides")))
}

/// An axis that repeats costs the caller nothing, but operations have buffers and bits for each element.
fn check_room(what: &str, len: usize) -> Result<(), Fault> {
    let room = Vec::<f32>::new().try_reserve_exact(len);
    room.map_err(|_| Fault::within(what, &Error::Overflow("elements")))
}
