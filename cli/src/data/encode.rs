//! Features as the network sees them.

use serde::{Deserialize, Serialize};

use super::Normal;

/// What a column of features holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// A measurement.
    Number,
    /// A category, as a small integer without any order.
    Category,
}

/// Measurements become standard, categories one-hot, both as the rows have them that it was fitted to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    normal: Normal,
    /// For each column of categories those that occur, ascending; `None` for measurements.
    categories: Vec<Option<Vec<u32>>>,
}

impl Encoder {
    /// Fits row-major `x` with these columns.
    #[must_use]
    pub fn fit(x: &[f32], columns: &[Column]) -> Self {
        let seen = |(at, column): (usize, &Column)| match column {
            Column::Number => None,
            Column::Category => {
                let column = x.iter().skip(at).step_by(columns.len());
                let mut seen: Vec<u32> = column.map(|&code| code as u32).collect();
                seen.sort_unstable();
                seen.dedup();
                Some(seen)
            }
        };
        Self {
            normal: Normal::fit(x, columns.len()),
            categories: columns.iter().enumerate().map(seen).collect(),
        }
    }

    /// Columns of a row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.categories.len()
    }

    /// Whether there are as many of everything, and no category twice.
    pub(super) fn is_sound(&self) -> bool {
        let ascends = |seen: &Vec<u32>| seen.is_sorted_by(|a, b| a < b);
        self.columns() > 0
            && self.normal.columns() == Some(self.columns())
            && self.categories.iter().flatten().all(ascends)
    }

    /// Features of an encoded row.
    #[must_use]
    pub fn features(&self) -> usize {
        let width = |seen: &Option<Vec<u32>>| seen.as_ref().map_or(1, Vec::len);
        self.categories.iter().map(width).sum()
    }

    /// The encoded rows. A category that the fitted rows lack is all zero.
    #[must_use]
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut scaled = x.to_vec();
        self.normal.apply(&mut scaled);
        if self.categories.iter().all(Option::is_none) {
            return scaled;
        }
        let columns = self.categories.len();
        let mut encoded = Vec::with_capacity(x.len() / columns * self.features());
        for (row, scaled) in x.chunks_exact(columns).zip(scaled.chunks_exact(columns)) {
            for ((seen, &code), &number) in self.categories.iter().zip(row).zip(scaled) {
                match seen {
                    None => encoded.push(number),
                    Some(seen) => encoded.extend(
                        seen.iter()
                            .map(|&category| f32::from(u8::from(category == code as u32))),
                    ),
                }
            }
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Column::{Category, Number};

    #[test]
    fn categories_become_one_hot_and_numbers_standard() {
        let encoder = Encoder::fit(&[7.0, 1.0, 2.0, 3.0], &[Category, Number]);
        assert_eq!(encoder.features(), 3);
        let rows = encoder.apply(&[2.0, 1.0, 7.0, 5.0]);
        assert_eq!(rows, [1.0, 0.0, -1.0, 0.0, 1.0, 3.0]);
    }

    #[test]
    fn a_category_that_was_not_seen_is_all_zero() {
        let encoder = Encoder::fit(&[0.0, 2.0], &[Category]);
        assert_eq!(encoder.apply(&[1.0, 2.0]), [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn rows_without_categories_are_only_scaled() {
        let encoder = Encoder::fit(&[1.0, 3.0], &[Number]);
        assert_eq!(encoder.apply(&[5.0]), [3.0]);
    }
}
