//! The end of a run: `summary.json` and the table.

mod statistics;

use elision::Isa;
use elision::nn::{Layer, sparsity};
use serde::Serialize;

use crate::config::Config;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::network;
pub(crate) use statistics::Spread;
use statistics::{Statistics, statistics};

/// `summary.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) runs: Vec<RunSummary>,
    /// Over the seeds, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statistics: Vec<Statistics>,
    /// That of the last run.
    seed: u64,
    /// The instruction set that the library used.
    isa: String,
    threads: usize,
    version: &'static str,
    /// What it takes to repeat the runs.
    settings: Settings,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunSummary {
    pub(crate) name: &'static str,
    pub(crate) seed: u64,
    /// The drop probabilities, in the order of the layers that have one.
    pub(crate) rates: Vec<f64>,
    /// Those that were made.
    pub(crate) epochs: u64,
    /// By the validation rows, if there are any.
    pub(crate) best_epoch: Option<u64>,
    /// Of the model that training came to, without dropout.
    pub(crate) train_accuracy: f64,
    pub(crate) test_accuracy: f64,
    /// The mean of the loss that was trained with.
    pub(crate) test_loss: f64,
    /// The mean of -ln p(class), in nats. It tells over-confidence, which accuracy does not.
    pub(crate) test_nll: f64,
    pub(crate) test_ece: f64,
    pub(crate) test_brier: f64,
    /// Spent in training steps; evaluation is not counted.
    pub(crate) seconds: f64,
    /// Of the layers that prune.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) pruned: Vec<Pruned>,
    /// The part of a step's time that dropout takes, as measured: see the module `dropout_share`.
    pub(crate) dropout_share: Option<f64>,
}

/// A layer whose weights are pruned.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pruned {
    layer: String,
    weights: usize,
    kept: usize,
}

impl Pruned {
    /// All such layers of a model.
    pub(crate) fn of(model: &dyn Layer) -> elision::Result<Vec<Self>> {
        let layers = sparsity(model)?.into_iter();
        Ok(layers
            .map(|layer| Self {
                layer: layer.path,
                weights: layer.weights,
                kept: layer.kept,
            })
            .collect())
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) data: String,
    train_rows: usize,
    validation_rows: usize,
    test_rows: usize,
    pub(crate) parameters: usize,
    config: Config,
}

impl Settings {
    pub(crate) fn new(experiment: &Experiment) -> Result<Self, Failure> {
        let Experiment {
            config,
            input,
            classes,
            ..
        } = experiment;
        let model = network::build(config, input, classes.len(), experiment.train.rows());
        let model = model.map_err(|misfit| Failure::Flags(misfit.to_string()))?;
        Ok(Self {
            data: experiment.name.clone(),
            train_rows: experiment.train.rows(),
            validation_rows: experiment.validation.as_ref().map_or(0, |part| part.rows()),
            test_rows: experiment.test.rows(),
            parameters: model.parameter_count(),
            config: config.clone(),
        })
    }
}

/// A column of the table: its title, and what it says of a run.
type Column = (&'static str, fn(&RunSummary) -> String);

const COLUMNS: [Column; 10] = [
    ("run", |run| run.name.to_owned()),
    ("rates", RunSummary::rates),
    ("seed", |run| run.seed.to_string()),
    ("train accuracy", |run| percent(run.train_accuracy)),
    ("test accuracy", |run| percent(run.test_accuracy)),
    ("test loss", |run| format!("{:.4}", run.test_loss)),
    ("ECE", |run| format!("{:.4}", run.test_ece)),
    ("Brier", |run| format!("{:.4}", run.test_brier)),
    ("seconds", |run| format!("{:.2}", run.seconds)),
    ("dropout's share", |run| match run.dropout_share {
        Some(share) if run.drops() => percent(share),
        _ => "-".to_owned(),
    }),
];

fn percent(part: f64) -> String {
    format!("{:.2} %", 100.0 * part)
}

impl Summary {
    pub(crate) fn new(runs: Vec<RunSummary>, settings: Settings, isa: Isa, threads: usize) -> Self {
        Self {
            statistics: statistics(&runs),
            runs,
            seed: settings.config.seed,
            isa: isa.to_string(),
            threads,
            version: env!("CARGO_PKG_VERSION"),
            settings,
        }
    }

    /// The file's content.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The table for the terminal.
    pub(crate) fn to_table(&self) -> String {
        let head = COLUMNS.map(|(title, _)| title.to_owned());
        let cells = |run: &RunSummary| COLUMNS.map(|(_, cell)| cell(run));
        let rows: Vec<_> = [head]
            .into_iter()
            .chain(self.runs.iter().map(cells))
            .collect();
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: [usize; COLUMNS.len()] = std::array::from_fn(width);
        let mut table: String = rows.iter().map(|row| aligned(row, widths)).collect();
        for run in self.runs.iter().filter(|run| !run.pruned.is_empty()) {
            table.push_str(&run.pruned_line());
        }
        for statistics in &self.statistics {
            table.push_str(&format!("\n{statistics}\n"));
        }
        table
    }
}

impl RunSummary {
    /// The name, and the rates where there are any.
    pub(crate) fn legend(&self) -> String {
        if self.drops() {
            format!("{} {}", self.name, self.rates())
        } else {
            self.name.to_owned()
        }
    }

    /// The share of the weights that is pruned, of each layer and of all.
    fn pruned_line(&self) -> String {
        let share =
            |weights: usize, kept: usize| percent(1.0 - kept as f64 / weights.max(1) as f64);
        let layers = self.pruned.iter();
        let each =
            layers.map(|layer| format!("{} {}", layer.layer, share(layer.weights, layer.kept)));
        let each: Vec<String> = each.collect();
        let sum = |f: fn(&Pruned) -> usize| self.pruned.iter().map(f).sum::<usize>();
        let all = share(sum(|layer| layer.weights), sum(|layer| layer.kept));
        format!(
            "\nseed {}: weights pruned: {}; all {all}\n",
            self.seed,
            each.join(", ")
        )
    }

    fn drops(&self) -> bool {
        self.rates.iter().any(|&rate| rate > 0.0)
    }

    fn rates(&self) -> String {
        let rates: Vec<String> = self.rates.iter().map(f64::to_string).collect();
        rates.join(" ")
    }
}

/// Names to the left, numbers to the right.
fn aligned(row: &[String; COLUMNS.len()], widths: [usize; COLUMNS.len()]) -> String {
    let [name, rates, numbers @ ..] = row;
    let mut line = format!("{name:<0$}  {rates:<1$}", widths[0], widths[1]);
    for (number, width) in numbers.iter().zip(&widths[2..]) {
        line.push_str(&format!("  {number:>width$}"));
    }
    line + "\n"
}
