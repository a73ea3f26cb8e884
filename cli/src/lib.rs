//! The command `elision`: trains small networks, shows what their dropout cost, prints what the library
//! found on this machine, and writes mask bits for external test batteries.
//!
//! It is a library with a thin `main` so that tests and fuzz targets can reach the readers in [`data`].
//! Everything it knows of the tensor engine goes through the public interface of [`elision`].

pub mod config;
pub mod data;

mod args;
mod bench;
mod cache;
mod curves;
mod diagnose;
mod dropout_method;
mod dropout_share;
mod evaluation;
mod experiment;
mod failure;
mod fetch;
mod info;
mod mask;
mod metrics;
mod network;
mod output;
mod overrides;
mod predict;
mod progress;
mod quality;
mod report;
mod saved;
mod seeds;
mod stop;
mod training;

use std::ffi::OsString;
use std::process::ExitCode;

use rayon::{ThreadPool, ThreadPoolBuilder};

use args::{Cli, Command};
use failure::Failure;

/// Runs the command with these arguments, the program's name first, and returns its exit code: 0, 2 for
/// flags and files that cannot be used, 1 for a failure during the work, 130 after Ctrl-C.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::read(arguments) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let outcome = match cli.command {
        None => training::run(&cli.train),
        Some(Command::Train(train)) => training::run(&train),
        Some(Command::Eval(eval)) => evaluation::run(&eval),
        Some(Command::Predict(predict)) => predict::run(&predict),
        Some(Command::Diagnose(diagnose)) => diagnose::run(&diagnose),
        Some(Command::Bench(bench)) => bench::run(&bench),
        Some(Command::Data(data)) => fetch::run(&data),
        Some(Command::Info) => info::run(),
        Some(Command::Mask(mask)) => mask::run(&mask),
    };
    outcome.unwrap_or_else(|failure: Failure| {
        eprintln!("elision: {failure}");
        failure.code()
    })
}

/// A pool of our own, of the physical cores if no number is given: the global one is left to whoever else is in the
/// process.
fn pool(threads: Option<usize>) -> Result<ThreadPool, Failure> {
    ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or_else(num_cpus::get_physical).max(1))
        .build()
        .map_err(|error| Failure::System {
            what: "threads",
            source: std::io::Error::other(error),
        })
}
