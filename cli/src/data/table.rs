//! Numeric CSV files with a column of labels.

use std::collections::HashMap;
use std::io::{self, Read};

use super::Part;

/// The most classes a column of labels may have: a column of measurements, named by mistake, has more.
pub const MOST_CLASSES: usize = 1024;
/// Characters of a cell that a message repeats.
const SHOWN: usize = 40;

/// How a CSV file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The column with the class of each row.
    pub label: String,
    /// Whether the first line names the columns; without, they are named 1, 2, 3 and so on.
    pub header: bool,
}

/// The content of a CSV file. Classes are the distinct labels, sorted: as integers if all are, else as
/// text.
#[derive(Clone, Debug)]
pub struct Table {
    /// The columns of features, in the file's order.
    pub columns: Vec<String>,
    /// The classes.
    pub classes: Vec<String>,
    /// The rows.
    pub rows: Part,
}

impl Table {
    /// Features of a row; at least one.
    #[must_use]
    pub fn features(&self) -> usize {
        self.columns.len()
    }
}

/// What is wrong with a CSV file.
#[derive(Debug, thiserror::Error)]
pub enum TableFault {
    /// It cannot be read, or its compression is damaged.
    #[error("cannot be read after line {line}: {source}")]
    Read {
        /// The last line that was read.
        line: u64,
        /// The reader's error.
        source: io::Error,
    },
    /// It has no line, or no line after the header.
    #[error("no rows")]
    Empty,
    /// There is no such column.
    #[error("no column {label:?}; the columns are {columns}")]
    Absent {
        /// The column asked for.
        label: String,
        /// Those that there are.
        columns: String,
    },
    /// Two columns have the label's name.
    #[error("two columns are named {0:?}")]
    Twice(String),
    /// The label is the only column.
    #[error("no column but {0:?}: there is nothing to learn from")]
    Alone(String),
    /// A row of another length than the first.
    #[error("line {line}: {found} cells, expected {expected}")]
    Ragged {
        /// The line, from 1.
        line: u64,
        /// Cells of the first line.
        expected: usize,
        /// Cells of this line.
        found: usize,
    },
    /// A cell that is no finite number.
    #[error("line {line}, column {column:?}: {cell:?} is not a finite number")]
    Cell {
        /// The line, from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// The cell, or its beginning.
        cell: String,
    },
    /// A cell that is none of the words that its column has.
    #[error("line {line}, column {column:?}: {cell:?} is not {expected}")]
    Unknown {
        /// The line, from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// The cell, or its beginning.
        cell: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A row without a label.
    #[error("line {line}, column {column:?}: the label is empty")]
    Label {
        /// The line, from 1.
        line: u64,
        /// The column's name.
        column: String,
    },
    /// Fewer than two classes, or too many.
    #[error("column {column:?} has {found} different labels, expected 2 to {MOST_CLASSES}")]
    Classes {
        /// The column's name.
        column: String,
        /// Different labels found; counting stops above the limit.
        found: usize,
    },
}

/// Reads a table to the end of the stream.
///
/// # Errors
/// [`TableFault`], the first in the order of the file.
pub fn read(reader: impl Read, layout: &Layout) -> Result<Table, TableFault> {
    let mut lines = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(reader);
    let mut record = csv::ByteRecord::new();
    if !next(&mut lines, &mut record)? {
        return Err(TableFault::Empty);
    }
    let mut names = names(&record, layout);
    let label = find(&names, layout)?;
    let mut cells = Cells {
        names: &names,
        label,
        x: Vec::new(),
        labels: Labels::default(),
    };
    let mut more = !layout.header || next(&mut lines, &mut record)?;
    while more {
        cells.push(&record)?;
        more = next(&mut lines, &mut record)?;
    }
    let Cells { x, labels, .. } = cells;
    if labels.rows.is_empty() {
        return Err(TableFault::Empty);
    }
    let column = names.remove(label);
    let (classes, labels) = labels.sorted(column)?;
    Ok(Table {
        columns: names,
        classes,
        rows: Part { x, labels },
    })
}

pub(super) fn next(
    lines: &mut csv::Reader<impl Read>,
    record: &mut csv::ByteRecord,
) -> Result<bool, TableFault> {
    let line = lines.position().line().saturating_sub(1);
    lines
        .read_byte_record(record)
        .map_err(|error| TableFault::Read {
            line,
            source: error.into(),
        })
}

fn names(first: &csv::ByteRecord, layout: &Layout) -> Vec<String> {
    if layout.header {
        first
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    } else {
        (1..=first.len()).map(|number| number.to_string()).collect()
    }
}

fn find(names: &[String], layout: &Layout) -> Result<usize, TableFault> {
    let label = &layout.label;
    let mut places = names.iter().enumerate().filter(|(_, name)| *name == label);
    let Some((place, _)) = places.next() else {
        return Err(TableFault::Absent {
            label: label.clone(),
            columns: listed(names),
        });
    };
    if places.next().is_some() {
        return Err(TableFault::Twice(label.clone()));
    }
    if names.len() == 1 {
        return Err(TableFault::Alone(label.clone()));
    }
    Ok(place)
}

/// The names, as many as a line can hold.
fn listed(names: &[String]) -> String {
    const MOST: usize = 20;
    let mut list: Vec<String> = names
        .iter()
        .take(MOST)
        .map(|name| shown(name.as_bytes()))
        .collect();
    if names.len() > MOST {
        list.push(format!("{} more", names.len() - MOST));
    }
    list.join(", ")
}

/// The beginning of a cell as text without control characters.
pub(super) fn shown(cell: &[u8]) -> String {
    let text = String::from_utf8_lossy(cell);
    let mut start: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().count() > SHOWN {
        start.push('…');
    }
    start
}

/// The cells read so far.
struct Cells<'a> {
    names: &'a [String],
    label: usize,
    x: Vec<f32>,
    labels: Labels,
}

impl Cells<'_> {
    fn push(&mut self, record: &csv::ByteRecord) -> Result<(), TableFault> {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != self.names.len() {
            return Err(TableFault::Ragged {
                line,
                expected: self.names.len(),
                found: record.len(),
            });
        }
        for (at, (cell, name)) in record.iter().zip(self.names).enumerate() {
            let column = || shown(name.as_bytes());
            if at == self.label {
                if cell.is_empty() {
                    return Err(TableFault::Label {
                        line,
                        column: column(),
                    });
                }
                self.labels.push(cell);
            } else {
                let value = number(cell);
                self.x.push(value.ok_or_else(|| TableFault::Cell {
                    line,
                    column: column(),
                    cell: shown(cell),
                })?);
            }
        }
        if self.labels.ids.len() > MOST_CLASSES {
            let column = shown(self.names[self.label].as_bytes());
            return Err(TableFault::Classes {
                column,
                found: self.labels.ids.len(),
            });
        }
        Ok(())
    }
}

/// A finite number; one too large for `f32` is not.
pub(super) fn number(cell: &[u8]) -> Option<f32> {
    let value: f32 = std::str::from_utf8(cell).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// The labels of the rows, numbered in the order of their first appearance.
#[derive(Default)]
struct Labels {
    ids: HashMap<Vec<u8>, u32>,
    rows: Vec<u32>,
}

impl Labels {
    fn push(&mut self, cell: &[u8]) {
        let id = match self.ids.get(cell) {
            Some(&id) => id,
            None => {
                let id = self.ids.len() as u32;
                self.ids.insert(cell.to_vec(), id);
                id
            }
        };
        self.rows.push(id);
    }

    /// The classes in order, and each row's place in them.
    fn sorted(self, column: String) -> Result<(Vec<String>, Vec<u32>), TableFault> {
        if self.ids.len() < 2 {
            return Err(TableFault::Classes {
                column: shown(column.as_bytes()),
                found: self.ids.len(),
            });
        }
        let mut classes: Vec<(Vec<u8>, u32)> = self.ids.into_iter().collect();
        let integer = |label: &[u8]| std::str::from_utf8(label).ok()?.parse::<i64>().ok();
        if classes.iter().all(|(label, _)| integer(label).is_some()) {
            // Two spellings of one integer remain two classes, in the order of their text.
            classes.sort_by_key(|(label, _)| (integer(label), label.clone()));
        } else {
            classes.sort();
        }
        let mut place = vec![0; classes.len()];
        for (new, (_, old)) in (0..).zip(&classes) {
            place[*old as usize] = new;
        }
        let names = classes
            .iter()
            .map(|(label, _)| String::from_utf8_lossy(label).into_owned())
            .collect();
        Ok((
            names,
            self.rows.iter().map(|&old| place[old as usize]).collect(),
        ))
    }
}
