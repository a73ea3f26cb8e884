//! A product whose weights are dropped as they are packed, beside the plain one, and beside one of weights that are masked
//! and written first. Drawing the bits is part of it.

mod common;

use common::{Case, Name, integers, places, time};
use elision::ops::{self, DroppedWeights, LinearGrads, Saved};
use elision::{Dropout, Epilogue, Key, Mask, Tensor, reference};

/// Batch, inputs and outputs.
const SHAPES: [[usize; 3]; 3] = [[1024, 1024, 1024], [512, 768, 3072], [64, 512, 512]];

/// What is timed.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    /// The yardstick: no mask.
    Plain,
    /// Bits that packing applies.
    Packed,
    /// Masked weights that are written.
    Written,
}

struct Product {
    work: Work,
    /// Whether the gradients are computed too.
    both: bool,
    dropout: Dropout,
    kept: Mask,
    x: Tensor,
    w: Tensor,
    masked: Tensor,
    y: Tensor,
    g: Tensor,
    saved: Saved,
    grads: LinearGrads,
}

impl Product {
    fn new([m, k, n]: [usize; 3], work: Work, both: bool) -> Self {
        let filled = |shape: &[usize], seed| {
            Tensor::from_slice(&integers(shape.iter().product(), seed), shape).unwrap()
        };
        let zeros = |shape: &[usize]| Tensor::zeros(shape).unwrap();
        Self {
            work,
            both,
            // A rate of a half has a scale of 2, which keeps integers integers.
            dropout: Dropout::new(Key::new(1), 0.5).unwrap(),
            kept: Mask::none(n * k),
            x: filled(&[m, k], 1),
            w: filled(&[n, k], 2),
            masked: zeros(&[n, k]),
            y: zeros(&[m, n]),
            g: filled(&[m, n], 3),
            saved: Saved::default(),
            grads: LinearGrads {
                x: zeros(&[m, k]),
                w: zeros(&[n, k]),
                bias: zeros(&[n]),
            },
        }
    }
}

impl Case for Product {
    fn run(&mut self) {
        let Self {
            work,
            both,
            dropout,
            kept,
            x,
            w,
            masked,
            y,
            g,
            saved,
            grads,
        } = self;
        let (plain, scale) = (Epilogue::default(), dropout.scale());
        let into = ops::LinearGradsInto {
            x: Some(grads.x.view_mut()),
            w: Some(grads.w.view_mut()),
            bias: Some(grads.bias.view_mut()),
        };
        if *work != Work::Plain {
            kept.redraw(dropout).unwrap();
        }
        if *work == Work::Packed {
            let weights = DroppedWeights::new(&*w, kept, scale).unwrap();
            ops::drop_connect_into(&*x, weights, &plain, y, Some(saved)).unwrap();
            if *both {
                ops::drop_connect_backward_into(&*g, &*x, weights, &plain, &*saved, into).unwrap();
            }
            return;
        }
        let w = match work {
            Work::Written => {
                ops::select_into(&*w, kept, scale, &mut *masked).unwrap();
                &*masked
            }
            _ => &*w,
        };
        ops::linear_into(&*x, w, &plain, y, Some(saved)).unwrap();
        if *both {
            ops::linear_backward_into(&*g, &*x, w, &plain, &*saved, into).unwrap();
            if *work == Work::Written {
                let dw = grads.w.clone();
                ops::select_into(&dw, kept, scale, &mut grads.w).unwrap();
            }
        }
    }

    fn check(&self) {
        let (m, k, n) = (self.x.shape()[0], self.x.shape()[1], self.w.shape()[0]);
        let kept = match self.work {
            Work::Plain => vec![true; n * k],
            _ => self.kept.to_bools(),
        };
        let p = if self.work == Work::Plain { 0.0 } else { 0.5 };
        let w = reference::dropout::forward(self.w.as_slice(), &kept, p).unwrap();
        let exact = |expected: &[(f64, f64)], found: &[f32]| {
            let mut pairs = expected.iter().zip(found);
            assert!(pairs.all(|(&(sum, _), &x)| sum == f64::from(x)));
        };
        let turned = reference::gemm::transpose(&w, n, k);
        let x = &self.x.as_slice()[(m - 1) * k..];
        let y = reference::gemm::matmul(x, &turned, (1, k, n));
        exact(&y, &self.y.as_slice()[(m - 1) * n..]);
        if self.both {
            let g = &self.g.as_slice()[(m - 1) * n..];
            let dx = reference::gemm::matmul(g, &w, (1, n, k));
            exact(&dx, &self.grads.x.as_slice()[(m - 1) * k..]);
        }
    }
}

fn main() {
    let mut criterion = common::criterion();
    for place in places().into_iter().filter(|place| place.is_best) {
        for shape @ [m, k, n] in SHAPES {
            for (both, products, word) in [(false, 1, "forward"), (true, 3, "step")] {
                for (work, what) in [
                    (Work::Plain, "plain"),
                    (Work::Packed, "packed"),
                    (Work::Written, "written"),
                ] {
                    let name = Name {
                        operation: format!("drop-connect-{word}-{what}"),
                        shape: format!("{m}x{k}x{n}"),
                        work: products * 2 * m * n * k,
                    };
                    time(&mut criterion, &place, name, || {
                        Product::new(shape, work, both)
                    });
                }
            }
        }
    }
    criterion.final_summary();
}
