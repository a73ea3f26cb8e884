//! The command in an empty folder of its own.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder, and the command in it.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).expect("the folder can be written");
    }

    pub(crate) fn command(&self, flags: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elision"));
        command
            .current_dir(self.path())
            .args(flags.split_whitespace())
            // Nothing that was fetched onto this machine takes part.
            .env("ELISION_DATA", self.path().join("fetched"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, flags: &str) -> Output {
        self.command(flags).output().expect("the command starts")
    }

    /// Expects a one-line error, exit code 2 and nothing written.
    #[track_caller]
    pub(crate) fn fails(&self, flags: &str) -> String {
        let before = self.files();
        let output = self.run(flags);
        let message = String::from_utf8(output.stderr).expect("messages are UTF-8");
        assert_eq!(output.status.code(), Some(2), "{flags}: {message}");
        assert_eq!(message.matches('\n').count(), 1, "{flags}: {message:?}");
        assert!(output.stdout.is_empty(), "{flags}");
        assert_eq!(self.files(), before, "{flags}: something was left behind");
        message
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path())
            .expect("it is there")
            .map(|entry| {
                entry
                    .expect("it is there")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("the file was written")
    }

    /// Expects success; what was written to standard output.
    #[track_caller]
    pub(crate) fn succeeds(&self, flags: &str) -> String {
        let output = self.run(flags);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{flags}: {message}");
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }
}
