//! Opening files, compressed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::{Fault, Located};

/// The first two bytes of every gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The content of a stream, decompressed if it begins as gzip does. No IDX, NPY or CSV file
/// begins with these bytes, so the name of a file does not matter.
///
/// # Errors
/// The reader's, if its first bytes cannot be read.
pub fn decoded<'a>(mut reader: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    if reader.fill_buf()?.starts_with(&GZIP) {
        Ok(Box::new(MultiGzDecoder::new(reader)))
    } else {
        Ok(Box::new(reader))
    }
}

/// The content of a file.
pub(super) fn open(path: &Path) -> Result<Box<dyn Read>, Located> {
    File::open(path)
        .and_then(|file| decoded(BufReader::new(file)))
        .map_err(|source| Located::new(path, Fault::Open(source)))
}

/// A reader's error, and how many bytes came before it.
pub(super) struct Interrupted {
    pub(super) at: u64,
    pub(super) source: io::Error,
}

/// At most `len` bytes from byte `at` on: fewer only at the end. Memory grows with what is there.
pub(super) fn up_to(reader: &mut impl Read, len: usize, at: u64) -> Result<Vec<u8>, Interrupted> {
    let mut bytes = Vec::new();
    match reader.take(len as u64).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(Interrupted {
            at: at + bytes.len() as u64,
            source,
        }),
    }
}

/// The name of a file up to its first dot, with what does not belong into a folder's name replaced.
pub(super) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name
        .split('.')
        .find(|part| !part.is_empty())
        .unwrap_or("data");
    let plain = |c: char| {
        if c.is_alphanumeric() || c == '-' || c == '_' {
            c
        } else {
            '-'
        }
    };
    stem.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_fit_for_folders() {
        for (path, want) in [
            ("a/b/adult.csv.gz", "adult"),
            ("a b.csv", "a-b"),
            (".csv", "csv"),
            ("..", "data"),
        ] {
            assert_eq!(stem(Path::new(path)), want, "{path}");
        }
    }
}
