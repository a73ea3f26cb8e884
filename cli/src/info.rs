//! `elision info`: what the library found on this machine.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use elision::{Blocking, Isa, Level};

use crate::cache::caches;
use crate::failure::Failure;

/// Where Linux describes the caches of the first core.
const CACHES: &str = "/sys/devices/system/cpu/cpu0/cache";

pub(crate) fn run() -> Result<ExitCode, Failure> {
    // A word in ELISION_MAX_ISA that names no instruction set is the caller's to mend.
    let best = Isa::best().map_err(Failure::Network)?;
    let mut text = String::new();
    describe(&mut text, best).expect("a string takes everything");
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(source) => Failure::stdout(source).map_or(Ok(ExitCode::SUCCESS), Err),
    }
}

fn describe(text: &mut String, best: Isa) -> fmt::Result {
    writeln!(text, "elision {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(
        text,
        "cores: {} physical, {} logical",
        num_cpus::get_physical(),
        num_cpus::get()
    )?;
    let caches = caches(Path::new(CACHES));
    if caches.is_empty() {
        writeln!(text, "caches: unknown")?;
    }
    for cache in caches {
        writeln!(text, "cache: {cache}")?;
    }
    writeln!(text)?;
    writeln!(
        text,
        "{:<10} {:<10} {:>6} {:>6} {:>6} {:>6} {:>6}",
        "isa", "", "mr", "nr", "kc", "mc", "nc"
    )?;
    Level::ALL
        .into_iter()
        .try_for_each(|level| row(text, level, best))
}

/// The line of one instruction set: the tile is mr x nr, the blocks are kc, mc and nc.
fn row(text: &mut String, level: Level, best: Isa) -> fmt::Result {
    let Ok(isa) = Isa::new(level) else {
        return writeln!(text, "{level:<10} absent");
    };
    let state = if isa == best { "in use" } else { "available" };
    let b = Blocking::of(level);
    writeln!(
        text,
        "{level:<10} {state:<10} {:>6} {:>6} {:>6} {:>6} {:>6}",
        b.mr, b.nr, b.kc, b.mc, b.nc
    )
}
