//! One piece of work by every peer that offers it, in rotation, each answer checked.

use std::rc::Rc;

use crate::check::check;
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::peak::Peak;
use crate::peer::{OURS, Peer};
use crate::record::{Cell, Figures, Outcome, Row};
use crate::timing::{Plan, Side, median};
use crate::work::Work;

/// Measures `work`. The first peer is ours: the others' times are divided by its own, so it must not fail.
pub(crate) fn measure(work: Work, peers: &[Box<dyn Peer>], plan: &Plan) -> Result<Row, Failure> {
    let inputs = Rc::new(Inputs::new(work));
    let (mut sides, mut cells) = prepare(work, peers, &inputs);
    let peak = work.flops().map(|_| Peak::new()).transpose()?;
    let peak_flops = peak.as_ref().map(Peak::flops);
    sides.extend(peak.map(|peak| Side::new("peak", Box::new(peak))));
    plan.rotate(&mut sides);
    let peak = peak_flops.zip(peak_flops.and_then(|_| sides.pop()));
    let rotations = Rotations {
        ours: ours(&sides)?,
        flops: work.flops(),
        peaks: peak.map(|(flops, side)| speeds(flops, &side)),
    };
    for side in &mut sides {
        cells.push(match outcome(work, &inputs, side) {
            Ok(seconds) => Cell {
                peer: side.name.to_owned(),
                outcome: Outcome::Measured(rotations.figures(&seconds)),
            },
            Err(reason) => refused(work, side.name, &reason),
        });
    }
    Ok(Row {
        work,
        peak: rotations.peaks.map(median),
        cells,
    })
}

/// The sides of the peers that offer the work, and the cells of those that offer it and fail.
fn prepare(work: Work, peers: &[Box<dyn Peer>], inputs: &Rc<Inputs>) -> (Vec<Side>, Vec<Cell>) {
    let (mut sides, mut cells) = (Vec::new(), Vec::new());
    for peer in peers {
        match peer.prepare(work.done_by(peer.name()), inputs) {
            Ok(None) => {}
            Ok(Some(run)) => sides.push(Side::new(peer.name(), run)),
            Err(failure) => cells.push(refused(work, peer.name(), &failure.to_string())),
        }
    }
    (sides, cells)
}

/// Our times. If ours is the side that fails there is nothing to compare with.
fn ours(sides: &[Side]) -> Result<Vec<f64>, Failure> {
    let failure = |message: String| Failure::Peer {
        peer: OURS,
        message,
    };
    match sides.first() {
        Some(side) if side.name == OURS => match &side.seconds {
            Ok(seconds) => Ok(seconds.clone()),
            Err(reason) => Err(failure(reason.to_string())),
        },
        _ => Err(failure("cannot be measured".to_owned())),
    }
}

/// Operations a second, an entry a rotation.
fn speeds(flops: f64, side: &Side) -> Vec<f64> {
    let seconds = side.seconds.as_deref().unwrap_or_default();
    seconds.iter().map(|seconds| flops / seconds).collect()
}

/// A side's figures, if its last answer is right.
fn outcome(work: Work, inputs: &Inputs, side: &mut Side) -> Result<Vec<f64>, String> {
    let seconds = match &side.seconds {
        Ok(seconds) => seconds.clone(),
        Err(failure) => return Err(failure.to_string()),
    };
    let answer = side.run.answer().map_err(|failure| failure.to_string())?;
    check(work.done_by(side.name), inputs, &answer)
        .map_err(|reason| format!("wrong answer: {reason}"))?;
    Ok(seconds)
}

/// Says so at once, and keeps the reason for the report.
fn refused(work: Work, peer: &str, reason: &str) -> Cell {
    eprintln!("REFUSED {}, {peer}: {reason}", work.label());
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
