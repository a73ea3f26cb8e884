//! Why the command ends without success, in one line.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::data::Fault;

/// What went wrong. The text never holds a line break: [`Failure::one_line`] sees to it where the text
/// comes from elsewhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A flag, or a combination of flags, that cannot be used.
    #[error("{0}")]
    Flags(String),
    /// A file of data that cannot be used.
    #[error("{}: {fault}", path.display())]
    Data { path: PathBuf, fault: Fault },
    /// The output folder cannot be written; found out before any work.
    #[error("{}: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    /// A network or rate that the library refuses.
    #[error("{0}")]
    Network(#[source] elision::Error),
    /// A checkpoint that cannot be used.
    #[error("{}: {fault}", path.display())]
    Model { path: PathBuf, fault: String },
    /// A fault of the library during the work.
    #[error("training stopped: {0}")]
    Work(#[source] elision::Error),
    /// A bench found an operation that is fast and wrong.
    #[error("{0}: the answer is not the reference's")]
    WrongAnswer(String),
    /// A result could not be written.
    #[error("{}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// Anything else that stops the work.
    #[error("{what}: {source}")]
    System {
        what: &'static str,
        source: io::Error,
    },
}

impl Failure {
    /// 2 for what the caller can mend by another flag or file, 1 for the rest.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Flags(_)
            | Self::Data { .. }
            | Self::Folder { .. }
            | Self::Network(_)
            | Self::Model { .. } => ExitCode::from(2),
            Self::Work(_) | Self::WrongAnswer(_) | Self::Write { .. } | Self::System { .. } => {
                ExitCode::from(1)
            }
        }
    }

    /// A failure to write `path`.
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    /// A failure of standard output; `None` if its reader has gone, which is not a fault.
    pub(crate) fn stdout(source: io::Error) -> Option<Self> {
        (source.kind() != io::ErrorKind::BrokenPipe).then_some(Self::System {
            what: "standard output",
            source,
        })
    }
}

/// The text up to its first blank line, in one line.
pub(crate) fn one_line(text: &str) -> String {
    let first = text.trim().split("\n\n").next().unwrap_or_default();
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes to standard output; the end of a command.
pub(crate) fn print(text: &str) -> Result<ExitCode, Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(source) => Failure::stdout(source).map_or(Ok(ExitCode::SUCCESS), Err),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}
