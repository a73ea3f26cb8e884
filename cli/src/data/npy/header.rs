//! The header of an NPY file: a dictionary in Python's notation with three known keys.

use std::io::Read;

use super::NpyFault;
use super::element::Element;
use crate::data::file::up_to;
use crate::data::table::shown;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// What NumPy itself reads at most; a header of a table of numbers has a hundred bytes.
const MOST_BYTES: usize = 10_000;
/// The most dimensions that NumPy has ever had.
const MOST_DIMS: usize = 64;

/// What the header says.
pub(super) struct Header {
    pub(super) element: Element,
    /// Whether the first index varies fastest.
    pub(super) fortran: bool,
    pub(super) dims: Vec<usize>,
    /// Where the data begin.
    pub(super) end: u64,
}

/// Reads the header and leaves the reader at the first element.
pub(super) fn read(reader: &mut impl Read) -> Result<Header, NpyFault> {
    let start = up_to(reader, 8, 0)?;
    if !start.starts_with(&MAGIC[..start.len().min(6)]) {
        return Err(NpyFault::Magic);
    }
    let &[.., major, minor] = exactly(&start, 8, 0)? else {
        return Err(NpyFault::Magic);
    };
    let width = match (major, minor) {
        (1, 0) => 2,
        (2 | 3, 0) => 4,
        _ => return Err(NpyFault::Version { major, minor }),
    };
    let length = up_to(reader, width, 8)?;
    let length = exactly(&length, width, 8)?.iter().rev();
    let length = length.fold(0, |length, &byte| (length << 8) | usize::from(byte));
    if length > MOST_BYTES {
        return Err(NpyFault::LongHeader(length));
    }
    let before = 8 + width;
    let text = up_to(reader, length, before as u64)?;
    let mut parser = Parser {
        text: exactly(&text, length, before)?,
        at: 0,
    };
    parser.header(before).ok_or(NpyFault::Header {
        at: before + parser.at,
    })?
}

/// The bytes if there are as many as there should be; `before` are those that came before them.
fn exactly(bytes: &[u8], expected: usize, before: usize) -> Result<&[u8], NpyFault> {
    if bytes.len() == expected {
        return Ok(bytes);
    }
    Err(NpyFault::ShortHeader {
        expected: before + expected,
        found: before + bytes.len(),
    })
}

/// A place in the text of the dictionary. `None` from any of its functions means that the text is
/// not what it should be at that place.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    /// The whole dictionary; its faults beyond notation are the inner error.
    fn header(&mut self, before: usize) -> Option<Result<Header, NpyFault>> {
        let (mut descr, mut fortran, mut dims) = (None, None, None);
        self.token(b"{")?;
        while self.token(b"}").is_none() {
            let key = self.string()?;
            self.token(b":")?;
            match key {
                b"descr" if descr.is_none() => descr = Some(self.descr()?),
                b"fortran_order" if fortran.is_none() => fortran = Some(self.boolean()?),
                b"shape" if dims.is_none() => dims = Some(self.shape()?),
                _ => return None,
            }
            if self.token(b",").is_none() {
                self.token(b"}")?;
                break;
            }
        }
        self.space();
        let (descr, fortran, dims) = (descr?, fortran?, dims?);
        if self.at < self.text.len() {
            return None;
        }
        let Some(element) = Element::parse(descr) else {
            return Some(Err(NpyFault::Type(shown(descr))));
        };
        Some(Ok(Header {
            element,
            fortran,
            dims,
            end: (before + self.text.len()) as u64,
        }))
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        self.at += space.count();
    }

    fn token(&mut self, token: &[u8]) -> Option<()> {
        self.space();
        self.text[self.at..].starts_with(token).then_some(())?;
        self.at += token.len();
        Some(())
    }

    /// A string without escapes, in either kind of quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        let quote: &[u8] = if self.token(b"'").is_some() {
            b"'"
        } else {
            self.token(b"\"")?;
            b"\""
        };
        let rest = &self.text[self.at..];
        let len = rest.iter().position(|byte| *byte == quote[0])?;
        self.at += len + 1;
        Some(&rest[..len])
    }

    /// The type. A list, which a type of several fields is written as, is taken to its end only far
    /// enough to say that it is not read.
    fn descr(&mut self) -> Option<&'a [u8]> {
        self.space();
        if self.text[self.at..].starts_with(b"[") {
            let list = &self.text[self.at..];
            let len = list.windows(2).position(|pair| pair == b"],")? + 1;
            self.at += len;
            return Some(&list[..len]);
        }
        self.string()
    }

    fn boolean(&mut self) -> Option<bool> {
        match self.token(b"True") {
            Some(()) => Some(true),
            None => self.token(b"False").map(|()| false),
        }
    }

    /// A tuple of sizes: `()`, `(3,)`, `(3, 4)`.
    fn shape(&mut self) -> Option<Vec<usize>> {
        let mut dims = Vec::new();
        self.token(b"(")?;
        while self.token(b")").is_none() {
            if dims.len() == MOST_DIMS {
                return None;
            }
            dims.push(self.size()?);
            if self.token(b",").is_none() {
                self.token(b")")?;
                break;
            }
        }
        Some(dims)
    }

    fn size(&mut self) -> Option<usize> {
        self.space();
        let rest = &self.text[self.at..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let size = std::str::from_utf8(&rest[..len]).ok()?.parse().ok()?;
        self.at += len;
        Some(size)
    }
}
