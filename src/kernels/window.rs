//! Windows that slide over images: which cells of an image a window covers, and which windows cover a pixel.
//!
//! Images are channels-last, so that a pixel is a run of channels. Images and windows are numbered in row-major
//! order of `[N, H, W]` and `[N, OH, OW]`, the cells of a window in that of `[KH, KW]`.

use std::ops::Range;

use crate::simd::{Kernel, Simd};

/// One of the two axes along which windows slide. There is at least one window, and every index fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    /// Pixels.
    pub(crate) input: usize,
    /// Windows.
    pub(crate) output: usize,
    /// Cells of a window.
    pub(crate) kernel: usize,
    /// Pixels from one window to the next.
    pub(crate) stride: usize,
    /// Cells without a pixel before the first and after the last.
    pub(crate) padding: usize,
    /// Pixels from one cell to the next.
    pub(crate) dilation: usize,
}

impl Axis {
    /// The cells of window `o` that have a pixel.
    #[inline(always)]
    pub(crate) fn cells(&self, o: usize) -> Range<usize> {
        let start = o * self.stride;
        let first = self.padding.saturating_sub(start).div_ceil(self.dilation);
        let end = (self.input + self.padding).saturating_sub(start);
        let (first, end) = (first.min(self.kernel), end.div_ceil(self.dilation));
        first..end.min(self.kernel).max(first)
    }

    /// The pixel of cell `k`, which must have one, of window `o`.
    #[inline(always)]
    pub(crate) fn pixel(&self, o: usize, k: usize) -> usize {
        o * self.stride + k * self.dilation - self.padding
    }

    /// The windows that reach over pixel `i`.
    #[inline(always)]
    fn windows(&self, i: usize) -> Range<usize> {
        let (at, reach) = (i + self.padding, (self.kernel - 1) * self.dilation);
        let first = at.saturating_sub(reach).div_ceil(self.stride);
        first..(at / self.stride + 1).min(self.output)
    }

    /// The cell of window `o`, which must reach over pixel `i`, that lies on it; none if it lies between two.
    #[inline(always)]
    fn cell(&self, o: usize, i: usize) -> Option<usize> {
        let distance = i + self.padding - o * self.stride;
        if self.dilation == 1 {
            return Some(distance);
        }
        if distance.is_multiple_of(self.dilation) {
            Some(distance / self.dilation)
        } else {
            None
        }
    }
}

/// Both axes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) y: Axis,
    pub(crate) x: Axis,
    /// Of an image's pixel.
    pub(crate) channels: usize,
}

impl Grid {
    /// The image, row and column of a window.
    #[inline(always)]
    pub(crate) fn window(&self, number: usize) -> [usize; 3] {
        split(number, self.y.output, self.x.output)
    }

    /// The number of a pixel.
    #[inline(always)]
    pub(crate) fn pixel(&self, image: usize, y: usize, x: usize) -> usize {
        (image * self.y.input + y) * self.x.input + x
    }

    /// The cells of a window, padding included.
    pub(crate) fn cells(&self) -> usize {
        self.y.kernel.saturating_mul(self.x.kernel)
    }
}

/// The three indices of number `i` in `[.., rows, cols]`.
#[inline(always)]
fn split(i: usize, rows: usize, cols: usize) -> [usize; 3] {
    let (row, x) = (i / cols, i % cols);
    [row / rows, row % rows, x]
}

/// What a pixel gathers from the windows that cover it.
pub(crate) trait Gather {
    /// Adds what cell number `cell` of window number `window` has for the pixel below it.
    fn add(&self, window: usize, cell: usize, pixel: &mut [f32]);

    /// After the last window.
    fn finish(&self, pixel: &mut [f32]);
}

/// Pixels that each gather from the windows that cover them, in ascending order of the windows: pixels do not
/// depend on each other, and can be cut and shared anywhere.
pub(crate) struct Gathered<'a, G> {
    pub(crate) grid: Grid,
    pub(crate) from: G,
    /// The number of the first pixel.
    pub(crate) first: usize,
    /// Whole pixels.
    pub(crate) pixels: &'a mut [f32],
    /// The channels that are written.
    pub(crate) channels: (usize, usize),
}

impl<G: Gather> Kernel for Gathered<'_, G> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Grid { y, x, channels } = self.grid;
        let (from, to) = self.channels;
        for (i, pixel) in self.pixels.chunks_exact_mut(channels).enumerate() {
            let pixel = &mut pixel[from..to];
            let [image, row, col] = split(self.first + i, y.input, x.input);
            pixel.fill(0.0);
            for oy in y.windows(row) {
                let Some(ky) = y.cell(oy, row) else { continue };
                for ox in x.windows(col) {
                    let Some(kx) = x.cell(ox, col) else { continue };
                    let window = (image * y.output + oy) * x.output + ox;
                    self.from.add(window, ky * x.kernel + kx, pixel);
                }
            }
            self.from.finish(pixel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both directions against the definition: cell k of window o lies on index o * stride + k * dilation of
    /// the padded axis.
    #[test]
    fn windows_and_cells_are_those_of_the_definition() {
        for (input, kernel, stride, padding, dilation) in [
            (7, 3, 1, 0, 1),
            (7, 3, 2, 1, 1),
            (9, 2, 3, 4, 3),
            (1, 2, 1, 3, 4),
            (0, 2, 1, 2, 2),
            (5, 1, 4, 0, 7),
            (4, 9, 5, 20, 1),
        ] {
            let output = (input + 2 * padding - (kernel - 1) * dilation - 1) / stride + 1;
            let axis = Axis {
                input,
                output,
                kernel,
                stride,
                padding,
                dilation,
            };
            let on = |o: usize, k: usize| (o * stride + k * dilation).checked_sub(padding);
            for o in 0..output {
                let cells: Vec<usize> = axis.cells(o).collect();
                let want = (0..kernel).filter(|&k| on(o, k).is_some_and(|i| i < input));
                assert_eq!(cells, want.collect::<Vec<_>>(), "{axis:?} window {o}");
                for k in cells {
                    assert_eq!(Some(axis.pixel(o, k)), on(o, k));
                }
            }
            for i in 0..input {
                let pairs = axis.windows(i).filter_map(|o| Some((o, axis.cell(o, i)?)));
                let all = (0..output).flat_map(|o| (0..kernel).map(move |k| (o, k)));
                let want = all.filter(|&(o, k)| on(o, k) == Some(i));
                let (pairs, want): (Vec<_>, Vec<_>) = (pairs.collect(), want.collect());
                assert_eq!(pairs, want, "{axis:?} pixel {i}");
            }
        }
    }
}
