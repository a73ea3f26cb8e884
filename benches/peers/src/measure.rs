//! One piece of work by every peer that offers it, in rotation, each answer checked.

use std::rc::Rc;

use crate::check::check;
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::peak::Peak;
use crate::peer::Peer;
use crate::record::{Cell, Figures, Outcome, Row};
use crate::timing::{Plan, Side, median};
use crate::work::Work;

/// Measures `work`. The first peer is ours; the others' times are divided by its own.
pub(crate) fn measure(work: Work, peers: &[Box<dyn Peer>], plan: &Plan) -> Result<Row, Failure> {
    let inputs = Rc::new(Inputs::new(work));
    let mut names = Vec::new();
    let mut sides = Vec::new();
    let mut cells = Vec::new();
    for peer in peers {
        match peer.prepare(work, &inputs) {
            Ok(None) => {}
            Ok(Some(run)) => {
                names.push(peer.name());
                sides.push(Side::new(run));
            }
            Err(failure) => cells.push(refused(work, peer.name(), &failure.to_string())),
        }
    }
    let flops = match work.flops() {
        None => None,
        Some(flops) => {
            let peak = Peak::new()?;
            let peak_flops = peak.flops();
            sides.push(Side::new(Box::new(peak)));
            Some((flops, peak_flops))
        }
    };
    plan.rotate(&mut sides);

    let peaks = flops.and_then(|(_, done)| Some((done, sides.pop()?.seconds.ok()?)));
    let peaks = peaks.map(|(done, seconds)| seconds.iter().map(|s| done / s).collect::<Vec<_>>());
    let ours = sides.first().and_then(|side| side.seconds.as_ref().ok());
    let rotations = Rotations {
        ours: ours.cloned().unwrap_or_default(),
        flops: work.flops(),
        peaks,
    };
    for (name, side) in names.into_iter().zip(&mut sides) {
        cells.push(match outcome(work, &inputs, side) {
            Ok(seconds) => Cell {
                peer: name.to_owned(),
                outcome: Outcome::Measured(rotations.figures(&seconds)),
            },
            Err(reason) => refused(work, name, &reason),
        });
    }
    Ok(Row {
        work,
        peak: rotations.peaks.map(median),
        cells,
    })
}

/// A side's figures, if its last answer is right.
fn outcome(work: Work, inputs: &Inputs, side: &mut Side) -> Result<Vec<f64>, String> {
    let seconds = match &side.seconds {
        Ok(seconds) => seconds.clone(),
        Err(failure) => return Err(failure.to_string()),
    };
    let answer = side.run.answer().map_err(|failure| failure.to_string())?;
    check(work, inputs, &answer).map_err(|reason| format!("wrong answer: {reason}"))?;
    Ok(seconds)
}

/// Says so at once, and keeps the reason for the report.
fn refused(work: Work, peer: &str, reason: &str) -> Cell {
    eprintln!("REFUSED {} {}, {peer}: {reason}", work.title(), work.size());
    Cell {
        peer: peer.to_owned(),
        outcome: Outcome::Refused(reason.to_owned()),
    }
}

/// What the times of a peer are compared with, an entry a rotation.
struct Rotations {
    ours: Vec<f64>,
    flops: Option<f64>,
    peaks: Option<Vec<f64>>,
}

impl Rotations {
    fn figures(&self, seconds: &[f64]) -> Figures {
        let ratios = seconds.iter().zip(&self.ours).map(|(s, ours)| s / ours);
        let of_peak = self.flops.zip(self.peaks.as_ref()).map(|(flops, peaks)| {
            median(seconds.iter().zip(peaks).map(|(s, peak)| flops / s / peak))
        });
        Figures {
            seconds: median(seconds.iter().copied()),
            ratio: median(ratios),
            of_peak,
        }
    }
}
