//! Peers that are fast and wrong must be refused, and one that is right must not.

use std::rc::Rc;

use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::measure::measure;
use crate::peer::{Answer, Local, Peer, Run};
use crate::peers::ours;
use crate::record::{Outcome, Record, Row};
use crate::timing::Plan;
use crate::work::{Shape, Work};

const SHAPE: Shape = Shape {
    m: 48,
    k: 64,
    n: 80,
};

/// A peer that copies our answer with one fault.
struct Planted(Fault);

/// What is done to a right answer.
type Fault = fn(&mut Answer);

impl Peer for Planted {
    fn name(&self) -> &'static str {
        "planted"
    }

    fn version(&self) -> String {
        String::new()
    }

    fn prepare(&self, work: Work, inputs: &Rc<Inputs>) -> Result<Option<Box<dyn Run>>, Failure> {
        let fault = self.0;
        let mut ours = ours().prepare(work, inputs)?;
        let Some(ours) = &mut ours else {
            return Ok(None);
        };
        ours.seconds(1)?;
        let mut answer = ours.answer()?;
        fault(&mut answer);
        let read = |answer: &mut Answer| Ok(answer.clone());
        Ok(Local::boxed(answer, |_: &mut Answer| Ok(()), read))
    }
}

/// Measures ours and the planted peer.
fn row(work: Work, fault: Fault) -> Row {
    let peers: Vec<Box<dyn Peer>> = vec![ours(), Box::new(Planted(fault))];
    measure(work, &peers, &Plan::new(true, 1)).unwrap()
}

/// The reason for which the planted peer is refused; ours never is.
fn refusal(work: Work, fault: Fault) -> Option<String> {
    let row = row(work, fault);
    let mut reasons = row.cells.iter().map(|cell| match &cell.outcome {
        Outcome::Refused(reason) => Some(reason.clone()),
        Outcome::Measured(_) => None,
    });
    assert_eq!(reasons.next(), Some(None), "{}", work.title());
    reasons.next().unwrap()
}

#[test]
fn right_answers_pass() {
    for work in [
        Work::Mask { n: 1 << 16 },
        Work::DropoutStep { n: 1 << 16 },
        Work::Linear(SHAPE),
        Work::FusedStep(SHAPE),
    ] {
        assert_eq!(refusal(work, |_| ()), None);
    }
}

#[test]
fn wrong_answers_are_refused() {
    let mask = Work::Mask { n: 1 << 16 };
    let dropout = Work::DropoutStep { n: 1 << 16 };
    let (plain, fused) = (Work::Linear(SHAPE), Work::FusedStep(SHAPE));
    let wrong = "wrong answer: ";
    let cases: [(Work, Fault); 12] = [
        (mask, |a| a[0].fill(1.0)),
        (mask, |a| a[0][5] = 0.5),
        (dropout, |a| a[0].fill(0.0)),
        (dropout, |a| a[0][7] = 0.1),
        (dropout, |a| a[1][7] += 0.1),
        (plain, |a| a[0].fill(0.0)),
        (plain, |a| a[0][100] = f32::NAN),
        (plain, |a| a[0][100] *= 1.001),
        (fused, |a| a[0].fill(0.0)),
        (fused, |a| a[1][3] += 0.01),
        (fused, |a| a[2][3] += 0.01),
        (fused, |a| a[3].truncate(1)),
    ];
    for (i, (work, fault)) in cases.into_iter().enumerate() {
        let reason = refusal(work, fault).unwrap_or_default();
        assert!(
            reason.starts_with(wrong),
            "fault {i} in {} passes",
            work.title()
        );
    }
}

#[test]
fn refusals_are_counted() {
    let record = Record {
        threads: 1,
        isa: String::new(),
        peers: Vec::new(),
        missing: Vec::new(),
        rows: vec![row(Work::Linear(SHAPE), |a| a[0].fill(0.0))],
    };
    assert_eq!(record.refused(), 1);
}
