//! The two files of the Adult census: numbers, categories and an income on a line.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::Column::{self, Category, Number};
use super::table::{TableFault, next, number, shown};
use super::{Located, Part, Raw, Scaling, file};

/// The columns of features as `adult.names` describes them.
const COLUMNS: [(&str, Column); 14] = [
    ("age", Number),
    ("workclass", Category),
    ("fnlwgt", Number),
    ("education", Category),
    ("education-num", Number),
    ("marital-status", Category),
    ("occupation", Category),
    ("relationship", Category),
    ("race", Category),
    ("sex", Category),
    ("capital-gain", Number),
    ("capital-loss", Number),
    ("hours-per-week", Number),
    ("native-country", Category),
];
const INCOME: &str = "income";
const CLASSES: [&str; 2] = ["<=50K", ">50K"];
/// The published files have 42 countries and no column with more categories; far more of them would
/// make every row very long.
const MOST_CATEGORIES: usize = 256;

/// Reads `adult.data` for training and `adult.test` for testing.
pub(super) fn load(folder: &Path) -> Result<Raw, Located> {
    let mut words = Words::default();
    let mut side = |name| {
        let path = folder.join(name);
        let content = file::open(&path)?;
        read(content, &mut words).map_err(|fault| Located::new(&path, fault))
    };
    let (mut train, mut test) = (side("adult.data")?, side("adult.test")?);
    let order = words.alphabetical();
    for part in [&mut train, &mut test] {
        recode(part, &order);
    }
    Ok(Raw {
        name: "adult".to_owned(),
        classes: CLASSES.map(str::to_owned).to_vec(),
        scaling: Scaling::Fitted(COLUMNS.map(|(_, column)| column).to_vec()),
        train,
        test,
    })
}

/// The categories of each column, numbered in the order of their first appearance.
#[derive(Default)]
struct Words([BTreeMap<Vec<u8>, u32>; COLUMNS.len()]);

impl Words {
    /// The number of a word in a column; `None` for no word, or for one too many.
    fn code(&mut self, column: usize, word: &[u8]) -> Option<f32> {
        let words = &mut self.0[column];
        if !words.contains_key(word) {
            let code = words.len();
            if word.is_empty() || code == MOST_CATEGORIES {
                return None;
            }
            words.insert(word.to_vec(), code as u32);
        }
        // Small enough to be exact.
        words.get(word).map(|&code| code as f32)
    }

    /// For each column and code the word's place in the alphabet.
    fn alphabetical(&self) -> Vec<Vec<f32>> {
        let places = |words: &BTreeMap<Vec<u8>, u32>| {
            let mut places = vec![0.0; words.len()];
            for (place, &code) in words.values().enumerate() {
                places[code as usize] = place as f32;
            }
            places
        };
        self.0.iter().map(places).collect()
    }
}

fn recode(part: &mut Part, order: &[Vec<f32>]) {
    for row in part.x.chunks_exact_mut(COLUMNS.len()) {
        for (value, places) in row.iter_mut().zip(order) {
            if !places.is_empty() {
                *value = places[*value as usize];
            }
        }
    }
}

/// Reads one file; a line that begins with `|` is a comment.
fn read(content: impl Read, words: &mut Words) -> Result<Part, TableFault> {
    let mut lines = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'|'))
        .trim(csv::Trim::All)
        .from_reader(content);
    let mut record = csv::ByteRecord::new();
    let mut part = Part::default();
    while next(&mut lines, &mut record)? {
        row(&record, words, &mut part)?;
    }
    if part.rows() == 0 {
        return Err(TableFault::Empty);
    }
    Ok(part)
}

fn row(record: &csv::ByteRecord, words: &mut Words, part: &mut Part) -> Result<(), TableFault> {
    let line = record.position().map_or(0, csv::Position::line);
    let expected = COLUMNS.len() + 1;
    if record.len() != expected {
        return Err(TableFault::Ragged {
            line,
            expected,
            found: record.len(),
        });
    }
    for (at, (cell, (name, column))) in record.iter().zip(COLUMNS).enumerate() {
        let value = match column {
            Number => number(cell).ok_or_else(|| TableFault::Cell {
                line,
                column: name.to_owned(),
                cell: shown(cell),
            })?,
            Category => words
                .code(at, cell)
                .ok_or_else(|| unknown(line, name, cell, "a category, one of at most 256"))?,
        };
        part.x.push(value);
    }
    let cell = &record[COLUMNS.len()];
    // The labels of the test file end in a full stop.
    let label = cell.strip_suffix(b".").unwrap_or(cell);
    let class = CLASSES.iter().position(|class| class.as_bytes() == label);
    let class = class.ok_or_else(|| unknown(line, INCOME, cell, "<=50K or >50K"))?;
    part.labels.push(class as u32);
    Ok(())
}

fn unknown(line: u64, column: &str, cell: &[u8], expected: &'static str) -> TableFault {
    TableFault::Unknown {
        line,
        column: column.to_owned(),
        cell: shown(cell),
        expected,
    }
}
