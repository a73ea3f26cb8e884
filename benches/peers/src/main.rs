//! Measures elision beside other libraries; see README.md.

mod args;
mod check;
mod child;
mod failure;
mod inputs;
mod library;
mod lock;
mod machine;
mod measure;
mod peak;
mod peer;
mod peers;
mod places;
mod record;
mod report;
mod timing;
mod work;

#[cfg(test)]
mod planted;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use args::Args;
use failure::Failure;
use machine::Machine;
use record::Record;
use work::Work;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = if args.child {
        child::measure(&args)
    } else {
        run(&args)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("peers: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Measures with each number of threads, writes the report, and fails if an answer was refused.
fn run(args: &Args) -> Result<(), Failure> {
    check_choice(args)?;
    let folder = args.out.clone().unwrap_or_else(default_folder);
    std::fs::create_dir_all(&folder).map_err(Failure::at(&folder))?;
    let counts = args.threads.iter();
    let records = counts.map(|&threads| child::spawn(threads));
    let records: Vec<Record> = records.collect::<Result<_, _>>()?;
    let machine = Machine::describe();
    write(
        &folder.join("peers.md"),
        &report::markdown(&machine, args.quick, &records),
    )?;
    write(&folder.join("peers.svg"), &report::svg(&machine, &records))?;
    match records.iter().map(Record::refused).sum() {
        0 => Ok(()),
        refused => Err(Failure::Refused(refused)),
    }
}

/// A choice that leaves nothing to measure is told before anything is written.
fn check_choice(args: &Args) -> Result<(), Failure> {
    match &args.only {
        Some(text) if !Work::all().iter().any(|work| work.label().contains(text)) => {
            Err(Failure::NoWork(text.clone()))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(Failure::at(path))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

fn default_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bench")
}
