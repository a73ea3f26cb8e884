//! Why something could not be measured, in one line.

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The library under test refuses its arguments.
    #[error("elision: {0}")]
    Elision(#[from] elision::Error),
    /// candle refuses its arguments.
    #[cfg(feature = "candle")]
    #[error("candle: {0}")]
    Candle(#[from] candle_core::Error),
    /// A shared library that cannot be loaded or lacks a function.
    #[error("{}: {}", path.display(), innermost(source))]
    Library {
        path: PathBuf,
        source: libloading::Error,
    },
    /// A peer that reports an error of its own, or cannot be used as it is.
    #[error("{peer}: {message}")]
    Peer { peer: &'static str, message: String },
    /// A file, a pipe or a process.
    #[error("{what}: {source}")]
    System { what: String, source: io::Error },
    /// Text between processes that is not what was agreed.
    #[error("{what}: {source}")]
    Json {
        what: &'static str,
        source: serde_json::Error,
    },
    /// A pool of threads that cannot be made.
    #[error("thread pool: {0}")]
    Pool(#[from] rayon::ThreadPoolBuildError),
    /// The run of one thread count ended without a result.
    #[error("the run with {threads} threads failed: {status}")]
    Child {
        threads: usize,
        status: std::process::ExitStatus,
    },
    /// A choice of work that leaves none.
    #[error("no work is called `{0}`")]
    NoWork(String),
    /// Answers that were refused; each was printed when it was found.
    #[error("{0} answers refused, see above")]
    Refused(usize),
}

impl Failure {
    /// A failure of the system while doing `what`.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    /// A failure of the system at a file.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::system(path.display().to_string())
    }
}

/// The end of a chain of causes: the loader's own words.
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a dyn std::error::Error {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}
