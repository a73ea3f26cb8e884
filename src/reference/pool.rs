//! Pooling of channels-last images `[N, H, W, C]` and its gradients, one window at a time.

use super::conv::Window;

/// The largest element below each window and the number of its cell: the first of several, or the first NaN.
/// Every window must have a pixel below it.
#[must_use]
pub fn max(window: &Window, shape: [usize; 4], x: &[f32]) -> Vec<(f32, usize)> {
    let mut out: Vec<Option<(f32, usize)>> = vec![None; outputs(window, shape)];
    each(window, shape, |at, cell, pixel| {
        let Some(pixel) = pixel else { return };
        out[at] = match out[at] {
            Some((best, k)) if best.is_nan() || x[pixel] <= best => Some((best, k)),
            _ => Some((x[pixel], cell)),
        };
    });
    out.into_iter().flatten().collect()
}

/// The gradient of [`max`] for the gradient `g` of its result, given the cells that were taken.
#[must_use]
pub fn max_backward(window: &Window, shape: [usize; 4], cells: &[usize], g: &[f32]) -> Vec<f64> {
    let mut dx = vec![0.0; shape.iter().product()];
    each(window, shape, |at, cell, pixel| match pixel {
        Some(pixel) if cells[at] == cell => dx[pixel] += f64::from(g[at]),
        _ => {}
    });
    dx
}

/// The mean of the elements below each window, the padding counted as zeros.
#[must_use]
pub fn avg(window: &Window, shape: [usize; 4], x: &[f32]) -> Vec<f64> {
    let mut out = vec![0.0; outputs(window, shape)];
    each(window, shape, |at, _, pixel| {
        out[at] += pixel.map_or(0.0, |pixel| f64::from(x[pixel]));
    });
    out.into_iter().map(|sum| sum / cells(window)).collect()
}

/// The gradient of [`avg`] for the gradient `g` of its result.
#[must_use]
pub fn avg_backward(window: &Window, shape: [usize; 4], g: &[f32]) -> Vec<f64> {
    let mut dx = vec![0.0; shape.iter().product()];
    each(window, shape, |at, _, pixel| {
        if let Some(pixel) = pixel {
            dx[pixel] += f64::from(g[at]) / cells(window);
        }
    });
    dx
}

fn cells(window: &Window) -> f64 {
    (window.kernel[0] * window.kernel[1]) as f64
}

fn outputs(window: &Window, [n, h, w, c]: [usize; 4]) -> usize {
    let [oh, ow] = window.output([h, w]);
    n * oh * ow * c
}

/// Calls `f` with an element of the output, the number of a cell of its window, and the element of the images
/// below that cell.
fn each(window: &Window, [n, h, w, c]: [usize; 4], mut f: impl FnMut(usize, usize, Option<usize>)) {
    let [oh, ow] = window.output([h, w]);
    for (image, channel) in (0..n).flat_map(|n| (0..c).map(move |c| (n, c))) {
        window.each_cell([h, w], |[oy, ox], [ky, kx], pixel| {
            let pixel = pixel.map(|[y, x]| ((image * h + y) * w + x) * c + channel);
            let at = ((image * oh + oy) * ow + ox) * c + channel;
            f(at, ky * window.kernel[1] + kx, pixel);
        });
    }
}
