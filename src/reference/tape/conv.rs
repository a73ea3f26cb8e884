//! Convolution and pooling of images `[batch, height, width, channels]`.

use super::array::indices;
use super::{Array, Tape, Value};

/// How a filter moves; in each pair the first number is for the height.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    /// Steps between outputs.
    pub stride: [usize; 2],
    /// Zeros around the image, on each side.
    pub padding: [usize; 2],
    /// Steps between the elements of a filter.
    pub dilation: [usize; 2],
    /// The channels are split into so many groups that do not meet.
    pub groups: usize,
}

/// How a pooling window moves; in each pair the first number is for the height.
#[derive(Clone, Copy, Debug)]
pub struct Pool2d {
    /// The size of the window.
    pub kernel: [usize; 2],
    /// Steps between outputs.
    pub stride: [usize; 2],
    /// Cells around the image, on each side.
    pub padding: [usize; 2],
}

impl Tape {
    /// The cross-correlation of `x`, of shape `[batch, height, width, channels]`, with filters `w` of shape
    /// `[outputs, height, width, channels / groups]`. A bias is added by [`Tape::add`].
    pub fn conv2d(&mut self, x: Value, w: Value, conv: Conv2d) -> Value {
        let (image, filters) = (self.value(x), self.value(w));
        let kernel = [filters.shape[1], filters.shape[2]];
        let [height, width] = conv.output([image.shape[1], image.shape[2]], kernel);
        let mut y = Array::zeros(&[image.shape[0], height, width, filters.shape[0]]);
        conv.products(&image.shape, &filters.shape, |at_x, at_w, at_y| {
            *y.get_mut(&at_y) += image.get(&at_x) * filters.get(&at_w);
        });
        self.push(y, move |tape, dy| {
            let (image, filters) = (tape.value(x), tape.value(w));
            let mut dx = Array::zeros(&image.shape);
            let mut dw = Array::zeros(&filters.shape);
            conv.products(&image.shape, &filters.shape, |at_x, at_w, at_y| {
                *dx.get_mut(&at_x) += dy.get(&at_y) * filters.get(&at_w);
                *dw.get_mut(&at_w) += dy.get(&at_y) * image.get(&at_x);
            });
            vec![(x, dx), (w, dw)]
        })
    }

    /// The largest element of each window, to which the gradient goes: the first of equals in row-major order.
    /// Padding is never the largest.
    pub fn max_pool2d(&mut self, x: Value, pool: Pool2d) -> Value {
        let image = self.value(x);
        let shape = pool.shape(&image.shape);
        let mut y = Array::zeros(&shape).map(|_| f64::NEG_INFINITY);
        let mut from = Vec::new();
        for index in indices(&shape) {
            let mut largest = None;
            for at_x in pool.window(&image.shape, &index) {
                let x = image.get(&at_x);
                if x > y.get(&index) || x.is_nan() {
                    *y.get_mut(&index) = x;
                    largest = Some(at_x);
                }
            }
            from.push(largest);
        }
        self.push(y, move |tape, dy| {
            let mut dx = Array::zeros(&tape.value(x).shape);
            for (dy, from) in dy.data.iter().zip(&from) {
                if let Some(at_x) = from {
                    *dx.get_mut(at_x) += dy;
                }
            }
            vec![(x, dx)]
        })
    }

    /// The sum over each window divided by the window's size, padding included.
    pub fn avg_pool2d(&mut self, x: Value, pool: Pool2d) -> Value {
        let area = (pool.kernel[0] * pool.kernel[1]) as f64;
        let image = self.value(x);
        let mut y = Array::zeros(&pool.shape(&image.shape));
        for index in indices(&y.shape) {
            for at_x in pool.window(&image.shape, &index) {
                *y.get_mut(&index) += image.get(&at_x) / area;
            }
        }
        self.push(y, move |tape, dy| {
            let shape = &tape.value(x).shape;
            let mut dx = Array::zeros(shape);
            for index in indices(&dy.shape) {
                for at_x in pool.window(shape, &index) {
                    *dx.get_mut(&at_x) += dy.get(&index) / area;
                }
            }
            vec![(x, dx)]
        })
    }
}

impl Conv2d {
    /// Height and width of the output.
    fn output(&self, input: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|i| {
            let reach = self.dilation[i] * (kernel[i] - 1) + 1;
            (input[i] + 2 * self.padding[i] - reach) / self.stride[i] + 1
        })
    }

    /// The elements of the window of an output that lie on the image: each one's place in the window and in the
    /// image.
    fn window(
        &self,
        input: [usize; 2],
        kernel: [usize; 2],
        output: [usize; 2],
    ) -> Vec<[[usize; 2]; 2]> {
        let places = indices(&kernel).into_iter().map(|at| [at[0], at[1]]);
        let both = places.map(|at| {
            let padded = |i: usize| output[i] * self.stride[i] + at[i] * self.dilation[i];
            [at, [0, 1].map(|i| padded(i).wrapping_sub(self.padding[i]))]
        });
        both.filter(|[_, image]| image[0] < input[0] && image[1] < input[1])
            .collect()
    }

    /// Calls `f` with the indices of image, filter and output for every product of a convolution.
    fn products(
        &self,
        x: &[usize],
        w: &[usize],
        mut f: impl FnMut([usize; 4], [usize; 4], [usize; 4]),
    ) {
        let (input, kernel, channels) = ([x[1], x[2]], [w[1], w[2]], w[3]);
        assert_eq!(x[3], channels * self.groups, "channels of the image");
        assert_eq!(w[0] % self.groups, 0, "outputs are split into groups");
        let [height, width] = self.output(input, kernel);
        for at in indices(&[x[0], height, width, w[0]]) {
            let (n, i, j, o) = (at[0], at[1], at[2], at[3]);
            let first = o / (w[0] / self.groups) * channels;
            for [[p, q], [h, v]] in self.window(input, kernel, [i, j]) {
                for c in 0..channels {
                    f([n, h, v, first + c], [o, p, q, c], [n, i, j, o]);
                }
            }
        }
    }
}

impl Pool2d {
    /// The movement of a filter of the same windows.
    fn moves(&self) -> Conv2d {
        Conv2d {
            stride: self.stride,
            padding: self.padding,
            dilation: [1, 1],
            groups: 1,
        }
    }

    /// The shape of the output for an image of shape `x`.
    fn shape(&self, x: &[usize]) -> [usize; 4] {
        let [height, width] = self.moves().output([x[1], x[2]], self.kernel);
        [x[0], height, width, x[3]]
    }

    /// The indices of the elements of an image, of shape `x`, that the window of an output lies on.
    fn window(&self, x: &[usize], output: &[usize]) -> Vec<[usize; 4]> {
        let (n, at, c) = (output[0], [output[1], output[2]], output[3]);
        let window = self.moves().window([x[1], x[2]], self.kernel, at);
        let on_image = window.into_iter().map(|[_, [h, v]]| [n, h, v, c]);
        on_image.collect()
    }
}
