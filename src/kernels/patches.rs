//! Convolution as a matrix product: the pixels below each window as a row, and the way back.
//!
//! A row holds the cells of one window in order, each with the channels of one group; cells in the padding are
//! zeros. A product of these rows with the filters is the convolution.

use super::window::{Gather, Grid};

/// The part of the channels that one group reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// Its first channel.
    pub(crate) first: usize,
    /// How many there are.
    pub(crate) channels: usize,
}

/// Writes whole rows of patches, from window number `first` on. Only copies: there is nothing for an
/// instruction set to do that `copy_from_slice` does not.
pub(crate) fn write_patches(
    grid: &Grid,
    group: Group,
    images: &[f32],
    first: usize,
    rows: &mut [f32],
) {
    let Grid { y, x, .. } = *grid;
    let line = x.kernel * group.channels;
    for (i, row) in rows.chunks_exact_mut(y.kernel * line).enumerate() {
        let [image, oy, ox] = grid.window(first + i);
        let cells = y.cells(oy);
        for (ky, to) in row.chunks_exact_mut(line).enumerate() {
            if cells.contains(&ky) {
                let from = grid.pixel(image, y.pixel(oy, ky), 0);
                write_line(grid, group, &images[from * grid.channels..], ox, to);
            } else {
                to.fill(0.0);
            }
        }
    }
}

/// One row of a window's cells, from the image's row that begins `pixels`.
fn write_line(grid: &Grid, group: Group, pixels: &[f32], ox: usize, to: &mut [f32]) {
    let (axis, n) = (&grid.x, group.channels);
    let cells = axis.cells(ox);
    to[..cells.start * n].fill(0.0);
    to[cells.end * n..].fill(0.0);
    if cells.is_empty() {
        return;
    }
    let from = axis.pixel(ox, cells.start) * grid.channels + group.first;
    let to = &mut to[cells.start * n..cells.end * n];
    if n == grid.channels && axis.dilation == 1 {
        // Neighbouring cells are neighbouring pixels.
        to.copy_from_slice(&pixels[from..from + to.len()]);
        return;
    }
    let step = axis.dilation * grid.channels;
    for (to, from) in to.chunks_exact_mut(n).zip((from..).step_by(step)) {
        to.copy_from_slice(&pixels[from..from + n]);
    }
}

/// The gradient of rows of patches, gathered by the pixels that were copied to them.
#[derive(Clone, Copy)]
pub(crate) struct Patches<'a> {
    /// Rows, one a window.
    pub(crate) rows: &'a [f32],
    /// Elements of a row.
    pub(crate) len: usize,
}

impl Gather for Patches<'_> {
    #[inline(always)]
    fn add(&self, window: usize, cell: usize, pixel: &mut [f32]) {
        let from = window * self.len + cell * pixel.len();
        let cell = &self.rows[from..from + pixel.len()];
        for (to, from) in pixel.iter_mut().zip(cell) {
            *to += from;
        }
    }

    #[inline(always)]
    fn finish(&self, _: &mut [f32]) {}
}
