//! The instruction set as a value.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use super::dispatch::has;
use crate::error::{Error, Result};

/// The environment variable that caps [`Isa::best`].
const CAP: &str = "ELISION_MAX_ISA";

/// The name of an instruction set, whether or not this processor has it; ordered from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Plain loops over arrays.
    Scalar,
    /// The `wide` crate: whatever the compilation target guarantees (SSE2, NEON, wasm).
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Level {
    /// All levels, least first.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Portable, Self::Avx2, Self::Avx512];

    /// The lower-case word that [`FromStr`] and `ELISION_MAX_ISA` know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == word)
            .ok_or_else(|| Error::UnknownIsa(word.to_owned()))
    }
}

/// An instruction set that this processor has: whoever holds the value has the proof.
///
/// ```
/// use elision::Isa;
/// let scalar: Isa = "scalar".parse()?;
/// assert!(Isa::available().contains(&scalar));
/// assert!(Isa::best()? <= *Isa::available().last().unwrap());
/// assert!("sse9".parse::<Isa>().is_err());
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isa(Level);

impl Isa {
    /// The instruction set of that level.
    ///
    /// # Errors
    /// [`Error::UnavailableIsa`] if this processor lacks it.
    pub fn new(level: Level) -> Result<Self> {
        if has(level) {
            Ok(Self(level))
        } else {
            Err(Error::UnavailableIsa(level.name()))
        }
    }

    /// Its level.
    #[must_use]
    pub const fn level(self) -> Level {
        self.0
    }

    /// Every instruction set that this processor has, least first.
    #[must_use]
    pub fn available() -> &'static [Self] {
        static AVAILABLE: OnceLock<Vec<Isa>> = OnceLock::new();
        AVAILABLE.get_or_init(|| {
            Level::ALL
                .into_iter()
                .filter_map(|level| Self::new(level).ok())
                .collect()
        })
    }

    /// The best one, at most the level that the environment variable `ELISION_MAX_ISA` names. The
    /// variable is read once for each process.
    ///
    /// # Errors
    /// [`Error::UnknownIsa`] if the variable holds an unknown word.
    pub fn best() -> Result<Self> {
        static BEST: OnceLock<Result<Isa>> = OnceLock::new();
        BEST.get_or_init(|| match std::env::var_os(CAP) {
            Some(word) => Ok(Self::at_most(word.to_string_lossy().parse()?)),
            None => Ok(Self::at_most(Level::Avx512)),
        })
        .clone()
    }

    fn at_most(cap: Level) -> Self {
        let best = Self::available().iter().rev().find(|isa| isa.0 <= cap);
        best.copied().unwrap_or(Self(Level::Scalar))
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Isa {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Self::new(word.parse()?)
    }
}
