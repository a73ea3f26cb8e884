//! Rows of features from files without labels.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::data::{decoded, npy};

fn open(path: &Path) -> Result<Box<dyn Read>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    decoded(BufReader::new(file)).map_err(|error| error.to_string())
}

/// The rows of an NPY file.
pub(super) fn npy(path: &Path, columns: usize) -> Result<Vec<f32>, String> {
    let array = npy::read(open(path)?).map_err(|fault| fault.to_string())?;
    let features = array.features().map_err(|fault| fault.to_string())?;
    // One sample may stand alone, without an axis for rows.
    if array.item_len() != columns && features.len() != columns {
        let found = array.item_len();
        return Err(format!("rows of {found} features, expected {columns}"));
    }
    Ok(features)
}

/// The rows of a CSV file of numbers; its first line may name the columns.
pub(super) fn csv(path: &Path, columns: usize) -> Result<Vec<f32>, String> {
    let mut lines = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(open(path)?);
    let mut features = Vec::new();
    for (at, record) in lines.byte_records().enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns {
            let found = record.len();
            return Err(format!(
                "line {line}: {found} cells, expected {columns}, one a feature"
            ));
        }
        let row: Option<Vec<f32>> = record.iter().map(number).collect();
        match row {
            Some(row) => features.extend(row),
            None if at == 0 && record.iter().all(|cell| number(cell).is_none()) => {}
            None => return Err(format!("line {line}: a cell is not a finite number")),
        }
    }
    match features.is_empty() {
        true => Err("no rows".to_owned()),
        false => Ok(features),
    }
}

fn number(cell: &[u8]) -> Option<f32> {
    let value: f32 = std::str::from_utf8(cell).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}
