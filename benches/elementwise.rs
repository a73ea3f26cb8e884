//! Arithmetic and activations on contiguous arrays, and the two layouts that are not trivial: a row
//! that is broadcast and a matrix that is transposed.

mod common;

use common::{Case, Name, numbers, places, time};
use elision::{Activation, Tensor, ops, reference};

/// What is timed.
#[derive(Clone, Copy)]
enum Work {
    Add,
    Div,
    /// A row added to every row.
    AddRow,
    /// A transposed matrix copied to a contiguous one.
    CopyTransposed,
    Activate(Activation),
    /// The gradient of an activation.
    ActivateBackward(Activation),
}

const ALL: [Work; 9] = [
    Work::Add,
    Work::Div,
    Work::AddRow,
    Work::CopyTransposed,
    Work::Activate(Activation::Relu),
    Work::Activate(Activation::GeluTanh),
    Work::Activate(Activation::GeluErf),
    Work::Activate(Activation::Tanh),
    Work::ActivateBackward(Activation::GeluTanh),
];

impl Work {
    fn name(self) -> String {
        match self {
            Self::Add => "add".into(),
            Self::Div => "div".into(),
            Self::AddRow => "add-row".into(),
            Self::CopyTransposed => "copy-transposed".into(),
            Self::Activate(a) => a.name().into(),
            Self::ActivateBackward(a) => format!("{a}-backward"),
        }
    }
}

/// Square matrices of `side` rows.
struct Elementwise {
    work: Work,
    a: Tensor,
    b: Tensor,
    row: Tensor,
    out: Tensor,
}

impl Elementwise {
    fn new(work: Work, side: usize) -> Self {
        let matrix = |seed| Tensor::from_slice(&numbers(side * side, seed), &[side, side]).unwrap();
        Self {
            work,
            a: matrix(1),
            b: matrix(2),
            row: Tensor::from_slice(&numbers(side, 3), &[side]).unwrap(),
            out: Tensor::zeros(&[side, side]).unwrap(),
        }
    }

    /// Every element within 2^-20 of the f64 reference, relative to its magnitude and to 1.
    fn check_near(&self, expected: impl Fn(f64, f64) -> f64) {
        let inputs = self.a.as_slice().iter().zip(self.b.as_slice());
        for ((&a, &b), &y) in inputs.zip(self.out.as_slice()) {
            let expected = expected(a.into(), b.into());
            let error = (f64::from(y) - expected).abs();
            assert!(
                error <= 2f64.powi(-20) * expected.abs().max(1.0),
                "{y} for {expected}"
            );
        }
    }
}

impl Case for Elementwise {
    fn run(&mut self) {
        let Self {
            work,
            a,
            b,
            row,
            out,
        } = self;
        match *work {
            Work::Add => ops::add_into(&*a, &*b, out),
            Work::Div => ops::div_into(&*a, &*b, out),
            Work::AddRow => ops::add_into(&*a, &*row, out),
            Work::CopyTransposed => ops::copy_into(a.view().transpose(0, 1).unwrap(), out),
            Work::Activate(f) => ops::activate_into(&*a, f, out),
            Work::ActivateBackward(f) => ops::activate_backward_into(&*a, &*b, f, out),
        }
        .unwrap();
    }

    fn check(&self) {
        let (a, b, row) = (self.a.view(), self.b.view(), self.row.view());
        let expected = match self.work {
            Work::Add => reference::zip(a, b, |a, b| a + b),
            Work::Div => reference::zip(a, b, |a, b| a / b),
            Work::AddRow => reference::zip(a, row, |a, b| a + b),
            Work::CopyTransposed => a.transpose(0, 1).unwrap().to_tensor(),
            Work::Activate(f) => {
                return self.check_near(|a, _| reference::math::activation(f, a));
            }
            Work::ActivateBackward(f) => {
                return self.check_near(|g, z| g * reference::math::derivative(f, z));
            }
        };
        assert_eq!(self.out, expected.unwrap());
    }
}

fn main() {
    let mut criterion = common::criterion();
    for place in places() {
        for side in [256, 1024] {
            for work in ALL {
                let n = side * side;
                let name = Name {
                    operation: work.name(),
                    shape: n,
                    work: n,
                };
                time(&mut criterion, &place, name, || {
                    Elementwise::new(work, side)
                });
            }
        }
    }
    criterion.final_summary();
}
