//! What was measured: as files, as series for the plot, and as a table.

use std::fmt::Write;

use elision::train::diagnose::RealisedRates;

use crate::report::Spread;

/// What is measured, as the columns of the files are called.
pub(super) const MEASURES: [&str; 7] = [
    "gradient_norm",
    "gradient_norm_deviation",
    "full_gradient_norm",
    "gdv",
    "gde",
    "distance",
    "loss",
];

/// The columns of the table: titles and places in [`MEASURES`].
const COLUMNS: [(&str, usize); 5] = [
    ("gradient norm", 0),
    ("GDV", 3),
    ("GDE", 4),
    ("distance", 5),
    ("loss", 6),
];

/// A step of a run that was measured.
pub(super) struct Point {
    /// Steps done before.
    pub(super) step: u64,
    pub(super) epoch: f64,
    /// NaN where a measure is not defined.
    pub(super) values: [f64; MEASURES.len()],
}

/// A run of one seed.
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) name: &'static str,
    pub(super) points: Vec<Point>,
    /// What was dropped in the last measurement.
    pub(super) rates: RealisedRates,
}

/// The runs of one name, over the seeds.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) points: Vec<Mean>,
}

/// A step over the seeds.
pub(super) struct Mean {
    pub(super) step: u64,
    pub(super) epoch: f64,
    pub(super) seeds: usize,
    pub(super) values: [Spread; MEASURES.len()],
}

/// All runs.
#[derive(Default)]
pub(super) struct Results(Vec<Run>);

impl Results {
    pub(super) fn push(&mut self, run: Run) {
        self.0.push(run);
    }

    /// The number of seeds.
    pub(super) fn seeds(&self) -> usize {
        let first = self.0.first().map_or("", |run| run.name);
        self.0.iter().filter(|run| run.name == first).count()
    }

    /// A row for each run and step.
    pub(super) fn to_csv(&self) -> String {
        let mut text = format!("seed,run,step,epoch,{}\n", MEASURES.join(","));
        for run in &self.0 {
            for point in &run.points {
                let start = [run.seed.to_string(), run.name.to_owned()];
                let place = [point.step.to_string(), number(point.epoch)];
                let cells = start.into_iter().chain(place);
                let cells: Vec<_> = cells.chain(point.values.map(number)).collect();
                text += &(cells.join(",") + "\n");
            }
        }
        text
    }

    /// A row for each name and step.
    pub(super) fn to_mean_csv(&self) -> String {
        let columns = MEASURES.map(|name| format!("{name}_mean,{name}_deviation"));
        let mut text = format!("run,seeds,step,epoch,{}\n", columns.join(","));
        for series in self.series() {
            for point in &series.points {
                let start = [series.name.to_owned(), point.seeds.to_string()];
                let place = [point.step.to_string(), number(point.epoch)];
                let values = point.values.iter();
                let values = values.flat_map(|spread| [spread.mean, spread.deviation].map(number));
                let cells: Vec<_> = start.into_iter().chain(place).chain(values).collect();
                text += &(cells.join(",") + "\n");
            }
        }
        text
    }

    /// Over the seeds, in the order of the runs of one seed.
    pub(super) fn series(&self) -> Vec<Series> {
        let mut names: Vec<&'static str> = self.0.iter().map(|run| run.name).collect();
        names.truncate(self.0.len() / self.seeds().max(1));
        let of = |name| Series {
            name,
            points: self.means(name),
        };
        names.into_iter().map(of).collect()
    }

    fn means(&self, name: &str) -> Vec<Mean> {
        let own: Vec<&Run> = self.0.iter().filter(|run| run.name == name).collect();
        let steps = own.first().map_or(&[][..], |run| &run.points);
        let mean = |(at, first): (usize, &Point)| {
            let same = own.iter().filter_map(|run| run.points.get(at));
            let same: Vec<&Point> = same.filter(|point| point.step == first.step).collect();
            let spread = |measure: usize| {
                let numbers: Vec<f64> = same.iter().map(|point| point.values[measure]).collect();
                Spread::of(&numbers)
            };
            Mean {
                step: first.step,
                epoch: first.epoch,
                seeds: same.len(),
                values: std::array::from_fn(spread),
            }
        };
        steps.iter().enumerate().map(mean).collect()
    }

    /// For the terminal: the measures, and the rates of the last run.
    pub(super) fn to_table(&self) -> String {
        let several = self.seeds() > 1;
        let titles = COLUMNS.map(|(title, _)| title.to_owned());
        let mut rows = vec![(["run", "step", "epoch"].map(str::to_owned), titles)];
        for series in self.series() {
            for point in &series.points {
                let (step, epoch) = (point.step.to_string(), format!("{:.2}", point.epoch));
                let cells = COLUMNS.map(|(_, at)| cell(point.values[at], several));
                rows.push(([series.name.to_owned(), step, epoch], cells));
            }
        }
        let rows = rows
            .into_iter()
            .map(|(place, cells)| [&place[..], &cells].concat());
        let mut text = aligned(&rows.collect::<Vec<_>>());
        if several {
            let _ = writeln!(text, "mean ± deviation over {} seeds", self.seeds());
        }
        match self.0.last() {
            Some(run) if !run.rates.layers().is_empty() => text + &format!("\n{}\n", run.rates),
            _ => text,
        }
    }
}

/// Seven digits; nothing where there is no number.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let rounded = format!("{value:.6e}").parse::<f64>();
    rounded.unwrap_or(value).to_string()
}

fn cell(spread: Spread, several: bool) -> String {
    let Spread { mean, deviation } = spread;
    match (mean.is_finite(), several) {
        (false, _) => "-".to_owned(),
        (true, true) => format!("{mean:.4} ± {deviation:.4}"),
        (true, false) => format!("{mean:.4}"),
    }
}

/// The first column to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, name: &'static str, value: f64) -> Run {
        let point = |step| Point {
            step,
            epoch: step as f64 / 2.0,
            values: [value; MEASURES.len()],
        };
        Run {
            seed,
            name,
            points: vec![point(0), point(3)],
            rates: RealisedRates::default(),
        }
    }

    #[test]
    fn means_are_over_the_seeds_of_a_name() {
        let mut results = Results::default();
        for seed in [1, 2] {
            results.push(run(seed, "no dropout", seed as f64));
            results.push(run(seed, "dropout", f64::NAN));
        }
        assert_eq!(results.seeds(), 2);
        let series = results.series();
        assert_eq!(series.len(), 2);
        let Spread { mean, deviation } = series[0].points[1].values[3];
        assert_eq!((mean, deviation), (1.5, 0.5_f64.sqrt()));
        assert_eq!(
            (series[0].points[1].step, series[0].points[1].seeds),
            (3, 2)
        );
        let csv = results.to_csv();
        assert!(
            csv.contains("\n2,no dropout,3,1.5,2,2,2,2,2,2,2\n"),
            "{csv}"
        );
        assert!(csv.contains("\n1,dropout,0,0,,,,,,,\n"), "{csv}");
        let means = results.to_mean_csv();
        assert_eq!(means.lines().count(), 1 + 4, "{means}");
        let commas = |line: &str| line.matches(',').count();
        let head = means.lines().next().map(commas);
        assert!(means.lines().all(|line| Some(commas(line)) == head));
        let table = results.to_table();
        assert!(
            table.contains("1.5000 ± 0.7071") && table.contains("GDV"),
            "{table}"
        );
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!(number(1.234_567_89e-9), "0.000000001234568");
        assert_eq!(number(2.0), "2");
        assert_eq!(number(f64::INFINITY), "");
    }
}
