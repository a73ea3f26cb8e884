//! Gathering the kept rows and columns of a matrix, and scattering them to where they came from.

use crate::exec::for_each_heavy_chunk;
use crate::mask::UnitMask;
use crate::tensor::View;

/// What an element found by its index costs, in elements of a scaled copy.
const WEIGHT: usize = 2;

/// Some of the indices of an axis, ascending.
#[derive(Clone, Copy)]
pub(super) enum Units<'a> {
    /// So many, from 0 on.
    All(usize),
    /// These.
    Kept(&'a [u32]),
}

impl<'a> Units<'a> {
    /// What a mask keeps; without one, all `len`.
    pub(super) fn new(mask: Option<&'a UnitMask>, len: usize) -> Self {
        mask.map_or(Self::All(len), |mask| Self::Kept(mask.kept()))
    }

    /// How many.
    pub(super) fn len(self) -> usize {
        match self {
            Self::All(len) => len,
            Self::Kept(kept) => kept.len(),
        }
    }

    /// The `i`-th of them.
    fn get(self, i: usize) -> Option<usize> {
        match self {
            Self::All(len) => (i < len).then_some(i),
            Self::Kept(kept) => kept.get(i).map(|&unit| unit as usize),
        }
    }

    /// How many of them are below `unit`.
    fn below(self, unit: usize) -> usize {
        match self {
            Self::All(len) => unit.min(len),
            Self::Kept(kept) => kept.partition_point(|&kept| (kept as usize) < unit),
        }
    }
}

/// Some rows and columns of a matrix, times a factor, to be copied one after the other.
#[derive(Clone, Copy)]
pub(super) struct Gather<'a> {
    pub(super) from: View<'a>,
    pub(super) rows: Units<'a>,
    pub(super) cols: Units<'a>,
    pub(super) scale: f32,
}

impl Gather<'_> {
    /// Writes the `rows x cols` elements of `out`.
    pub(super) fn run(&self, out: &mut [f32]) {
        let cols = self.cols.len();
        if cols == 0 {
            return;
        }
        let (data, row_stride) = (self.from.data(), self.from.strides()[0]);
        for_each_heavy_chunk(out, WEIGHT, cols, |start, out| {
            for (i, out) in (start / cols..).zip(out.chunks_exact_mut(cols)) {
                let row = self.rows.get(i).unwrap_or_default();
                self.row(&data[row * row_stride..], out);
            }
        });
    }

    fn row(&self, row: &[f32], out: &mut [f32]) {
        let (scale, stride) = (self.scale, self.from.strides()[1]);
        match (self.cols, stride) {
            (Units::All(_), 1) => copy_scaled(row, scale, out),
            (Units::All(_), _) => {
                for (j, out) in out.iter_mut().enumerate() {
                    *out = scale * row[j * stride];
                }
            }
            (Units::Kept(kept), 1) => {
                for (&j, out) in kept.iter().zip(out) {
                    *out = scale * row[j as usize];
                }
            }
            (Units::Kept(kept), _) => {
                for (&j, out) in kept.iter().zip(out) {
                    *out = scale * row[j as usize * stride];
                }
            }
        }
    }
}

/// What [`Gather`] collects, times a factor, to be put back; every other element is `+0.0`.
#[derive(Clone, Copy)]
pub(super) struct Scatter<'a> {
    pub(super) from: &'a [f32],
    pub(super) rows: Units<'a>,
    pub(super) cols: Units<'a>,
    pub(super) scale: f32,
}

impl Scatter<'_> {
    /// Writes all elements of a matrix of `width` columns.
    pub(super) fn run(&self, width: usize, out: &mut [f32]) {
        if width == 0 {
            return;
        }
        for_each_heavy_chunk(out, WEIGHT, width, |start, out| {
            let first = start / width;
            let mut next = self.rows.below(first);
            for (row, out) in (first..).zip(out.chunks_exact_mut(width)) {
                if self.rows.get(next) == Some(row) {
                    self.row(next, out);
                    next += 1;
                } else {
                    out.fill(0.0);
                }
            }
        });
    }

    fn row(&self, i: usize, out: &mut [f32]) {
        let cols = self.cols.len();
        let row = &self.from[i * cols..(i + 1) * cols];
        match self.cols {
            Units::All(_) => copy_scaled(row, self.scale, out),
            Units::Kept(kept) => {
                out.fill(0.0);
                for (&j, &x) in kept.iter().zip(row) {
                    out[j as usize] = self.scale * x;
                }
            }
        }
    }
}

fn copy_scaled(row: &[f32], scale: f32, out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(row) {
        *out = scale * x;
    }
}
