//! oneDNN's matrix product on the CPU.
#![allow(unsafe_code, reason = "C functions that are found at run time")]

use std::ffi::{c_char, c_int, c_uint};
use std::path::Path;
use std::rc::Rc;

use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::library::{function, load};
use crate::peer::{Local, Peer, Run};
use crate::work::{Shape, Work};

/// `dnnl_sgemm`: row-major, with 64-bit sizes.
type Sgemm = unsafe extern "C" fn(
    c_char,
    c_char,
    i64,
    i64,
    i64,
    f32,
    *const f32,
    i64,
    *const f32,
    i64,
    f32,
    *mut f32,
    i64,
) -> c_int;

/// `dnnl_version_t` up to the fields that are read.
#[repr(C)]
struct VersionOf {
    major: c_int,
    minor: c_int,
    patch: c_int,
    hash: *const c_char,
    cpu_runtime: c_uint,
}

/// `DNNL_RUNTIME_OMP`.
const OPENMP: c_uint = 2;

/// The library.
pub(super) struct OneDnn {
    version: String,
    sgemm: Sgemm,
}

/// Loads it. The number of threads comes from `OMP_NUM_THREADS`, so a build without OpenMP is refused.
pub(super) fn load_library(path: Option<&Path>) -> Result<Option<OneDnn>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let library = load(path)?;
    // SAFETY: the types are those of dnnl.h; the version is a constant of the library.
    let (sgemm, version) = unsafe {
        type Version = unsafe extern "C" fn() -> *const VersionOf;
        let version = function::<Version>(library, path, "dnnl_version")?();
        (function::<Sgemm>(library, path, "dnnl_sgemm")?, &*version)
    };
    if version.cpu_runtime != OPENMP {
        return Err(Failure::Peer {
            peer: "oneDNN",
            message: "this build does not use OpenMP, so its threads cannot be chosen".to_owned(),
        });
    }
    let VersionOf {
        major,
        minor,
        patch,
        ..
    } = version;
    Ok(Some(OneDnn {
        version: format!("{major}.{minor}.{patch}, dnnl_sgemm, OpenMP"),
        sgemm,
    }))
}

impl Peer for OneDnn {
    fn name(&self) -> &'static str {
        "oneDNN"
    }

    fn version(&self) -> String {
        self.version.clone()
    }

    fn prepare(&self, work: Work, inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
        let Work::Linear(shape) = work else {
            return Ok(None);
        };
        let (sgemm, inputs) = (self.sgemm, inputs.clone());
        let call = move |y: &mut Vec<f32>| multiply(sgemm, shape, &inputs, y);
        let answer = |y: &mut Vec<f32>| Ok(vec![y.clone()]);
        Ok(Local::boxed(vec![0.0; shape.m * shape.n], call, answer))
    }
}

/// `y = x w^T`.
fn multiply(
    sgemm: Sgemm,
    Shape { m, k, n }: Shape,
    inputs: &Inputs,
    y: &mut [f32],
) -> Result<(), Failure> {
    let Inputs { x, w, .. } = inputs;
    assert!(x.len() == m * k && w.len() == n * k && y.len() == m * n);
    let [m, k, n] = [m, k, n].map(|size| size as i64);
    let [plain, transposed] = [b'N', b'T'].map(|letter| letter as c_char);
    // SAFETY: the three matrices have the sizes that the call names, as the assertion made sure.
    let status = unsafe {
        sgemm(
            plain,
            transposed,
            m,
            n,
            k,
            1.0,
            x.as_ptr(),
            k,
            w.as_ptr(),
            k,
            0.0,
            y.as_mut_ptr(),
            n,
        )
    };
    if status == 0 {
        return Ok(());
    }
    Err(Failure::Peer {
        peer: "oneDNN",
        message: format!("dnnl_sgemm ends with status {status}"),
    })
}
