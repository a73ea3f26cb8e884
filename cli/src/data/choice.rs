//! From the words on the command line to a source of data.

use std::path::{Path, PathBuf};

use elision::Key;

use super::table::Layout;
use super::{Pick, Source, folder};

/// The part of a file's rows that is for testing unless the user says otherwise.
const TEST_FRACTION: f64 = 0.25;

/// Whether this is the name of a set, and not a file's.
pub(crate) fn is_set(name: &str) -> bool {
    ["digits", "breast-cancer", "adult", "mnist", "fashion-mnist"].contains(&name)
}

/// What the flags say of the data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice<'a> {
    /// A name or a path.
    pub(crate) data: &'a str,
    pub(crate) data_dir: Option<&'a Path>,
    /// A column, or a file of labels.
    pub(crate) label: Option<&'a str>,
    pub(crate) no_header: bool,
    pub(crate) test_fraction: Option<f64>,
    /// Chooses the test rows.
    pub(crate) key: Key,
}

impl Choice<'_> {
    /// The source, or what is wrong with the flags.
    pub(crate) fn source(&self) -> Result<Source, String> {
        match self.data {
            "digits" => self.embedded(Source::Digits),
            "breast-cancer" => self.embedded(Source::BreastCancer),
            "adult" => Ok(Source::Adult {
                folder: self.folder()?,
            }),
            "mnist" | "fashion-mnist" => Ok(Source::Idx {
                name: self.data.to_owned(),
                folder: self.folder()?,
            }),
            path => self.file(Path::new(path)),
        }
    }

    fn embedded(&self, source: Source) -> Result<Source, String> {
        if self.data_dir.is_some() {
            return Err(format!("--data {} takes no --data-dir", self.data));
        }
        self.no_file_flags().map(|()| source)
    }

    /// The folder of a set that has a test part of its own.
    fn folder(&self) -> Result<PathBuf, String> {
        self.no_file_flags()?;
        let given = self.data_dir.map(Path::to_owned);
        given.or_else(|| folder::of(self.data)).ok_or_else(|| {
            format!(
                "--data {} needs --data-dir, the folder with its files: there is no home folder",
                self.data
            )
        })
    }

    fn no_file_flags(&self) -> Result<(), String> {
        if self.label.is_some() || self.no_header || self.test_fraction.is_some() {
            let name = self.data;
            return Err(format!(
                "--data {name} takes no --label, --no-header or --test-fraction"
            ));
        }
        Ok(())
    }

    fn file(&self, path: &Path) -> Result<Source, String> {
        let end = path.extension().unwrap_or_default();
        let known = ["csv", "gz", "data", "npy", "npz"];
        if !known.iter().any(|known| end == *known) && !path.exists() {
            return Err(format!(
                "--data {}: neither digits, breast-cancer, mnist, fashion-mnist, adult nor a file",
                self.data
            ));
        }
        if self.data_dir.is_some() {
            return Err(
                "--data-dir is for mnist, fashion-mnist and adult; give a file's whole path to --data"
                    .to_owned(),
            );
        }
        let pick = Pick {
            key: self.key,
            fraction: self.test_fraction.unwrap_or(TEST_FRACTION),
        };
        let path = path.to_owned();
        if end == "npz" {
            return self.npz(path, pick);
        }
        if end == "npy" {
            return self.npy(path, pick);
        }
        let layout = Layout {
            label: self.label("the column of classes")?.to_owned(),
            header: !self.no_header,
        };
        Ok(Source::Csv { path, layout, pick })
    }

    fn npz(&self, path: PathBuf, pick: Pick) -> Result<Source, String> {
        if self.label.is_some() || self.no_header {
            return Err("an NPZ file takes no --label or --no-header".to_owned());
        }
        Ok(Source::Npz { path, pick })
    }

    fn npy(&self, path: PathBuf, pick: Pick) -> Result<Source, String> {
        if self.no_header {
            return Err("--no-header is for CSV files".to_owned());
        }
        Ok(Source::Npy {
            x: path,
            y: self.label("the NPY file of labels")?.into(),
            pick,
        })
    }

    fn label(&self, what: &str) -> Result<&str, String> {
        self.label
            .ok_or_else(|| format!("--data {} needs --label, {what}", self.data))
    }
}
