//! Convolution of channels-last images and its gradients, one product at a time, in f64.

/// A window that slides over rows and columns; each number is a pair, that of the rows first.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Cells.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Pixels by which the image is extended on each side.
    pub padding: [usize; 2],
    /// Pixels from one cell to the next.
    pub dilation: [usize; 2],
}

impl Window {
    /// The number of windows down and across an image.
    #[must_use]
    pub fn output(&self, size: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|i| {
            let reach = self.dilation[i] * (self.kernel[i] - 1) + 1;
            (size[i] + 2 * self.padding[i] - reach) / self.stride[i] + 1
        })
    }

    /// Calls `f(window, cell, pixel)` for the row and column of each window, of each of its cells, and of the
    /// pixel of an image of `size` below it; there is none in the padding.
    pub fn each_cell(
        &self,
        size: [usize; 2],
        mut f: impl FnMut([usize; 2], [usize; 2], Option<[usize; 2]>),
    ) {
        for window in indices(self.output(size)) {
            for cell in indices(self.kernel) {
                let at = |i: usize| {
                    let at = window[i] * self.stride[i] + cell[i] * self.dilation[i];
                    at.checked_sub(self.padding[i]).filter(|&at| at < size[i])
                };
                f(window, cell, at(0).zip(at(1)).map(|(y, x)| [y, x]));
            }
        }
    }
}

/// All pairs below a size, in row-major order.
fn indices([rows, cols]: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
    (0..rows).flat_map(move |y| (0..cols).map(move |x| [y, x]))
}

/// The sizes of a convolution: images `[N, H, W, C]`, weights `[O, KH, KW, C / groups]`.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    /// Images.
    pub images: usize,
    /// Height and width.
    pub size: [usize; 2],
    /// Channels of the images.
    pub channels: usize,
    /// Filters.
    pub outputs: usize,
    /// Where they lie.
    pub window: Window,
    /// Into how many parts the channels are cut.
    pub groups: usize,
}

impl Conv2d {
    /// Calls `f(y, x, w)` for every product of the convolution: element y of the output is the sum of the
    /// products of elements x of the images and w of the weights.
    pub fn each_product(&self, mut f: impl FnMut(usize, usize, usize)) {
        let ([oh, ow], [h, w]) = (self.window.output(self.size), self.size);
        let [kh, kw] = self.window.kernel;
        let (inputs, outputs) = (self.channels / self.groups, self.outputs / self.groups);
        self.window
            .each_cell(self.size, |[oy, ox], [ky, kx], pixel| {
                let Some([iy, ix]) = pixel else { return };
                for n in 0..self.images {
                    for o in 0..self.outputs {
                        for c in 0..inputs {
                            let channel = o / outputs * inputs + c;
                            f(
                                ((n * oh + oy) * ow + ox) * self.outputs + o,
                                ((n * h + iy) * w + ix) * self.channels + channel,
                                ((o * kh + ky) * kw + kx) * inputs + c,
                            );
                        }
                    }
                }
            });
    }

    /// Elements of the output.
    #[must_use]
    pub fn len(&self) -> usize {
        let [oh, ow] = self.window.output(self.size);
        self.images * oh * ow * self.outputs
    }

    /// Whether the output has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The output; each element with the sum of the magnitudes of its products, of which error bounds are
    /// multiples.
    #[must_use]
    pub fn forward(&self, x: &[f32], w: &[f32]) -> Vec<(f64, f64)> {
        let mut y = vec![(0.0, 0.0); self.len()];
        self.each_product(|i, j, k| add(&mut y[i], x[j], w[k]));
        y
    }

    /// The gradient of the images for the gradient `g` of the output.
    #[must_use]
    pub fn backward_x(&self, g: &[f32], w: &[f32]) -> Vec<(f64, f64)> {
        let [h, width] = self.size;
        let mut dx = vec![(0.0, 0.0); self.images * h * width * self.channels];
        self.each_product(|i, j, k| add(&mut dx[j], g[i], w[k]));
        dx
    }

    /// The gradient of the weights for the gradient `g` of the output.
    #[must_use]
    pub fn backward_w(&self, g: &[f32], x: &[f32]) -> Vec<(f64, f64)> {
        let [kh, kw] = self.window.kernel;
        let mut dw = vec![(0.0, 0.0); self.outputs * kh * kw * (self.channels / self.groups)];
        self.each_product(|i, j, k| add(&mut dw[k], g[i], x[j]));
        dw
    }
}

fn add((sum, size): &mut (f64, f64), a: f32, b: f32) {
    let product = f64::from(a) * f64::from(b);
    *sum += product;
    *size += product.abs();
}
