//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Measures elision and every peer that is installed, in one run and on the same inputs, and checks every
/// answer.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// Numbers of threads, measured one after the other in processes of their own.
    #[arg(long, value_delimiter = ',', default_value = "1,2", value_parser = positive)]
    pub(crate) threads: Vec<usize>,
    /// Where peers.md and peers.svg go [default: docs/bench of the repository].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Shows that everything works; the figures mean nothing.
    #[arg(long, requires = "out")]
    pub(crate) quick: bool,
    /// Measures only the work whose title and size contain this text.
    #[arg(long, value_name = "TEXT", requires = "out")]
    pub(crate) only: Option<String>,
    /// A Python interpreter whose packages are used; may be repeated. Then follow that of $VIRTUAL_ENV and
    /// python3.
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Vec<PathBuf>,
    /// MKL's libmkl_rt.so, if it is in none of the interpreters' environments.
    #[arg(long, value_name = "PATH")]
    pub(crate) mkl: Option<PathBuf>,
    /// scipy-openblas32's libscipy_openblas.so.
    #[arg(long, value_name = "PATH")]
    pub(crate) openblas: Option<PathBuf>,
    /// oneDNN's libdnnl.so, built with OpenMP.
    #[arg(long, value_name = "PATH")]
    pub(crate) onednn: Option<PathBuf>,
    /// Measures one number of threads in this process and prints the record as JSON.
    #[arg(long, hide = true)]
    pub(crate) child: bool,
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a number of threads is 1 or more".to_owned()),
        Ok(threads) => Ok(threads),
    }
}
