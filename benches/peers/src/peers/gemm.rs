//! The crate `gemm`.
#![allow(unsafe_code, reason = "its functions take pointers")]

use std::rc::Rc;

use gemm::Parallelism;

use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::lock::version;
use crate::peer::{Local, Peer, Run};
use crate::work::{Shape, Work};

/// On the ambient rayon threads.
pub(super) struct Gemm {
    pub(super) threads: usize,
}

impl Peer for Gemm {
    fn name(&self) -> &'static str {
        "gemm"
    }

    fn version(&self) -> String {
        format!("crate {}, feature x86-v4", version("gemm"))
    }

    fn prepare(&self, work: Work, inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
        let Work::Linear(shape) = work else {
            return Ok(None);
        };
        let parallelism = match self.threads {
            1 => Parallelism::None,
            threads => Parallelism::Rayon(threads),
        };
        let inputs = inputs.clone();
        let call = move |y: &mut Vec<f32>| {
            multiply(shape, &inputs, y, parallelism);
            Ok(())
        };
        let answer = |y: &mut Vec<f32>| Ok(vec![y.clone()]);
        Ok(Local::boxed(vec![0.0; shape.m * shape.n], call, answer))
    }
}

/// `y = x w^T`.
fn multiply(Shape { m, k, n }: Shape, inputs: &Inputs, y: &mut [f32], parallelism: Parallelism) {
    let Inputs { x, w, .. } = inputs;
    assert!(x.len() == m * k && w.len() == n * k && y.len() == m * n);
    // SAFETY: the strides of columns and rows stay within the three matrices, as the assertion made sure.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            y.as_mut_ptr(),
            1,
            n as isize,
            false,
            x.as_ptr(),
            1,
            k as isize,
            w.as_ptr(),
            k as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}
