//! The folder of a run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The files of a run.
pub(crate) const METRICS: &str = "metrics.csv";
pub(crate) const CURVES: &str = "curves.svg";
pub(crate) const SUMMARY: &str = "summary.json";
pub(crate) const CONFIG: &str = "config.toml";
/// What was measured along a run, its means over the seeds, and both as a picture.
pub(crate) const DIAGNOSE: &str = "diagnose.csv";
pub(crate) const DIAGNOSE_MEAN: &str = "diagnose-mean.csv";
pub(crate) const DIAGNOSE_PLOT: &str = "diagnose.svg";
/// All that is needed to go on.
pub(crate) const LAST: &str = "last.safetensors";
/// The model of the best epoch.
pub(crate) const BEST: &str = "best.safetensors";
/// The model that training came to.
pub(crate) const MODEL: &str = "model.safetensors";

const ALL: [&str; 10] = [
    METRICS,
    CURVES,
    SUMMARY,
    CONFIG,
    LAST,
    BEST,
    MODEL,
    DIAGNOSE,
    DIAGNOSE_MEAN,
    DIAGNOSE_PLOT,
];

/// The name of a run's folder.
#[derive(Clone, Debug)]
pub(crate) enum FolderName {
    /// The user's: an existing folder's results are replaced.
    Given(String),
    /// Ours: a number is added until no such folder exists.
    Free(String),
}

/// A run's folder while the run has nothing to show: dropped before [`keep`](Folder::keep), it takes
/// away whatever it has made.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Folders that were made, outermost first.
    made: Vec<PathBuf>,
    kept: bool,
}

impl Folder {
    /// Makes the folder, and those above it, and checks that it can be written.
    pub(crate) fn create(out: &Path, name: &FolderName) -> Result<Self, Failure> {
        let path = choose(out, name);
        let failed = |source| Failure::Folder {
            path: path.clone(),
            source,
        };
        let mut folder = Self {
            path: path.clone(),
            made: Vec::new(),
            kept: false,
        };
        folder.make(&path).map_err(failed)?;
        folder.probe().map_err(failed)?;
        Ok(folder)
    }

    /// The folder of a run that goes on.
    pub(crate) fn existing(path: &Path) -> Self {
        let (path, made, kept) = (path.to_owned(), Vec::new(), true);
        Self { path, made, kept }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// There is something to show: the folder stays. Results of an earlier run under the same name are
    /// removed only now, since they do not belong to what will be written.
    pub(crate) fn keep(&mut self) -> Result<(), Failure> {
        if self.kept {
            return Ok(());
        }
        for name in ALL {
            let path = self.path.join(name);
            remove(&path).map_err(Failure::write(&path))?;
        }
        self.kept = true;
        Ok(())
    }

    /// Writes a file whole or not at all.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<(), Failure> {
        let (path, part) = (
            self.path.join(name),
            self.path.join(format!(".{name}.part")),
        );
        let written = fs::write(&part, content).and_then(|()| fs::rename(&part, &path));
        written.map_err(|source| {
            let _ = fs::remove_file(&part);
            Failure::Write { path, source }
        })
    }

    fn make(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make(parent)?;
        }
        fs::create_dir(path)?;
        self.made.push(path.to_owned());
        Ok(())
    }

    /// Permissions, quotas and read-only systems in one question.
    fn probe(&self) -> io::Result<()> {
        let probe = self.path.join(".probe.part");
        fs::write(&probe, [0])?;
        fs::remove_file(&probe)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for path in self.made.iter().rev() {
            // A fault is being reported already; another one here would hide it.
            let _ = fs::remove_dir(path);
        }
    }
}

fn choose(out: &Path, name: &FolderName) -> PathBuf {
    match name {
        FolderName::Given(name) => out.join(name),
        FolderName::Free(name) => {
            let numbered = (2u64..).map(|number| out.join(format!("{name}-{number}")));
            let mut paths = std::iter::once(out.join(name)).chain(numbered);
            paths
                .find(|path| !path.exists())
                .unwrap_or_else(|| out.join(name))
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_folder_that_is_not_kept() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let out = home.path().join("a/b");
        let folder = Folder::create(&out, &FolderName::Free("x".into())).expect("it can be made");
        assert!(folder.path().is_dir());
        drop(folder);
        assert_eq!(fs::read_dir(home.path()).expect("it is there").count(), 0);
    }

    #[test]
    fn free_names_never_meet_an_old_folder() {
        let home = tempfile::tempdir().expect("a temporary folder");
        for want in ["x", "x-2", "x-3"] {
            let mut folder =
                Folder::create(home.path(), &FolderName::Free("x".into())).expect("it can be made");
            folder.keep().expect("nothing is in the way");
            assert_eq!(folder.path(), home.path().join(want));
        }
    }

    #[test]
    fn a_given_name_replaces_the_results_and_nothing_else() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let path = home.path().join("x");
        fs::create_dir(&path).expect("it can be made");
        fs::write(path.join(SUMMARY), "old").expect("it can be written");
        fs::write(path.join("notes"), "mine").expect("it can be written");
        let given = FolderName::Given("x".into());
        drop(Folder::create(home.path(), &given).expect("it can be used"));
        assert!(
            path.join(SUMMARY).exists(),
            "a run that has shown nothing replaces nothing"
        );
        let mut folder = Folder::create(home.path(), &given).expect("it can be used");
        folder.keep().expect("the old result can be removed");
        assert!(!path.join(SUMMARY).exists() && path.join("notes").exists());
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let file = home.path().join("runs");
        fs::write(&file, "").expect("it can be written");
        let failure =
            Folder::create(&file, &FolderName::Free("x".into())).expect_err("a file is no folder");
        assert!(failure.to_string().contains("runs"), "{failure}");
        assert!(file.is_file());
    }
}
