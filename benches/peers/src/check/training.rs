//! Training steps: the network must have learnt.

use crate::work::Training;

/// How far the first loss may be from that of a guess, in nats: the initial weights differ from peer to peer.
const SPREAD: f32 = 1.0;
/// The part of the first loss that may be left after [`Training::STEPS`] steps.
const LEFT: f32 = 0.5;

/// The loss without dropout starts near that of a guess and falls. This is weaker than the other checks:
/// the peers start from weights of their own, so there is no figure to compare with.
pub(super) fn check_losses(losses: &[f32]) -> Result<(), String> {
    let &[before, after] = losses else {
        return Err("two losses are expected".to_owned());
    };
    let guess = (Training::WIDTHS[4] as f32).ln();
    if (before - guess).abs() <= SPREAD && after <= LEFT * before {
        Ok(())
    } else {
        Err(format!("the loss goes from {before} to {after}"))
    }
}
