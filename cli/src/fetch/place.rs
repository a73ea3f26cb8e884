//! Putting a file in place, once its checksum has shown that it is the published one.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::catalog::Published;
use crate::data::decoded;

/// Whether the file at `path` is the published one, not compressed.
pub(super) fn is_published(path: &Path, file: &Published) -> bool {
    let copied = File::open(path).and_then(|content| copy(content, file, &mut io::sink()));
    copied.is_ok_and(|sha256| sha256 == file.sha256)
}

/// Decompresses `found` beside its place in `folder` and renames it if it is the published file. Else
/// says why not, and nothing has changed.
pub(super) fn put(found: &Path, file: &Published, folder: &Path) -> Result<(), String> {
    let (sha256, temporary) = decompressed(found, file, folder).map_err(|e| e.to_string())?;
    if sha256 != file.sha256 {
        return Err(format!(
            "{} is not the published file: its SHA-256 is {sha256}, expected {}",
            file.name, file.sha256
        ));
    }
    let place = folder.join(file.name);
    match temporary.persist(place) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn decompressed(
    found: &Path,
    file: &Published,
    folder: &Path,
) -> io::Result<(String, tempfile::NamedTempFile)> {
    let content = decoded(BufReader::new(File::open(found)?))?;
    let mut temporary = temporary(folder)?;
    let sha256 = copy(content, file, &mut temporary)?;
    temporary.as_file().sync_all()?;
    Ok((sha256, temporary))
}

/// A file that is removed unless it is renamed, for as many readers as the user's other files.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fetch-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Copies at most a byte more than the published file has, and returns the checksum.
fn copy(content: impl Read, file: &Published, out: &mut impl Write) -> io::Result<String> {
    let mut content = content.take(file.bytes + 1);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = content.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        out.write_all(&buffer[..read])?;
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksum of these three letters stands in FIPS 180-4's examples.
    const ABC: Published = Published {
        name: "abc",
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        let entries = std::fs::read_dir(folder).expect("it is there");
        entries
            .map(|entry| entry.expect("it is there").file_name())
            .collect()
    }

    #[test]
    fn the_published_file_is_put_in_place() {
        let [here, there] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
        let found = here.path().join("abc.gz");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"abc").expect("memory takes everything");
        let packed = packed.finish().expect("memory takes everything");
        for content in [b"abc".as_slice(), &packed] {
            std::fs::write(&found, content).expect("it can be written");
            put(&found, &ABC, there.path()).expect("the published file");
            assert!(is_published(&there.path().join("abc"), &ABC));
            assert_eq!(names(there.path()), ["abc"]);
        }
    }

    #[test]
    fn another_file_is_refused_and_leaves_nothing() {
        let [here, there] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
        let found = here.path().join("abc");
        for wrong in ["", "ab", "abd", "abcd", "<html>not found</html>"] {
            std::fs::write(&found, wrong).expect("it can be written");
            let message = put(&found, &ABC, there.path()).expect_err("another file");
            assert!(
                message.starts_with("abc is not the published file"),
                "{message}"
            );
            assert!(names(there.path()).is_empty(), "{wrong:?}");
            assert!(!is_published(&found, &ABC), "{wrong:?}");
        }
    }
}
