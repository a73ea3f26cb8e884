//! Where the peers that are not crates lie on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::args::Args;

/// Shared libraries, and the interpreter that has PyTorch.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) mkl: Option<PathBuf>,
    pub(crate) openblas: Option<PathBuf>,
    pub(crate) onednn: Option<PathBuf>,
    pub(crate) torch: Option<PathBuf>,
}

/// What an interpreter says of itself.
#[derive(Deserialize)]
struct Interpreter {
    prefix: PathBuf,
    packages: PathBuf,
    torch: bool,
}

const QUESTION: &str = "import importlib.util, json, sys, sysconfig; print(json.dumps({
    'prefix': sys.prefix, 'packages': sysconfig.get_paths()['platlib'],
    'torch': importlib.util.find_spec('torch') is not None}))";

impl Places {
    /// What the flags name, and else what the interpreters have, in their order.
    pub(crate) fn find(args: &Args) -> Self {
        let mut places = Self {
            mkl: args.mkl.clone(),
            openblas: args.openblas.clone(),
            onednn: args.onednn.clone(),
            torch: None,
        };
        for python in interpreters(args) {
            if let Some(interpreter) = ask(&python) {
                places.look_into(&interpreter, &python);
            }
        }
        places
    }

    fn look_into(&mut self, interpreter: &Interpreter, python: &Path) {
        let lib = interpreter.prefix.join("lib");
        let openblas = interpreter.packages.join("scipy_openblas32").join("lib");
        let find = |place: &mut Option<PathBuf>, folder: &Path, name: &str| {
            if place.is_none() {
                *place = library(folder, name);
            }
        };
        find(&mut self.mkl, &lib, "libmkl_rt.");
        find(&mut self.onednn, &lib, "libdnnl.");
        find(&mut self.openblas, &openblas, "libscipy_openblas");
        if self.torch.is_none() && interpreter.torch {
            self.torch = Some(python.to_owned());
        }
    }
}

/// Those of the flags, then that of the active virtual environment, then the system's.
fn interpreters(args: &Args) -> Vec<PathBuf> {
    let mut pythons = args.python.clone();
    if let Some(folder) = std::env::var_os("VIRTUAL_ENV") {
        pythons.push(PathBuf::from(folder).join("bin").join("python"));
    }
    pythons.push(PathBuf::from("python3"));
    pythons
}

/// An interpreter that does not run has nothing to offer.
fn ask(python: &Path) -> Option<Interpreter> {
    let output = Command::new(python)
        .args(["-c", QUESTION])
        .stderr(Stdio::null())
        .output();
    serde_json::from_slice(&output.ok()?.stdout).ok()
}

/// The shared library of a folder whose name starts with `name`: the last in alphabetical order, which is the
/// one with the longest version.
fn library(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let fits = |file: &OsStr| {
        let file = file.to_string_lossy();
        file.starts_with(name) && (file.contains(".so") || file.ends_with(".dylib"))
    };
    let names = entries.map(|entry| entry.path());
    names
        .filter(|path| path.file_name().is_some_and(fits))
        .max()
}
