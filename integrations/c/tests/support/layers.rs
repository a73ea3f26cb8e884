//! One fused layer, forward and backward, against the library's.
#![allow(unsafe_code, reason = "it calls functions of C")]

use std::ptr::{null, null_mut};

use elision::ops::{self, Saved};
use elision::{Activation, Dropout, Epilogue, Tensor};
use elision_c::{
    CDropout, CLinear, CLinearGrads, CLinearOutput, CView, CViewMut, Status,
    elision_linear_backward, elision_linear_forward, elision_saved_free, elision_saved_new,
};

use super::bytes::Bytes;
use super::tensors::{Place, bits, numbers};

/// Longest side of a matrix: more than a tile of every instruction set.
const MOST: usize = 40;

/// A matrix in memory of its own: rows follow each other, or columns do.
struct Matrix {
    memory: Vec<f32>,
    place: Place,
}

impl Matrix {
    fn new(rows: usize, cols: usize, bytes: &mut Bytes<'_>) -> Self {
        let turned = vec![1, rows as isize];
        let strides = (bytes.below(3) == 0).then_some(turned);
        Self {
            memory: numbers(rows * cols),
            place: Place {
                first: 0,
                shape: vec![rows, cols],
                strides,
            },
        }
    }

    fn tensor(&self) -> Tensor {
        self.place.read(&self.memory)
    }

    fn view(&mut self) -> CView {
        self.place.view(self.memory.as_mut_ptr())
    }

    fn view_mut(&mut self) -> CViewMut {
        self.place.view_mut(self.memory.as_mut_ptr())
    }
}

pub(crate) fn run(bytes: &mut Bytes<'_>, c: &CDropout, rust: Option<Dropout>) {
    let [m, k, n] = [(); 3].map(|()| bytes.below(MOST + 1));
    let with_dropout = bytes.below(4) > 0;
    let (dropout, epilogue) = match (with_dropout, rust) {
        (true, Some(dropout)) => (&raw const *c, Some(dropout)),
        (true, None) => return,
        (false, _) => (null(), None),
    };
    let activation = Activation::ALL[bytes.below(6)];
    let recompute = bytes.below(2) == 1;
    let [mut x, mut w] = [Matrix::new(m, k, bytes), Matrix::new(n, k, bytes)];
    let [mut y, mut g] = [Matrix::new(m, n, bytes), Matrix::new(m, n, bytes)];
    let (x_view, w_view) = (x.view(), w.view());
    let number = Activation::ALL.iter().position(|&each| each == activation);
    let layer = CLinear {
        x: &x_view,
        w: &w_view,
        bias: null(),
        activation: number.expect("it is one of all") as i32,
        dropout,
    };
    let epilogue = Epilogue {
        bias: None,
        activation,
        dropout: epilogue,
    };

    let mut saved = null_mut();
    let y_view = y.view_mut();
    // SAFETY: the tensors have memory of their own, and the handle is written before it is used.
    let status = unsafe {
        assert_eq!(elision_saved_new(recompute.into(), &mut saved), Status::Ok);
        elision_linear_forward(&layer, &y_view, saved)
    };
    let mut expected = Tensor::zeros(&[m, n]).expect("it is small");
    let mut room = if recompute {
        Saved::recomputing()
    } else {
        Saved::default()
    };
    let done = ops::linear_into(
        &x.tensor(),
        &w.tensor(),
        &epilogue,
        &mut expected,
        Some(&mut room),
    );
    assert_eq!(status == Status::Ok, done.is_ok(), "{m} x {k} x {n}");
    if status == Status::Ok {
        assert_eq!(bits(y.tensor().as_slice()), bits(expected.as_slice()));
        let [dx, dw] = [Matrix::new(m, k, bytes), Matrix::new(n, k, bytes)];
        let output = CLinearOutput {
            g: &g.view(),
            saved,
            y: &y.view(),
        };
        let found = backward(&layer, &output, [dx, dw], n);
        let residuals = room.with_output(&expected);
        let grads =
            ops::linear_backward(&g.tensor(), &x.tensor(), &w.tensor(), &epilogue, residuals);
        let grads = grads.expect("the shapes agree");
        for (found, expected) in found.iter().zip([&grads.x, &grads.w, &grads.bias]) {
            assert_eq!(
                bits(found.as_slice()),
                bits(expected.as_slice()),
                "{m} x {k} x {n}"
            );
        }
    }
    // SAFETY: the handle is not used any more.
    unsafe { elision_saved_free(saved) };
}

/// The gradients of the input, the weights and the bias.
fn backward(
    layer: &CLinear,
    output: &CLinearOutput,
    [mut dx, mut dw]: [Matrix; 2],
    n: usize,
) -> [Tensor; 3] {
    let mut bias = Matrix {
        memory: numbers(n),
        place: Place {
            first: 0,
            shape: vec![n],
            strides: None,
        },
    };
    let views = [dx.view_mut(), dw.view_mut(), bias.view_mut()];
    let grads = CLinearGrads {
        x: &views[0],
        w: &views[1],
        bias: &views[2],
    };
    // SAFETY: the tensors have memory of their own, and the handle has not been freed.
    let status = unsafe { elision_linear_backward(layer, output, &grads) };
    assert_eq!(status, Status::Ok);
    [dx.tensor(), dw.tensor(), bias.tensor()]
}
