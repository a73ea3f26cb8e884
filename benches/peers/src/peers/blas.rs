//! Libraries with the C interface of BLAS: MKL and OpenBLAS.
#![allow(unsafe_code, reason = "C functions that are found at run time")]

use std::ffi::{CStr, c_char, c_int};
use std::path::Path;
use std::rc::Rc;

use libloading::Library;

use super::mkl_random::{self, MklRandom};
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::library::{function, load};
use crate::peer::{Local, Peer, Run};
use crate::work::{Shape, Work};

/// `CBLAS_LAYOUT` and `CBLAS_TRANSPOSE` of the BLAS standard.
const ROW_MAJOR: c_int = 101;
const NO_TRANS: c_int = 111;
const TRANS: c_int = 112;

/// `cblas_sgemm` with 32-bit sizes.
type Sgemm = unsafe extern "C" fn(
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    f32,
    *const f32,
    c_int,
    *const f32,
    c_int,
    f32,
    *mut f32,
    c_int,
);
type SetThreads = unsafe extern "C" fn(c_int);

/// A BLAS library, and MKL's random numbers where it is MKL.
pub(super) struct Blas {
    name: &'static str,
    version: String,
    sgemm: Sgemm,
    random: Option<MklRandom>,
}

/// MKL's single dynamic library.
pub(super) fn mkl(path: Option<&Path>, threads: usize) -> Result<Option<Blas>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let library = load(path)?;
    let mut version = [0; 256];
    // SAFETY: both types are those of mkl.h; the text is shorter than its buffer, which says its length.
    let (sgemm, version) = unsafe {
        type GetVersion = unsafe extern "C" fn(*mut c_char, c_int);
        set_threads(library, path, "MKL_Set_Num_Threads", threads)?;
        function::<GetVersion>(library, path, "mkl_get_version_string")?(
            version.as_mut_ptr(),
            version.len() as c_int - 1,
        );
        let sgemm = function::<Sgemm>(library, path, "cblas_sgemm")?;
        (sgemm, CStr::from_ptr(version.as_ptr()))
    };
    Ok(Some(Blas {
        name: "MKL",
        version: version.to_string_lossy().trim().to_owned(),
        sgemm,
        random: Some(mkl_random::load(library, path)?),
    }))
}

/// OpenBLAS as the package scipy-openblas32 builds it, with a prefix to each name.
pub(super) fn openblas(path: Option<&Path>, threads: usize) -> Result<Option<Blas>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let library = load(path)?;
    // SAFETY: the types are those of cblas.h; the configuration is a constant string of the library.
    let (sgemm, version) = unsafe {
        type GetConfig = unsafe extern "C" fn() -> *const c_char;
        set_threads(library, path, "scipy_openblas_set_num_threads", threads)?;
        let config = function::<GetConfig>(library, path, "scipy_openblas_get_config")?();
        let sgemm = function::<Sgemm>(library, path, "scipy_cblas_sgemm")?;
        (sgemm, CStr::from_ptr(config))
    };
    Ok(Some(Blas {
        name: "OpenBLAS",
        version: version.to_string_lossy().trim().to_owned(),
        sgemm,
        random: None,
    }))
}

/// # Safety
/// `name` must be a function of the library that takes a number of threads and returns nothing.
unsafe fn set_threads(
    library: &Library,
    path: &Path,
    name: &str,
    threads: usize,
) -> Result<(), Failure> {
    // SAFETY: the caller vouches for the type; the function has no other condition.
    unsafe { function::<SetThreads>(library, path, name)?(threads as c_int) };
    Ok(())
}

impl Peer for Blas {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> String {
        self.version.clone()
    }

    fn prepare(&self, work: Work, inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
        match (work, &self.random) {
            (Work::Linear(shape), _) => Ok(linear(self.sgemm, shape, inputs.clone())),
            (Work::Mask { n }, Some(random)) => random.prepare(n),
            _ => Ok(None),
        }
    }
}

fn linear(sgemm: Sgemm, shape: Shape, inputs: Rc<Inputs>) -> Option<Box<dyn Run>> {
    let call = move |y: &mut Vec<f32>| {
        multiply(sgemm, shape, &inputs, y);
        Ok(())
    };
    let answer = |y: &mut Vec<f32>| Ok(vec![y.clone()]);
    Local::boxed(vec![0.0; shape.m * shape.n], call, answer)
}

/// `y = x w^T`.
fn multiply(sgemm: Sgemm, Shape { m, k, n }: Shape, inputs: &Inputs, y: &mut [f32]) {
    let Inputs { x, w, .. } = inputs;
    assert!(x.len() == m * k && w.len() == n * k && y.len() == m * n);
    let [m, k, n] = [m, k, n].map(|size| size as c_int);
    // SAFETY: the three matrices have the sizes that the call names, as the line above made sure.
    unsafe {
        sgemm(
            ROW_MAJOR,
            NO_TRANS,
            TRANS,
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
        );
    }
}
