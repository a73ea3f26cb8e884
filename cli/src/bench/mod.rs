//! `elision bench`: what the library reaches, beside the limits of this machine, in one run.
//!
//! Every ratio is measured pair by pair: the work and what it is compared with run in turn, and the ratio
//! is the median of the pairs' ratios, so that a machine whose speed drifts does not decide it.

mod elementwise;
mod limits;
mod linear;
mod operands;
mod report;
mod structured;
mod timing;

use std::process::ExitCode;

use elision::Isa;

use crate::args::BenchArgs;
use crate::failure::Failure;
use report::Report;

/// Runs every measurement and prints it as it comes.
pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode, Failure> {
    let isa = Isa::best().map_err(Failure::Network)?;
    let mut counts = vec![1, args.threads.unwrap_or(1)];
    counts.dedup();
    let mut report = Report::new(args.json, isa);
    report.heading()?;
    for &threads in &counts {
        pool(threads)?.install(|| {
            report.threads = threads;
            limits::measure(isa, &mut report)?;
            elementwise::measure(&mut report)?;
            linear::measure(&mut report)?;
            linear::measure_peak_share(isa, &mut report)?;
            structured::measure(&mut report)
        })?;
    }
    if let [one, many] = counts[..] {
        report.threads = many;
        let (one, many) = (pool(one)?, pool(many)?);
        elementwise::measure_speedup(&one, &many, &mut report)?;
        linear::measure_speedup(&one, &many, &mut report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Failure::Flags(format!("{threads} threads: {error}")))
}
