//! The end of a run: `summary.json` and the table.

use serde::Serialize;

/// `summary.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) runs: Vec<RunSummary>,
    pub(crate) seed: u64,
    /// The instruction set that the library used.
    pub(crate) isa: String,
    pub(crate) threads: usize,
    pub(crate) version: &'static str,
    /// What it takes, with the seed, to repeat the runs.
    pub(crate) settings: Settings,
}

/// One of the two runs.
#[derive(Debug, Serialize)]
pub(crate) struct RunSummary {
    pub(crate) name: &'static str,
    /// The input's drop probability, then each hidden layer's.
    pub(crate) rates: Vec<f64>,
    /// After the last epoch, without dropout.
    pub(crate) train_accuracy: f64,
    pub(crate) test_accuracy: f64,
    /// Mean cross-entropy, in nats. It tells over-confidence, which accuracy does not.
    pub(crate) test_loss: f64,
    /// Spent in training steps; evaluation is not counted.
    pub(crate) seconds: f64,
    /// The part of a step's time that dropout takes, as measured: see the module `dropout_share`.
    pub(crate) dropout_share: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Settings {
    pub(crate) data: String,
    pub(crate) train_rows: usize,
    pub(crate) test_rows: usize,
    pub(crate) layers: Vec<usize>,
    pub(crate) activation: String,
    pub(crate) optimizer: &'static str,
    pub(crate) learning_rate: f32,
    pub(crate) epochs: usize,
    pub(crate) batch: usize,
    pub(crate) parameters: usize,
}

impl Summary {
    /// The file's content.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The table for the terminal.
    pub(crate) fn to_table(&self) -> String {
        let head = [
            "run",
            "rates",
            "train accuracy",
            "test accuracy",
            "test loss",
            "seconds",
            "dropout's share",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.runs.iter().map(RunSummary::cells));
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: [usize; 7] = std::array::from_fn(width);
        rows.iter().map(|row| aligned(row, widths)).collect()
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

    fn drops(&self) -> bool {
        self.rates.iter().any(|&rate| rate > 0.0)
    }

    fn rates(&self) -> String {
        let rates: Vec<String> = self.rates.iter().map(f64::to_string).collect();
        rates.join(" ")
    }

    fn cells(&self) -> [String; 7] {
        let percent = |part: f64| format!("{:.2} %", 100.0 * part);
        let share = if self.drops() {
            percent(self.dropout_share)
        } else {
            "-".to_owned()
        };
        [
            self.name.to_owned(),
            self.rates(),
            percent(self.train_accuracy),
            percent(self.test_accuracy),
            format!("{:.4}", self.test_loss),
            format!("{:.2}", self.seconds),
            share,
        ]
    }
}

/// Names to the left, numbers to the right.
fn aligned(row: &[String; 7], widths: [usize; 7]) -> String {
    let [name, rates, numbers @ ..] = row;
    let mut line = format!("{name:<0$}  {rates:<1$}", widths[0], widths[1]);
    for (number, width) in numbers.iter().zip(&widths[2..]) {
        line.push_str(&format!("  {number:>width$}"));
    }
    line + "\n"
}
