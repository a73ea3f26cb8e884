//! `elision predict`: classes and their probabilities for rows of a file, or for a picture.

mod picture;
mod probabilities;
mod rows;

use std::process::ExitCode;

use elision::{Key, Tensor};

use crate::args::PredictArgs;
use crate::failure::{Failure, print};
use crate::quality::largest;
use crate::saved::{Trained, fault};

pub(crate) fn run(args: &PredictArgs) -> Result<ExitCode, Failure> {
    let trained = Trained::load(&args.model)?;
    let rows = read(args, &trained).map_err(|text| fault(&args.file, text))?;
    let p = crate::pool(args.threads)?.install(|| {
        let rows = trained.preparation.apply(rows);
        let count = rows.len() / trained.preparation.features().max(1);
        let shape = [&[count], trained.input.as_slice()].concat();
        let x = Tensor::from_vec(rows, &shape)?;
        match args.samples {
            None => probabilities::mean(&trained.model, &x),
            Some(samples) => {
                probabilities::monte_carlo(&trained.model, &x, Key::new(args.seed), samples.get())
            }
        }
    });
    let text = csv(&trained.classes, &p.map_err(Failure::Work)?);
    print(&text.map_err(|error| Failure::System {
        what: "output",
        source: error,
    })?)
}

/// Row-major features as the training file had them.
fn read(args: &PredictArgs, trained: &Trained) -> Result<Vec<f32>, String> {
    let columns = trained.preparation.columns();
    let end = args
        .file
        .extension()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match end.to_str() {
        Some("npy") => rows::npy(&args.file, columns),
        Some("png" | "pgm" | "ppm" | "pnm" | "pbm") => picture::read(args, trained),
        _ => rows::csv(&args.file, columns),
    }
}

/// A line for each row: its class, and the probability of each.
fn csv(classes: &[String], probabilities: &Tensor) -> std::io::Result<String> {
    let mut lines = csv::Writer::from_writer(Vec::new());
    let head = ["class"]
        .into_iter()
        .chain(classes.iter().map(String::as_str));
    lines.write_record(head)?;
    for row in probabilities.as_slice().chunks_exact(classes.len().max(1)) {
        let class = classes.get(largest(row)).cloned().unwrap_or_default();
        let cells = row.iter().map(|p| format!("{p:.6}"));
        lines.write_record([class].into_iter().chain(cells))?;
    }
    let bytes = lines.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
