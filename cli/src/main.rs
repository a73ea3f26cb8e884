//! The command `elision`.

use std::process::ExitCode;

fn main() -> ExitCode {
    elision_cli::run(std::env::args_os())
}
