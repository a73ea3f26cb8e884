//! Realised rates as a table.

use std::fmt;

use super::rates::{LayerRate, RealisedRates};

const TITLES: [&str; 8] = [
    "layer",
    "asked",
    "realised",
    "standard error",
    "deviation",
    "units",
    "never kept",
    "always kept",
];

impl LayerRate {
    fn cells(&self) -> [String; 8] {
        let name = match self.path() {
            "" => "(model)",
            path => path,
        };
        let deviation = self.deviation();
        [
            name.to_owned(),
            format!("{:.4}", self.nominal()),
            format!("{:.4}", self.realised()),
            format!("{:.4}", self.standard_error()),
            deviation.map_or("-".to_owned(), |deviation| format!("{deviation:+.2}")),
            self.units().to_string(),
            self.never_kept().to_string(),
            self.always_kept().to_string(),
        ]
    }
}

impl fmt::Display for RealisedRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.layers().iter().map(LayerRate::cells).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([TITLES[column].len()]).max().unwrap_or(0)
        };
        let widths: [usize; 8] = std::array::from_fn(width);
        let mut line = |cells: [&str; 8]| -> fmt::Result {
            write!(f, "{:<1$}", cells[0], widths[0])?;
            for (cell, width) in cells.iter().zip(widths).skip(1) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)
        };
        line(TITLES)?;
        for row in &rows {
            line(std::array::from_fn(|column| row[column].as_str()))?;
        }
        let capacity = self.capacity();
        write!(
            f,
            "{} passes keep {:.1} of {} units of a sample, {:.1} expected",
            self.passes(),
            capacity.realised,
            capacity.units,
            capacity.expected
        )
    }
}
