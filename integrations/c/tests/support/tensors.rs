//! Tensors of any layout in one piece of memory, as C has them and as the library would.

use elision::{MAX_RANK, Tensor, ViewMut};
use elision_c::{CView, CViewMut};

use super::bytes::Bytes;

/// Elements that all tensors of a call lie in.
pub(crate) const MEMORY: usize = 200;

/// Elements of a tensor at most, if they can be counted.
const MAX_LEN: usize = 1 << 16;

/// A tensor's description: where it begins in the memory, its shape and its strides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) first: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Option<Vec<isize>>,
}

impl Place {
    /// Any place that C can describe; `None` of one that would reach out of the memory, which no callee can notice.
    pub(crate) fn any(bytes: &mut Bytes<'_>) -> Option<Self> {
        let shape = bytes.list(MAX_RANK + 1, |bytes| bytes.wild(5));
        let strides = (bytes.below(3) == 0).then(|| {
            let stride = |_: &usize| match bytes.byte() {
                255 => -1,
                254 => isize::MAX,
                byte => isize::from(byte % 24),
            };
            shape.iter().map(stride).collect()
        });
        Self {
            first: bytes.below(MEMORY),
            shape,
            strides,
        }
        .in_memory()
    }

    /// The shape of another one, mostly, somewhere.
    pub(crate) fn like(other: &Self, bytes: &mut Bytes<'_>) -> Option<Self> {
        match bytes.below(8) {
            0 => Self::any(bytes),
            1 => Some(other.clone()),
            2 => Self {
                first: other.first,
                strides: None,
                ..other.clone()
            }
            .in_memory(),
            _ => Self {
                first: bytes.below(MEMORY),
                strides: None,
                ..other.clone()
            }
            .in_memory(),
        }
    }

    fn in_memory(self) -> Option<Self> {
        let inside = match self.span() {
            // An axis that repeats can make more elements than there is time for.
            Some(span) => self.first + span <= MEMORY && self.len() <= Some(MAX_LEN),
            // It must be refused before it is touched.
            None => true,
        };
        inside.then_some(self)
    }

    /// Strides as the library takes them.
    pub(crate) fn steps(&self) -> Option<Vec<usize>> {
        if let Some(strides) = &self.strides {
            return strides
                .iter()
                .map(|&stride| usize::try_from(stride).ok())
                .collect();
        }
        let mut steps = Vec::new();
        let mut step = 1_usize;
        for &size in self.shape.iter().rev() {
            steps.insert(0, step);
            step = step.checked_mul(size.max(1))?;
        }
        Some(steps)
    }

    pub(crate) fn len(&self) -> Option<usize> {
        let sizes = self.shape.iter().filter(|&&size| size > 0);
        let len = sizes.copied().try_fold(1, usize::checked_mul)?;
        Some(if self.shape.contains(&0) { 0 } else { len })
    }

    /// Elements from the first to the last; `None` of what must be refused.
    pub(crate) fn span(&self) -> Option<usize> {
        if self.shape.len() > MAX_RANK {
            return None;
        }
        // Beyond this an axis that repeats needs room for results that no machine has.
        if self.len()?.checked_mul(4)? > 1 << 47 {
            return None;
        }
        if self.len()? == 0 {
            return Some(0);
        }
        let mut span = 1_usize;
        for (&size, step) in self.shape.iter().zip(self.steps()?) {
            span = span.checked_add((size - 1).checked_mul(step)?)?;
        }
        (span.checked_mul(4)? <= isize::MAX as usize).then_some(span)
    }

    /// Whether a call may read it.
    pub(crate) fn is_readable(&self) -> bool {
        self.steps().is_some() && self.span().is_some()
    }

    /// Whether a call may write it.
    pub(crate) fn is_writable(&self) -> bool {
        let (Some(steps), Some(_)) = (self.steps(), self.span()) else {
            return false;
        };
        ViewMut::new(&mut [0.0; MEMORY], &self.shape, &steps).is_ok()
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        let (Some(own), Some(theirs)) = (self.span(), other.span()) else {
            return false;
        };
        let apart = self.first + own <= other.first || other.first + theirs <= self.first;
        own > 0 && theirs > 0 && !apart
    }

    /// Whether both are the same tensor, index by index.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let key = |place: &Self| (place.first, place.shape.clone(), place.steps());
        key(self) == key(other)
    }

    /// The offsets of the elements in row-major order.
    fn offsets(&self) -> Vec<usize> {
        if self.len() == Some(0) {
            return Vec::new();
        }
        let steps = self.steps().expect("it can be read");
        let mut offsets = vec![self.first];
        for (&size, step) in self.shape.iter().zip(steps) {
            let along = |offset: usize| (0..size).map(move |i| offset + i * step);
            offsets = offsets.into_iter().flat_map(along).collect();
        }
        offsets
    }

    /// A copy of the elements.
    pub(crate) fn read(&self, memory: &[f32]) -> Tensor {
        let elements = self.offsets().into_iter().map(|offset| memory[offset]);
        Tensor::from_vec(elements.collect(), &self.shape).expect("there are as many")
    }

    pub(crate) fn write(&self, memory: &mut [f32], values: &Tensor) {
        for (offset, &value) in self.offsets().into_iter().zip(values.as_slice()) {
            memory[offset] = value;
        }
    }

    pub(crate) fn view(&self, memory: *mut f32) -> CView {
        CView {
            data: memory.wrapping_add(self.first),
            shape: self.shape.as_ptr(),
            strides: self.strides.as_ref().map_or(std::ptr::null(), Vec::as_ptr),
            rank: self.shape.len(),
        }
    }

    pub(crate) fn view_mut(&self, memory: *mut f32) -> CViewMut {
        let CView {
            shape,
            strides,
            rank,
            ..
        } = self.view(memory);
        let data = memory.wrapping_add(self.first);
        CViewMut {
            data,
            shape,
            strides,
            rank,
        }
    }
}

/// Numbers that differ.
pub(crate) fn numbers(n: usize) -> Vec<f32> {
    let number = |i: u32| (i + 1).wrapping_mul(0x9e37_79b9) as i32 as f32 / 2f32.powi(31);
    (0..n as u32).map(number).collect()
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
