//! The folder of fetched data sets.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// Names the folder in place of the platform's.
const VARIABLE: &str = "ELISION_DATA";

/// The folder with the files of the set `name`: below `$ELISION_DATA`, else below the folder in which the
/// platform keeps a user's data. `None` if there is no such folder.
pub(crate) fn of(name: &str) -> Option<PathBuf> {
    let folder = |variable: &str| env::var_os(variable).and_then(usable);
    if let Some(data) = folder(VARIABLE) {
        return Some(data.join(name));
    }
    let data = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        // The XDG base directory specification: relative paths are to be ignored.
        let data = folder("XDG_DATA_HOME").filter(|data| data.is_absolute());
        data.or_else(|| folder("HOME").map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("elision").join(name))
}

/// An empty variable is as good as none.
fn usable(value: OsString) -> Option<PathBuf> {
    (!value.is_empty()).then(|| value.into())
}
