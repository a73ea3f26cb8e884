//! Ctrl-C as a flag that the loops look at.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

/// Whether the user has asked to stop.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

/// The exit code of a command that Ctrl-C ended, as shells have it.
const CODE: u8 = 130;

impl Stop {
    /// From now on Ctrl-C sets the flag; a second one ends the process at once.
    pub(crate) fn on_ctrl_c() -> Result<Self, Failure> {
        let stop = Self::default();
        let handle = stop.clone();
        let handler = move || {
            if handle.0.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(CODE));
            }
        };
        ctrlc::set_handler(handler).map_err(|error| Failure::System {
            what: "Ctrl-C",
            source: io::Error::other(error),
        })?;
        Ok(stop)
    }

    /// Whether Ctrl-C was pressed.
    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The exit code of a stopped command.
    pub(crate) fn code() -> ExitCode {
        ExitCode::from(CODE)
    }
}
