//! `elision mask`: raw mask bits.

use std::io::{self, Write};
use std::process::ExitCode;

use elision::{Dropout, Key, Mask};

use crate::args::MaskArgs;
use crate::failure::Failure;

/// Bits drawn at a time: half a megabyte of them, a multiple of the stream's blocks.
const CHUNK: u64 = 1 << 22;

pub(crate) fn run(args: &MaskArgs) -> Result<ExitCode, Failure> {
    let dropout = Dropout::new(Key::new(args.seed), args.p).map_err(Failure::Network)?;
    match write(dropout, args.bits, &mut io::stdout().lock()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Stopped::Library(error)) => Err(Failure::Work(error)),
        Err(Stopped::Output(source)) => Failure::stdout(source).map_or(Ok(ExitCode::SUCCESS), Err),
    }
}

enum Stopped {
    Library(elision::Error),
    Output(io::Error),
}

/// Writes the bits of elements 0, 1, 2 and so on: `bits` of them, rounded up to whole bytes.
fn write(dropout: Dropout, bits: Option<u64>, out: &mut impl Write) -> Result<(), Stopped> {
    let end = bits.map_or(u64::MAX - 7, |bits| {
        bits.checked_next_multiple_of(8).unwrap_or(u64::MAX - 7)
    });
    let mut offset = 0;
    while offset < end {
        let len = CHUNK.min(end - offset);
        let mask =
            Mask::draw(&dropout.with_offset(offset), len as usize).map_err(Stopped::Library)?;
        out.write_all(&mask.to_bytes()).map_err(Stopped::Output)?;
        offset += len;
    }
    out.flush().map_err(Stopped::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_join_without_a_seam() {
        let dropout = Dropout::new(Key::new(3), 0.3).expect("0.3 is a probability");
        let bits = CHUNK + 12_345;
        let mut bytes = Vec::new();
        assert!(write(dropout, Some(bits), &mut bytes).is_ok());
        let whole = Mask::draw(&dropout, bits.next_multiple_of(8) as usize)
            .expect("a mask of this size fits");
        assert!(bytes == whole.to_bytes());
    }
}
