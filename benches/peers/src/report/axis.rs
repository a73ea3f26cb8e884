//! The scale of the picture.

use crate::record::{Record, Row};

/// Where the axis ends at most; a bar that reaches it tells how far it would go.
const CUT: (f64, f64) = (0.1, 10.0);

/// Speeds on a logarithmic scale.
pub(super) struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// From the slowest to the fastest, widened to whole ticks and cut where the differences of the others
    /// would shrink to nothing.
    pub(super) fn of(records: &[Record], names: &[&str]) -> Self {
        let rows = records.iter().flat_map(|record| &record.rows);
        let speeds = rows.flat_map(|row| names.iter().filter_map(|name| speed(row, name)));
        let (low, high) = speeds.fold((0.5, 2.0), |(low, high), x| {
            (f64::min(low, x), f64::max(high, x))
        });
        let low = ticks().filter(|tick| *tick <= low).last();
        let high = ticks().find(|tick| *tick >= high);
        Self {
            low: low.unwrap_or(CUT.0).max(CUT.0),
            high: high.unwrap_or(CUT.1).min(CUT.1),
        }
    }

    /// From 0 to 1.
    pub(super) fn place(&self, speed: f64) -> f64 {
        let speed = speed.clamp(self.low, self.high);
        (speed / self.low).ln() / (self.high / self.low).ln()
    }

    /// The ticks between its ends.
    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> {
        let (low, high) = (self.low, self.high);
        ticks().filter(move |tick| *tick >= low * 0.999 && *tick <= high * 1.001)
    }
}

/// 1, 2 and 5 times powers of ten.
fn ticks() -> impl Iterator<Item = f64> {
    (-4..4).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(power)))
}

/// A peer's speed relative to ours.
pub(super) fn speed(row: &Row, name: &str) -> Option<f64> {
    let ratio = row.figures(name)?.ratio;
    (ratio > 0.0 && ratio.is_finite()).then(|| 1.0 / ratio)
}
