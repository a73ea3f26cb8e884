//! The section `[data]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

use super::{Config, number};
use crate::data::choice::Choice;
use crate::data::{HoldOut, Pick, Source};

/// What is learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// The name of a set, or the path of a file.
    pub set: String,
    /// The folder of a set's files.
    pub dir: Option<PathBuf>,
    /// The column of classes of a CSV file, or the NPY file of labels.
    pub label: Option<String>,
    /// Whether the first line of a CSV file names the columns.
    pub header: bool,
    /// The part of a file's rows that is for testing.
    #[serde(deserialize_with = "number::maybe_fraction")]
    pub test_fraction: Option<f64>,
    /// The training rows that are held out for validation.
    pub validation: Option<Validation>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            set: "digits".to_owned(),
            dir: None,
            label: None,
            header: true,
            test_fraction: None,
            validation: None,
        }
    }
}

/// Rows that are held out for validation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Validation {
    /// As many of the last training rows.
    Rows(usize),
    /// A part of the training rows, chosen by the seed.
    Fraction(f64),
}

const EXPECTED: &str = "a number of rows above 0, or a part between 0 and 1, both excluded";

impl Validation {
    fn rows(rows: u64) -> Result<Self, &'static str> {
        match usize::try_from(rows) {
            Ok(rows) if rows > 0 => Ok(Self::Rows(rows)),
            _ => Err(EXPECTED),
        }
    }

    fn fraction(part: f64) -> Result<Self, &'static str> {
        match part > 0.0 && part < 1.0 {
            true => Ok(Self::Fraction(part)),
            false => Err(EXPECTED),
        }
    }
}

impl FromStr for Validation {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let parsed = match word.parse() {
            Ok(rows) => Self::rows(rows),
            Err(_) => word.parse().map_err(|_| EXPECTED).and_then(Self::fraction),
        };
        parsed.map_err(|expected| format!("expected {expected}"))
    }
}

impl<'de> Deserialize<'de> for Validation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = Validation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_i64<E: Error>(self, rows: i64) -> Result<Validation, E> {
        self.visit_u64(rows.try_into().unwrap_or(0))
    }

    fn visit_u64<E: Error>(self, rows: u64) -> Result<Validation, E> {
        Validation::rows(rows).map_err(|expected| E::custom(format!("expected {expected}")))
    }

    fn visit_f64<E: Error>(self, part: f64) -> Result<Validation, E> {
        Validation::fraction(part).map_err(|expected| E::custom(format!("expected {expected}")))
    }
}

impl Config {
    /// Where the data are, or why that cannot be said.
    pub(crate) fn source(&self) -> Result<Source, String> {
        let data = &self.data;
        let choice = Choice {
            data: &data.set,
            data_dir: data.dir.as_deref(),
            label: data.label.as_deref(),
            no_header: !data.header,
            test_fraction: data.test_fraction,
            key: self.key(),
        };
        choice.source()
    }

    /// The rows that are held out.
    pub(crate) fn hold_out(&self) -> Option<HoldOut> {
        self.data.validation.map(|validation| match validation {
            Validation::Rows(rows) => HoldOut::Last(rows),
            Validation::Fraction(fraction) => HoldOut::Fraction(Pick {
                key: self.key().named("validation"),
                fraction,
            }),
        })
    }
}
