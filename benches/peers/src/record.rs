//! What one run found; the processes of a run pass it on as JSON.

use serde::{Deserialize, Serialize};

use crate::work::Work;

/// All that was measured with one number of threads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) threads: usize,
    pub(crate) isa: String,
    pub(crate) peers: Vec<Description>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) rows: Vec<Row>,
}

/// A peer that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// A peer that was not found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Missing {
    pub(crate) name: String,
    pub(crate) why: String,
    /// The command that installs it.
    pub(crate) install: String,
}

/// One piece of work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) work: Work,
    /// Median of what the cores reach in registers, in floating-point operations a second.
    pub(crate) peak: Option<f64>,
    pub(crate) cells: Vec<Cell>,
}

/// One peer's outcome.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) peer: String,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Measured(Figures),
    /// It failed, or its answer is wrong.
    Refused(String),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Median seconds of one call.
    pub(crate) seconds: f64,
    /// Median over the rotations of its time divided by ours.
    pub(crate) ratio: f64,
    /// Median over the rotations of its speed divided by the peak.
    pub(crate) of_peak: Option<f64>,
}

impl Row {
    /// The figures of a peer.
    pub(crate) fn figures(&self, peer: &str) -> Option<Figures> {
        match self.cells.iter().find(|cell| cell.peer == peer)?.outcome {
            Outcome::Measured(figures) => Some(figures),
            Outcome::Refused(_) => None,
        }
    }
}

impl Record {
    /// How many answers were refused.
    pub(crate) fn refused(&self) -> usize {
        let cells = self.rows.iter().flat_map(|row| &row.cells);
        cells
            .filter(|cell| matches!(cell.outcome, Outcome::Refused(_)))
            .count()
    }
}
