//! Runs one piece of work a number of times and prints the nanoseconds of one call.
//!
//! ```text
//! elision-guard WORK REPEATS
//! elision-guard              # the names of all works
//! ```
//!
//! It uses the public API only, so that it builds against any revision; `benches/compare.sh` does that.

mod works;

use std::process::ExitCode;
use std::time::Instant;

use works::{Call, NAMES, prepare};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [] => {
            println!("{}", NAMES.join("\n"));
            Ok(())
        }
        [name, repeats] => run(name, repeats),
        _ => Err("usage: elision-guard WORK REPEATS".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("elision-guard: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, repeats: &str) -> Result<(), String> {
    let repeats: u32 = repeats
        .parse()
        .ok()
        .filter(|&repeats| repeats > 0)
        .ok_or_else(|| format!("`{repeats}` is no number of repeats"))?;
    let work = prepare(name).map_err(|error| error.to_string())?;
    let mut work = work.ok_or_else(|| format!("no work is called `{name}`"))?;
    let seconds = time(&mut work, repeats).map_err(|error| error.to_string())?;
    println!("{:.1}", seconds * 1e9);
    Ok(())
}

/// Seconds of one call, after one that is not counted.
fn time(work: &mut Call, repeats: u32) -> elision::Result<f64> {
    work()?;
    let start = Instant::now();
    for _ in 0..repeats {
        work()?;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(repeats))
}

#[cfg(test)]
mod tests {
    use super::works::{NAMES, prepare};

    #[test]
    fn every_name_runs() {
        for name in NAMES {
            let mut call = prepare(name).unwrap().expect(name);
            call().unwrap();
        }
        assert!(prepare("no such work").unwrap().is_none());
    }
}
