//! A file that is replaced as a whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|fault| error(path, &fault))
}

/// Puts `bytes` in the place of the file's.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_steps(path, bytes).map_err(|fault| error(path, &fault))
}

fn replace_steps(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary(path)?;
    let renamed = write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        // The first fault is the one to report.
        fs::remove_file(&temporary).unwrap_or(());
    }
    renamed?;
    sync_folder(path)
}

/// `<path>.tmp`: in the same folder, because a rename does not leave a file system, and the same for every save, so
/// that what a killed program leaves does not pile up.
fn temporary(path: &Path) -> io::Result<PathBuf> {
    let nameless = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
    let mut name: OsString = path.file_name().ok_or_else(nameless)?.to_owned();
    name.push(".tmp");
    Ok(path.with_file_name(name))
}

/// Writes a new file, to the disk.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Removed rather than truncated: a link would lead elsewhere.
    match fs::remove_file(path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        _ => {}
    }
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the renaming of a file in the folder of `path` last.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn error(path: &Path, fault: &io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        kind: fault.kind(),
        message: fault.to_string(),
    }
}
