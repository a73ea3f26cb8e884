//! Printing measurements, as a table or as one JSON object a line.

use std::io::{self, Write};

use elision::Isa;
use serde::Serialize;

use super::timing::Pair;
use crate::failure::Failure;

/// One measurement.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Line {
    pub(super) op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) m: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) k: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) n: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ns_per_element: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gflops: Option<f64>,
    /// To the time of the scaled copy, of the plain layer or of what the name says; or one thread's time to
    /// all threads'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<f64>,
}

impl Line {
    /// A line without figures.
    pub(super) const fn new(op: &'static str) -> Self {
        Self {
            op,
            m: None,
            k: None,
            n: None,
            p: None,
            ns_per_element: None,
            gflops: None,
            ratio: None,
        }
    }

    /// The same line for another operation.
    pub(super) const fn named(self, op: &'static str) -> Self {
        Self { op, ..self }
    }

    /// The same line with the figures of a pass over `n` elements.
    pub(super) fn timed(self, op: &'static str, pair: Pair, n: usize) -> Self {
        let ns = pair.seconds / n as f64 * 1e9;
        Self {
            op,
            ns_per_element: Some(ns),
            ratio: Some(pair.ratio),
            ..self
        }
    }
}

/// Where lines go.
pub(super) struct Report {
    json: bool,
    isa: Isa,
    /// Threads of the measurements that come.
    pub(super) threads: usize,
}

#[derive(Serialize)]
struct Record<'a> {
    #[serde(flatten)]
    line: &'a Line,
    threads: usize,
    isa: &'static str,
}

impl Report {
    pub(super) fn new(json: bool, isa: Isa) -> Self {
        Self {
            json,
            isa,
            threads: 1,
        }
    }

    /// The table's head.
    pub(super) fn heading(&self) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let isa = self.isa;
        print(&format!(
            "elision {} on {isa}; medians of paired runs\n\
             ratio: to the time of a scaled copy of the same array, or of the plain linear layer\n\n\
             {:<50} {:<14} {:>4} {:>8} {:>14} {:>7}",
            env!("CARGO_PKG_VERSION"),
            "operation",
            "size",
            "p",
            "threads",
            "measured",
            "ratio",
        ))
    }

    /// One measurement.
    pub(super) fn line(&self, line: &Line) -> Result<(), Failure> {
        if self.json {
            let record = Record {
                line,
                threads: self.threads,
                isa: self.isa.level().name(),
            };
            let text = serde_json::to_string(&record).map_err(io::Error::from);
            return print(&text.map_err(|source| Failure::System {
                what: "standard output",
                source,
            })?);
        }
        let size = match (line.m, line.k, line.n) {
            (Some(m), Some(k), Some(n)) => format!("{m}x{k}x{n}"),
            (_, _, Some(n)) if n >= 1 << 20 => format!("{} Mi", n >> 20),
            (_, _, Some(n)) => format!("{} Ki", n >> 10),
            _ => String::new(),
        };
        let p = line.p.map_or_else(String::new, |p| format!("{p}"));
        let measured = match (line.ns_per_element, line.gflops) {
            (Some(ns), _) => format!("{ns:.4} ns"),
            (_, Some(gflops)) => format!("{gflops:.1} GFLOP/s"),
            _ => String::new(),
        };
        let ratio = line
            .ratio
            .map_or_else(String::new, |ratio| format!("{ratio:.3}"));
        let Line { op, .. } = line;
        let threads = self.threads;
        print(&format!(
            "{op:<50} {size:<14} {p:>4} {threads:>8} {measured:>14} {ratio:>7}"
        ))
    }
}

/// A line on standard output. A reader that has gone ends the run without a word.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::stdout)
    {
        Ok(()) => Ok(()),
        Err(Some(failure)) => Err(failure),
        Err(None) => std::process::exit(0),
    }
}
