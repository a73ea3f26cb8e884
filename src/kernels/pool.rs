//! Pooling: the largest and the mean element below a window, channel by channel, and their gradients.

use super::window::{Gather, Grid};
use crate::simd::{Kernel, Simd};

/// What is kept of the pixels below a window; `at` is where a window's channels begin.
pub(crate) trait Pool {
    /// Takes the pixel of cell number `cell`, if there is one; the first of its window comes first.
    fn take(&mut self, at: usize, cell: usize, pixel: &[f32], is_first: bool);

    /// After the last pixel of a window of `channels`; there may have been none.
    fn finish(&mut self, at: usize, channels: usize, is_empty: bool);
}

/// Windows that are each reduced to one pixel.
pub(crate) struct Pooled<'a, P> {
    pub(crate) grid: Grid,
    pub(crate) images: &'a [f32],
    /// The number of the first window.
    pub(crate) first: usize,
    /// How many windows.
    pub(crate) count: usize,
    pub(crate) to: P,
}

impl<P: Pool> Kernel for Pooled<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, _: S) {
        let Grid { y, x, channels } = self.grid;
        for i in 0..self.count {
            let [image, oy, ox] = self.grid.window(self.first + i);
            let mut is_first = true;
            for ky in y.cells(oy) {
                for kx in x.cells(ox) {
                    let from = self.grid.pixel(image, y.pixel(oy, ky), x.pixel(ox, kx)) * channels;
                    let pixel = &self.images[from..from + channels];
                    let cell = ky * x.kernel + kx;
                    self.to.take(i * channels, cell, pixel, is_first);
                    is_first = false;
                }
            }
            self.to.finish(i * channels, channels, is_first);
        }
    }
}

/// The first of the largest elements, or the first NaN, and the number of its cell. No window is empty.
pub(crate) struct Largest<'a> {
    pub(crate) out: &'a mut [f32],
    pub(crate) cells: Option<&'a mut [u8]>,
}

impl Pool for Largest<'_> {
    #[inline(always)]
    fn take(&mut self, at: usize, cell: usize, pixel: &[f32], is_first: bool) {
        let out = &mut self.out[at..at + pixel.len()];
        let Some(cells) = &mut self.cells else {
            if is_first {
                return out.copy_from_slice(pixel);
            }
            for (out, &x) in out.iter_mut().zip(pixel) {
                *out = if wins(x, *out) { x } else { *out };
            }
            return;
        };
        let cells = &mut cells[at..at + pixel.len()];
        // Windows of more than 256 cells have no numbers.
        let cell = cell as u8;
        if is_first {
            out.copy_from_slice(pixel);
            return cells.fill(cell);
        }
        for ((out, number), &x) in out.iter_mut().zip(cells).zip(pixel) {
            let wins = wins(x, *out);
            *out = if wins { x } else { *out };
            *number = if wins { cell } else { *number };
        }
    }

    #[inline(always)]
    fn finish(&mut self, _: usize, _: usize, _: bool) {}
}

/// Whether `x` replaces the largest so far. Without branches, so that a loop over channels becomes vectors.
#[inline(always)]
fn wins(x: f32, largest: f32) -> bool {
    (x > largest) | (x.is_nan() & !largest.is_nan())
}

/// The sum of the elements over the number of cells.
pub(crate) struct Mean<'a> {
    pub(crate) out: &'a mut [f32],
    pub(crate) divisor: f32,
}

impl Pool for Mean<'_> {
    #[inline(always)]
    fn take(&mut self, at: usize, _: usize, pixel: &[f32], is_first: bool) {
        let out = &mut self.out[at..at + pixel.len()];
        if is_first {
            out.copy_from_slice(pixel);
            return;
        }
        for (sum, x) in out.iter_mut().zip(pixel) {
            *sum += x;
        }
    }

    #[inline(always)]
    fn finish(&mut self, at: usize, channels: usize, is_empty: bool) {
        let out = &mut self.out[at..at + channels];
        if is_empty {
            out.fill(0.0);
        }
        for sum in out {
            *sum /= self.divisor;
        }
    }
}

/// The gradient of the largest elements: all of it belongs to the cell that was taken.
#[derive(Clone, Copy)]
pub(crate) struct LargestGradient<'a> {
    pub(crate) g: &'a [f32],
    pub(crate) cells: &'a [u8],
}

impl Gather for LargestGradient<'_> {
    #[inline(always)]
    fn add(&self, window: usize, cell: usize, pixel: &mut [f32]) {
        let from = window * pixel.len();
        let (g, cells) = (&self.g[from..][..pixel.len()], &self.cells[from..]);
        for ((sum, &g), &taken) in pixel.iter_mut().zip(g).zip(cells) {
            *sum += if taken == cell as u8 { g } else { 0.0 };
        }
    }

    #[inline(always)]
    fn finish(&self, _: &mut [f32]) {}
}

/// The gradient of the means: each cell has the same share.
#[derive(Clone, Copy)]
pub(crate) struct MeanGradient<'a> {
    pub(crate) g: &'a [f32],
    pub(crate) divisor: f32,
}

impl Gather for MeanGradient<'_> {
    #[inline(always)]
    fn add(&self, window: usize, _: usize, pixel: &mut [f32]) {
        let g = &self.g[window * pixel.len()..];
        for (sum, g) in pixel.iter_mut().zip(g) {
            *sum += g;
        }
    }

    #[inline(always)]
    fn finish(&self, pixel: &mut [f32]) {
        for sum in pixel {
            *sum /= self.divisor;
        }
    }
}
