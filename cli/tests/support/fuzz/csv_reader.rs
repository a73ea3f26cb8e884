//! CSV files: a table that is accepted is one that can be learnt from, and a refusal is one line.

use elision_cli::data::decoded;
use elision_cli::data::table::{self, Layout, Table};

const LABELS: [&str; 4] = ["1", "2", "a", ""];

/// The first byte chooses how the file is read, the others are the file.
pub(crate) fn run(data: &[u8]) {
    let Some((&choice, file)) = data.split_first() else {
        return;
    };
    let label = LABELS[usize::from(choice >> 1) % LABELS.len()].to_owned();
    let layout = Layout {
        label,
        header: choice & 1 == 1,
    };
    let Ok(file) = decoded(file) else {
        return;
    };
    match table::read(file, &layout) {
        Ok(table) => check(&table, &layout),
        Err(fault) => assert!(!fault.to_string().contains('\n'), "{fault}"),
    }
}

fn check(table: &Table, layout: &Layout) {
    let rows = &table.rows;
    assert!(table.features() > 0 && rows.rows() > 1);
    assert!(!table.columns.contains(&layout.label));
    assert_eq!(rows.x.len(), rows.rows() * table.features());
    assert!(rows.x.iter().all(|x| x.is_finite()));
    assert!((2..=table::MOST_CLASSES).contains(&table.classes.len()));
    for class in 0..table.classes.len() as u32 {
        assert!(rows.labels.contains(&class), "class {class} has a row");
    }
    assert!(
        rows.labels
            .iter()
            .all(|&label| (label as usize) < table.classes.len())
    );
}
