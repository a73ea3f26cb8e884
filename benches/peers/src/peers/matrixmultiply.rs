//! The crate `matrixmultiply`.
#![allow(unsafe_code, reason = "its functions take pointers")]

use std::rc::Rc;

use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::lock::version;
use crate::peer::{Local, Peer, Run};
use crate::work::{Shape, Work};

/// On threads of its own, as many as `MATMUL_NUM_THREADS` says.
pub(super) struct MatrixMultiply;

impl Peer for MatrixMultiply {
    fn name(&self) -> &'static str {
        "matrixmultiply"
    }

    fn version(&self) -> String {
        format!("crate {}, feature threading", version("matrixmultiply"))
    }

    fn prepare(&self, work: Work, inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
        let Work::Linear(shape) = work else {
            return Ok(None);
        };
        let inputs = inputs.clone();
        let call = move |y: &mut Vec<f32>| {
            multiply(shape, &inputs, y);
            Ok(())
        };
        let answer = |y: &mut Vec<f32>| Ok(vec![y.clone()]);
        Ok(Local::boxed(vec![0.0; shape.m * shape.n], call, answer))
    }
}

/// `y = x w^T`.
fn multiply(Shape { m, k, n }: Shape, inputs: &Inputs, y: &mut [f32]) {
    let Inputs { x, w, .. } = inputs;
    assert!(x.len() == m * k && w.len() == n * k && y.len() == m * n);
    let [rows_of_x, rows_of_y] = [k, n].map(|len| len as isize);
    // SAFETY: the strides stay within the three matrices, as the assertion made sure.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            x.as_ptr(),
            rows_of_x,
            1,
            w.as_ptr(),
            1,
            rows_of_x,
            0.0,
            y.as_mut_ptr(),
            rows_of_y,
            1,
        );
    }
}
