//! Sums and maxima of a square matrix: of everything, of each row, of each column; and the softmax of
//! each row.

mod common;

use common::{Case, Name, numbers, places, time};
use elision::{Tensor, ops, reference};

/// What is timed.
#[derive(Clone, Copy)]
enum Work {
    Sum(&'static [usize]),
    Max(&'static [usize]),
    /// Of each row.
    Softmax,
}

const ALL: [(&str, Work); 6] = [
    ("sum", Work::Sum(&[0, 1])),
    ("sum-rows", Work::Sum(&[1])),
    ("sum-columns", Work::Sum(&[0])),
    ("max", Work::Max(&[0, 1])),
    ("max-columns", Work::Max(&[0])),
    ("softmax", Work::Softmax),
];

struct Reduction {
    work: Work,
    x: Tensor,
    out: Tensor,
}

impl Reduction {
    fn new(work: Work, side: usize) -> Self {
        let x = Tensor::from_slice(&numbers(side * side, 1), &[side, side]).unwrap();
        let rank = match work {
            Work::Sum(axes) | Work::Max(axes) => 2 - axes.len(),
            Work::Softmax => 2,
        };
        let out = Tensor::zeros(&[side, side][..rank]).unwrap();
        Self { work, x, out }
    }

    /// Every element within 2^-20 of the f64 reference, relative to itself.
    fn check_softmax(&self) {
        let side = self.x.shape()[1];
        let rows = self
            .x
            .as_slice()
            .chunks(side)
            .zip(self.out.as_slice().chunks(side));
        for (x, y) in rows {
            for (expected, &y) in reference::softmax::softmax(x).into_iter().zip(y) {
                let error = (f64::from(y) - expected).abs();
                assert!(error <= 2f64.powi(-20) * expected, "{y} for {expected}");
            }
        }
    }
}

impl Case for Reduction {
    fn run(&mut self) {
        match self.work {
            Work::Sum(axes) => ops::sum_into(&self.x, axes, &mut self.out),
            Work::Max(axes) => ops::max_into(&self.x, axes, &mut self.out),
            Work::Softmax => ops::softmax_into(&self.x, 1, &mut self.out),
        }
        .unwrap();
    }

    /// The tree of a reduction is fixed, so the reference has the same bits.
    fn check(&self) {
        let expected = match self.work {
            Work::Sum(axes) => reference::reduce::sum(self.x.view(), axes),
            Work::Max(axes) => reference::reduce::max(self.x.view(), axes),
            Work::Softmax => return self.check_softmax(),
        };
        assert_eq!(self.out, expected.unwrap());
    }
}

fn main() {
    let mut criterion = common::criterion();
    for place in places() {
        for side in [256, 1024] {
            for (operation, work) in ALL {
                let name = Name {
                    operation,
                    shape: format!("{side}x{side}"),
                    work: side * side,
                };
                time(&mut criterion, &place, name, || Reduction::new(work, side));
            }
        }
    }
    criterion.final_summary();
}
