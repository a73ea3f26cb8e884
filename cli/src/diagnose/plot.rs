//! `diagnose.svg`: a panel a measure, against the step.

use std::ops::Range;

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

use super::results::Series;
use crate::curves::{Area, COLOURS, FONT, Fault, builder, legend, mesh};
use crate::report::Spread;

const SIZE: (u32, u32) = (1100, 860);

/// One measure.
struct Panel {
    title: &'static str,
    /// Its place among the measures.
    measure: usize,
    /// Whether the axis is logarithmic; otherwise it begins at 0.
    is_log: bool,
    legend: SeriesLabelPosition,
}

/// What an axis shows at most; the library that draws it goes through all powers of ten of a logarithmic one.
const SHOWN: Range<f64> = 1e-12..1e12;

const PANELS: [Panel; 4] = [
    Panel {
        title: "norm of mini-batch gradients",
        measure: 0,
        is_log: true,
        legend: SeriesLabelPosition::LowerLeft,
    },
    Panel {
        title: "GDV: direction variance",
        measure: 3,
        is_log: false,
        legend: SeriesLabelPosition::LowerRight,
    },
    Panel {
        title: "GDE: direction error",
        measure: 4,
        is_log: false,
        legend: SeriesLabelPosition::LowerRight,
    },
    Panel {
        title: "distance from the first weights",
        measure: 5,
        is_log: false,
        legend: SeriesLabelPosition::UpperLeft,
    },
];

/// The text of the file.
pub(super) fn svg(title: &str, all: &[Series]) -> Result<String, Fault> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let areas = root.titled(title, (FONT, 20))?.split_evenly((2, 2));
        for (panel, area) in PANELS.iter().zip(&areas) {
            panel.draw(area, all)?;
        }
        root.present()?;
    }
    Ok(text)
}

/// Steps from 1 on, which a logarithmic axis can show.
fn place(step: u64) -> f64 {
    step as f64 + 1.0
}

impl Panel {
    fn draw(&self, area: &Area<'_>, all: &[Series]) -> Result<(), Fault> {
        let last = all.iter().flat_map(|series| &series.points);
        let last = last.map(|point| place(point.step)).fold(2.0, f64::max);
        let (x, y) = (1.0..last, self.range(all));
        let mut builder = builder(area);
        match self.is_log {
            true => self.fill(
                builder.build_cartesian_2d(x.log_scale(), y.clone().log_scale())?,
                y,
                all,
            ),
            false => self.fill(
                builder.build_cartesian_2d(x.log_scale(), y.clone())?,
                y,
                all,
            ),
        }
    }

    /// What the axis shows: all means, with a deviation above and below where it is positive.
    fn range(&self, all: &[Series]) -> Range<f64> {
        let points = all.iter().flat_map(|series| &series.points);
        let spreads: Vec<Spread> = points.map(|point| point.values[self.measure]).collect();
        let high = spreads.iter().map(|spread| spread.mean + spread.deviation);
        let high = high.filter(|high| high.is_finite()).fold(0.0, f64::max);
        let low = spreads.iter().map(|spread| spread.mean);
        let low = low.filter(|&low| low > 0.0).fold(f64::INFINITY, f64::min);
        let (low, high) = (low.max(SHOWN.start), high.min(SHOWN.end));
        match (self.is_log, low < high) {
            (true, true) => low / 1.5..high * 1.5,
            (true, false) => 0.1..1.0,
            (false, _) if high > 0.0 => 0.0..high * 1.05,
            (false, _) => 0.0..1.0,
        }
    }

    fn fill<'a, 'b: 'a, X, Y>(
        &self,
        mut chart: ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, Y>>,
        y: Range<f64>,
        all: &[Series],
    ) -> Result<(), Fault>
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        mesh(&mut chart, ["1 + step", self.title])?;
        for (series, colour) in all.iter().zip(COLOURS) {
            chart.draw_series([Polygon::new(self.band(series, &y), colour.mix(0.15))])?;
            let points = self.means(series, &y);
            let line = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.clone(), line))?
                .label(series.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], line));
            let dots = points.into_iter();
            chart.draw_series(dots.map(|point| Circle::new(point, 3, colour.filled())))?;
        }
        legend(&mut chart, self.legend.clone())
    }

    /// The means within the panel: others would be drawn flat along its frame.
    fn means(&self, series: &Series, y: &Range<f64>) -> Vec<(f64, f64)> {
        let points = series.points.iter();
        let points = points.map(|point| (place(point.step), point.values[self.measure].mean));
        points
            .filter(|(_, value)| (y.start..=y.end).contains(value))
            .collect()
    }

    /// Around the means, a deviation above and back a deviation below.
    fn band(&self, series: &Series, y: &Range<f64>) -> Vec<(f64, f64)> {
        let edge = |sign: f64| {
            let points = series.points.iter();
            let edge = points.map(move |point| {
                let Spread { mean, deviation } = point.values[self.measure];
                (place(point.step), mean + sign * deviation)
            });
            let finite = edge.filter(|(_, value)| value.is_finite());
            finite.map(|(x, value)| (x, value.clamp(y.start, y.end)))
        };
        let below: Vec<_> = edge(-1.0).collect();
        edge(1.0).chain(below.into_iter().rev()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::{MEASURES, Mean};
    use super::*;

    fn series(values: &[f64]) -> Vec<Series> {
        let mean = |(step, &mean)| Mean {
            step,
            epoch: 0.0,
            seeds: 1,
            values: [Spread {
                mean,
                deviation: 0.1,
            }; MEASURES.len()],
        };
        let points = (0..).zip(values).map(mean).collect();
        let name = "dropout";
        vec![Series { name, points }]
    }

    #[test]
    fn panels_and_lines_are_named() {
        let text = svg("digits", &series(&[0.5, 0.4, 0.3])).expect("it can be drawn");
        for word in [
            "<svg", "digits", "GDV", "GDE", "norm", "1 + step", "dropout", "</svg>",
        ] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn strange_values_can_be_drawn() {
        let (nan, infinity) = (f64::NAN, f64::INFINITY);
        for values in [
            &[][..],
            &[0.0],
            &[nan, nan],
            &[infinity, 1.0],
            &[1e-300, 1e300],
        ] {
            svg("", &series(values)).expect("it can be drawn");
        }
    }
}
