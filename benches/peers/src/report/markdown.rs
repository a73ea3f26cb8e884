//! `peers.md`: who was measured, and a table for each kind of work and number of threads.

use std::fmt::Write;

use super::figures::{digits, duration};
use crate::machine::Machine;
use crate::peer::OURS;
use crate::record::{Figures, Outcome, Record, Row};

/// What a reader must know to read the tables, and what might be held against them.
const NOTES: &str = "\
- Times are medians over the rotations. In brackets is the median, over the rotations, of the peer's time divided by
  that of `elision`: above 1, ours is the faster one.
- Per cent: of the multiply-adds that the cores reach in registers, measured in the same rotation. GFLOP/s count the
  matrix products alone.
- Every figure's last answer was checked in the same run: products and gradients against sums in f64 (all elements of
  small arrays, 2,000 at random of large ones), masks and dropout element by element and by the share that is kept.
  The training steps start from weights of the peers' own (He et al. 2015); of those it is checked that the loss falls.
- `elision` writes into memory that is there, as the BLAS libraries do. `elision, allocating` makes new memory for
  every result, as PyTorch and candle do.
- `linear` is x wᵀ without bias. The mask is one bit an element with elision, a byte with PyTorch (`bernoulli_` of
  a tensor of bool), and a 32-bit integer with MKL (`viRngBernoulli`, ARS5).
- candle can start the backward pass from ones only, so its steps multiply the output by the gradient first. Its SGD
  has no momentum; that of the training step is written with its tensors. It runs without its MKL feature.
- Each number of threads has a process of its own, PyTorch a process beside it, and every library is told the number.
  With more than one thread, idle threads spin for about a millisecond (`KMP_BLOCKTIME=1`, `GOMP_SPINCOUNT=20000`,
  `OPENBLAS_THREAD_TIMEOUT=21`), so that they stay awake within a side, and 5 ms pass between sides, so that they
  sleep in the others'.
";

/// The page.
pub(crate) fn markdown(machine: &Machine, quick: bool, records: &[Record]) -> String {
    let mut page = String::from("# elision beside other libraries\n\n");
    head(&mut page, machine, records);
    if quick {
        page += "**A quick run, to see that everything works: the figures mean nothing.**\n\n";
    }
    if let Some(record) = records.first() {
        peers(&mut page, record);
    }
    for record in records {
        let plural = if record.threads == 1 { "" } else { "s" };
        page += &format!("## {} thread{plural}\n\n", record.threads);
        tables(&mut page, record);
        refusals(&mut page, record);
    }
    page += "## Notes\n\n";
    page + NOTES
}

fn head(page: &mut String, machine: &Machine, records: &[Record]) {
    let Machine {
        date,
        processor,
        cores,
        ..
    } = machine;
    let mut facts = vec![date.clone(), processor.clone(), format!("{cores} cores")];
    facts.extend(records.first().map(|record| record.isa.clone()));
    facts.extend(machine.compiler.clone());
    facts.extend(
        machine
            .revision
            .as_ref()
            .map(|name| format!("revision {name}")),
    );
    let command = "cargo run --release --manifest-path benches/peers/Cargo.toml";
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{}.\nWritten by `{command}`.\n", facts.join("; "));
    page.push_str("![speed relative to elision](peers.svg)\n\n");
}

fn peers(page: &mut String, record: &Record) {
    page.push_str("| peer | version |\n|---|---|\n");
    for peer in &record.peers {
        let version = peer.version.replace('|', "/");
        *page += &format!("| {} | {version} |\n", peer.name);
    }
    page.push('\n');
    for missing in &record.missing {
        *page += &format!(
            "{} was not measured ({}). To install it: `{}`\n\n",
            missing.name, missing.why, missing.install
        );
    }
}

/// Rows of one kind of work, which the same peers offer, are together.
fn tables(page: &mut String, record: &Record) {
    for rows in record
        .rows
        .chunk_by(|a, b| a.work.group() == b.work.group())
    {
        *page += &format!("### {}\n\n", rows[0].work.group());
        table(page, record, rows);
        page.push('\n');
    }
}

fn table(page: &mut String, record: &Record, rows: &[Row]) {
    let names = record.peers.iter().map(|peer| peer.name.as_str());
    let measured = |name: &&str| {
        rows.iter()
            .any(|row| row.cells.iter().any(|cell| cell.peer == *name))
    };
    let names: Vec<&str> = names.filter(measured).collect();
    *page += &format!("| work | size | {} |\n", names.join(" | "));
    *page += &format!("|---|---|{}\n", "---|".repeat(names.len()));
    for row in rows {
        let cells: Vec<String> = names.iter().map(|name| cell(row, name)).collect();
        *page += &format!(
            "| {} | {} | {} |\n",
            row.work.title(),
            row.work.size(),
            cells.join(" | ")
        );
    }
}

fn cell(row: &Row, name: &str) -> String {
    match row
        .cells
        .iter()
        .find(|cell| cell.peer == name)
        .map(|cell| &cell.outcome)
    {
        None => String::new(),
        Some(Outcome::Refused(_)) => "refused".to_owned(),
        Some(Outcome::Measured(figures)) => measured(row, name, *figures),
    }
}

fn measured(row: &Row, name: &str, figures: Figures) -> String {
    let Figures {
        seconds,
        ratio,
        of_peak,
    } = figures;
    let mut text = duration(seconds);
    if name != OURS {
        text += &format!(" ({})", digits(ratio));
    }
    if let Some(flops) = row.work.flops() {
        text += &format!("<br>{} GFLOP/s", digits(flops / seconds / 1e9));
    }
    if let Some(share) = of_peak {
        text += &format!(", {:.0} %", 100.0 * share);
    }
    if let Some(n) = row.work.elements() {
        text += &format!("<br>{} ns/element", digits(1e9 * seconds / n as f64));
    }
    text
}

fn refusals(page: &mut String, record: &Record) {
    for row in &record.rows {
        for cell in &row.cells {
            if let Outcome::Refused(reason) = &cell.outcome {
                *page += &format!("Refused: {}, {}: {reason}\n\n", row.work.label(), cell.peer);
            }
        }
    }
}
