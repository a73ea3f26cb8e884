//! `curves.svg`: test accuracy and losses against the epoch, for both runs.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::metrics::Epoch;

/// A run and its epochs.
pub(crate) struct Curve<'a> {
    /// The legend's text.
    pub(crate) name: String,
    pub(crate) epochs: &'a [Epoch],
}

const SIZE: (u32, u32) = (1100, 460);
pub(crate) const FONT: &str = "sans-serif";
/// Blue and vermilion of Okabe and Ito, which colour-blind readers tell apart too.
pub(crate) const COLOURS: [RGBColor; 2] = [RGBColor(0x00, 0x72, 0xB2), RGBColor(0xD5, 0x5E, 0x00)];
/// The part of the epochs whose accuracy may lie below the left panel. The first ones do, by so much that
/// the differences that matter would shrink to nothing.
const BELOW: f64 = 0.05;

/// How far the loss panel reaches below the lowest loss of the test rows: that of the training rows tends
/// to zero where nothing holds it, and would squeeze the rest.
const DEPTH: f64 = 30.0;

/// What drawing can come to.
pub(crate) type Fault = Box<dyn std::error::Error>;
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, Y>>;

/// One half of the picture.
struct Panel {
    title: &'static str,
    measures: &'static [Measure],
    legend: SeriesLabelPosition,
}

/// What a line shows of each epoch.
struct Measure {
    /// What comes before the run's name in the legend.
    prefix: &'static str,
    value: fn(&Epoch) -> f64,
    /// Thin and pale, for what matters less.
    faint: bool,
}

const ACCURACY: [Measure; 1] = [Measure {
    prefix: "",
    value: |epoch| 100.0 * epoch.test.accuracy,
    faint: false,
}];
const LOSS: [Measure; 2] = [
    Measure {
        prefix: "test, ",
        value: |epoch| epoch.test.loss,
        faint: false,
    },
    Measure {
        prefix: "training, ",
        value: |epoch| epoch.train.map_or(f64::NAN, |train| train.loss),
        faint: true,
    },
];

/// The text of the file.
pub(crate) fn svg(title: &str, curves: &[Curve<'_>]) -> Result<String, Fault> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, right) = root
            .titled(title, (FONT, 20))?
            .split_horizontally(SIZE.0 / 2);
        accuracy(&left, curves)?;
        loss(&right, curves)?;
        root.present()?;
    }
    Ok(text)
}

fn accuracy(area: &Area<'_>, curves: &[Curve<'_>]) -> Result<(), Fault> {
    let panel = Panel {
        title: "test accuracy, %",
        measures: &ACCURACY,
        legend: SeriesLabelPosition::LowerRight,
    };
    let range = accuracy_range(panel.values(curves));
    let mut chart = builder(area).build_cartesian_2d(epochs(curves), range)?;
    panel.draw(&mut chart, curves)
}

fn loss(area: &Area<'_>, curves: &[Curve<'_>]) -> Result<(), Fault> {
    let panel = Panel {
        title: "loss in evaluation mode, nats",
        measures: &LOSS,
        legend: SeriesLabelPosition::LowerRight,
    };
    let range = loss_range(LOSS[0].values(curves), panel.values(curves));
    let mut chart = builder(area).build_cartesian_2d(epochs(curves), range.log_scale())?;
    panel.draw(&mut chart, curves)
}

/// Margins and room for the axes.
pub(crate) fn builder<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(70);
    builder
}

/// The grid and what stands at the axes.
pub(crate) fn mesh<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    [x, y]: [&str; 2],
) -> Result<(), Fault>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_labels(8)
        .y_labels(8)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&tick)
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 15))
        .x_desc(x)
        .y_desc(y)
        .draw()?;
    Ok(())
}

/// The names of the lines.
pub(crate) fn legend<'a, 'b: 'a, X, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, Y>>,
    position: SeriesLabelPosition,
) -> Result<(), Fault>
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    chart
        .configure_series_labels()
        .position(position)
        .label_font((FONT, 15))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.4))
        .draw()?;
    Ok(())
}

impl Panel {
    fn values(&self, curves: &[Curve<'_>]) -> Vec<f64> {
        self.measures
            .iter()
            .flat_map(|measure| measure.values(curves))
            .collect()
    }

    fn draw<'a, 'b: 'a, Y>(
        &self,
        chart: &mut Chart<'a, 'b, Y>,
        curves: &[Curve<'_>],
    ) -> Result<(), Fault>
    where
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        mesh(chart, ["epoch", self.title])?;
        for measure in self.measures {
            for (curve, colour) in curves.iter().zip(COLOURS) {
                measure.draw(chart, curve, colour)?;
            }
        }
        legend(chart, self.legend.clone())
    }
}

impl Measure {
    fn values(&self, curves: &[Curve<'_>]) -> Vec<f64> {
        let all = curves.iter().flat_map(|curve| curve.epochs).map(self.value);
        all.filter(|value| value.is_finite()).collect()
    }

    fn draw<'b, Y>(
        &self,
        chart: &mut Chart<'_, 'b, Y>,
        curve: &Curve<'_>,
        colour: RGBColor,
    ) -> Result<(), Fault>
    where
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let (opacity, width) = if self.faint { (0.6, 1) } else { (1.0, 2) };
        let line = colour.mix(opacity).stroke_width(width);
        let points = self.points(curve, &chart.y_range());
        chart
            .draw_series(LineSeries::new(points, line))?
            .label(format!("{}{}", self.prefix, curve.name))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], line));
        Ok(())
    }

    /// The points within the panel: others would be drawn flat along its frame.
    fn points(&self, curve: &Curve<'_>, y: &Range<f64>) -> Vec<(f64, f64)> {
        let all = curve
            .epochs
            .iter()
            .map(|epoch| (epoch.number as f64, (self.value)(epoch)));
        all.filter(|(_, value)| (y.start..=y.end).contains(value))
            .collect()
    }
}

/// Shortest decimal text, with a power of ten where that is shorter.
fn tick(value: &f64) -> String {
    // Multiples of a step such as 0.1 are not exact: rounding takes the noise away.
    let value = (value * 1e9).round() / 1e9;
    if value != 0.0 && value.abs() < 1e-3 {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

fn epochs(curves: &[Curve<'_>]) -> Range<f64> {
    let last = curves
        .iter()
        .map(|curve| curve.epochs.len())
        .max()
        .unwrap_or(0);
    // One epoch is a point: the axis still needs a length.
    1.0..last.max(2) as f64
}

/// From a little below nearly all values to a little above the best.
fn accuracy_range(mut values: Vec<f64>) -> Range<f64> {
    values.sort_by(f64::total_cmp);
    let low = values
        .get((values.len() as f64 * BELOW) as usize)
        .copied()
        .unwrap_or(0.0);
    let high = values.last().copied().unwrap_or(100.0);
    let margin = 0.05 * (high - low).max(1.0);
    (low - margin).max(0.0)..high + margin
}

/// Positive values, for a logarithmic axis, as far down as [`DEPTH`] below the test rows' loss.
fn loss_range(test: Vec<f64>, all: Vec<f64>) -> Range<f64> {
    let lowest = |values: &[f64]| {
        let positive = values.iter().copied().filter(|&value| value > 0.0);
        positive.fold(f64::INFINITY, f64::min)
    };
    let low = lowest(&all).max(lowest(&test) / DEPTH);
    let high = all.iter().copied().fold(0.0, f64::max);
    if low.is_finite() && low < high * 1.2 {
        low / 1.2..high * 1.2
    } else {
        0.1..1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Score;

    fn epochs(scores: &[(f64, f64)]) -> Vec<Epoch> {
        let epoch = |(number, &(accuracy, loss)): (u64, &(f64, f64))| {
            let score = Score { loss, accuracy };
            Epoch {
                number,
                batch: score,
                train: Some(score),
                validation: None,
                test: score,
                learning_rate: 0.1,
                drop_rate: 0.0,
                seconds: 1.0,
                samples_per_second: 1.0,
            }
        };
        (1..).zip(scores).map(epoch).collect()
    }

    #[test]
    fn axes_and_legend_are_named() {
        let (a, b) = (
            epochs(&[(0.2, 2.0), (0.9, 0.5), (0.95, 0.1)]),
            epochs(&[(0.1, 2.2), (0.8, 0.7)]),
        );
        let curves = [
            Curve {
                name: "no dropout".into(),
                epochs: &a,
            },
            Curve {
                name: "dropout".into(),
                epochs: &b,
            },
        ];
        let text = svg("digits", &curves).expect("it can be drawn");
        for word in [
            "<svg",
            "no dropout",
            "dropout",
            "epoch",
            "test accuracy",
            "loss in",
            "digits",
            "</svg>",
        ] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn strange_values_can_be_drawn() {
        let nan = f64::NAN;
        for scores in [
            vec![],
            vec![(0.0, nan)],
            vec![(0.5, 0.0)],
            vec![(1.0, f64::INFINITY), (0.0, 1e-300)],
        ] {
            let epochs = epochs(&scores);
            svg(
                "",
                &[Curve {
                    name: "a".into(),
                    epochs: &epochs,
                }],
            )
            .expect("it can be drawn");
        }
    }
}
