//! `elision eval`: how good a model is on rows that it has not seen.

use std::process::ExitCode;

use elision::train::{Targets, evaluate, predict};
use serde::Serialize;

use crate::args::EvalArgs;
use crate::config::{Config, Data};
use crate::data::choice::is_set;
use crate::data::{Located, Part, Raw, Source};
use crate::experiment::samples;
use crate::failure::{Failure, print};
use crate::quality::{Quality, probabilities, quality};
use crate::saved::{Trained, fault};

/// What is printed.
#[derive(Serialize)]
struct Scores {
    data: String,
    /// The mean of the loss that the model was trained with.
    loss: f64,
    #[serde(flatten)]
    quality: Quality,
}

pub(crate) fn run(args: &EvalArgs) -> Result<ExitCode, Failure> {
    let trained = Trained::load(&args.model)?;
    let (name, rows) = rows(args, &trained)?;
    let scores = crate::pool(args.threads)?.install(|| score(&trained, name, rows))?;
    let text = match args.json {
        true => serde_json::to_string(&scores).unwrap_or_default() + "\n",
        false => scores.to_table(),
    };
    print(&text)
}

fn score(trained: &Trained, data: String, rows: Part) -> Result<Scores, Failure> {
    let part = Part {
        x: trained.preparation.apply(rows.x),
        labels: rows.labels,
    };
    let score = || -> elision::Result<Scores> {
        let samples = samples(part, &trained.input)?;
        let loss = evaluate(&trained.model, &trained.config.train.loss, &samples)?.loss;
        let outputs = predict(&trained.model, samples.x())?;
        let quality = match samples.targets() {
            Targets::Labels(labels) => quality(&probabilities(&outputs)?, labels),
            Targets::Values(_) => Quality::default(),
        };
        Ok(Scores {
            data,
            loss,
            quality,
        })
    };
    score().map_err(Failure::Work)
}

/// The rows to be scored, as the file has them, with the classes of the model: the test rows of the model's own
/// data or of another set, or all rows of a file.
fn rows(args: &EvalArgs, trained: &Trained) -> Result<(String, Part), Failure> {
    let config = configuration(args, &trained.config);
    let source = config.source().map_err(Failure::Flags)?;
    let raw = source
        .raw()
        .map_err(|Located { path, fault }| Failure::Data { path, fault })?;
    let is_file = matches!(
        source,
        Source::Csv { .. } | Source::Npy { .. } | Source::Npz { .. }
    );
    let expected = trained.preparation.columns();
    if raw.columns() != expected {
        let (name, found) = (&raw.name, raw.columns());
        return Err(fault(
            &args.model,
            format!("the model takes rows of {expected} features, and {name} has {found}"),
        ));
    }
    let name = raw.name.clone();
    let classes = classes(&raw, trained).map_err(|text| fault(&args.model, text))?;
    let mut part = match (is_file && args.data.is_some(), raw) {
        (false, raw) => raw.test,
        (true, Raw { train, test, .. }) => Part {
            x: [train.x, test.x].concat(),
            labels: [train.labels, test.labels].concat(),
        },
    };
    for label in &mut part.labels {
        *label = classes[*label as usize];
    }
    Ok((name, part))
}

/// The model's number of each class of the data.
fn classes(raw: &Raw, trained: &Trained) -> Result<Vec<u32>, String> {
    let place = |class: &String| {
        let found = (0..).zip(&trained.classes).find(|(_, own)| *own == class);
        found
            .map(|(at, _)| at)
            .ok_or_else(|| format!("the model has no class {class:?}"))
    };
    raw.classes.iter().map(place).collect()
}

fn configuration(args: &EvalArgs, trained: &Config) -> Config {
    let mut config = trained.clone();
    let data = &mut config.data;
    if let Some(set) = &args.data {
        *data = Data {
            set: set.clone(),
            ..Data::default()
        };
        if !is_set(set) {
            data.label.clone_from(&trained.data.label);
            data.header = trained.data.header;
        }
    }
    data.dir = args.data_dir.clone().or(data.dir.take());
    data.label = args.label.clone().or(data.label.take());
    data.header &= !args.no_header;
    config
}

impl Scores {
    fn to_table(&self) -> String {
        let Quality {
            rows,
            accuracy,
            nll,
            ece,
            brier,
        } = self.quality;
        format!(
            "{}, {rows} rows\naccuracy  {:.2} %\nloss      {:.4}\nNLL       {nll:.4}\nECE       {ece:.4}\nBrier     {brier:.4}\n",
            self.data,
            100.0 * accuracy,
            self.loss
        )
    }
}
