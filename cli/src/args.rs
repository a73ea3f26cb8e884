//! The flags.

use std::ffi::OsString;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use elision::Activation;

use crate::config::{
    MOST_SEED, MOST_THREADS, Method, RateWords, RuleName, ScheduleWords, Validation,
};
use crate::diagnose::DiagnoseArgs;
use crate::failure::one_line;
use crate::seeds::Seeds;

/// Trains networks, and shows what dropout cost and what it brought.
///
/// Without a subcommand it trains: a model from a file, or a small one from flags, without and with dropout.
/// Results go to the folder OUT/NAME: metrics.csv has a row an epoch, curves.svg plots them, summary.json holds
/// the final table, model.safetensors the model. Exit codes: 0 done, 1 failed during the work,
/// 2 flags or files that cannot be used, 130 stopped by Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "elision", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train: from --config, or from flags twice, without and with dropout (the default).
    Train(Box<TrainArgs>),
    Diagnose(Box<DiagnoseArgs>),
    /// Score a model: loss, accuracy, calibration.
    Eval(EvalArgs),
    /// Print the class and its probability for rows of a file, or for a picture.
    Predict(PredictArgs),
    /// Time the library against the limits of this machine.
    Bench(BenchArgs),
    /// List the data sets, or bring one onto this machine.
    #[command(subcommand)]
    Data(DataCommand),
    /// Print instruction sets, cores, caches, tile and block sizes.
    Info,
    /// Write raw mask bits to standard output, lowest bit of a byte first, 1 = kept.
    Mask(MaskArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TrainArgs {
    /// A TOML file with data, model, optimiser and training; flags go before what it says.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Go on with a run: its folder, or its last.safetensors.
    #[arg(long, value_name = "FOLDER|FILE", conflicts_with_all = ["config", "seed", "seeds", "out", "name", "data", "validation", "layers", "activation"])]
    pub(crate) resume: Option<PathBuf>,
    /// digits or breast-cancer (embedded), mnist, fashion-mnist or adult (fetched), or the path of a CSV, NPY or NPZ file [default: digits].
    #[arg(long, value_name = "SET|FILE")]
    pub(crate) data: Option<String>,
    /// The folder with the files of mnist, fashion-mnist or adult, gzipped or not [default: where data fetch puts them].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The CSV column that holds the class, or the NPY file of the labels.
    #[arg(long, value_name = "COLUMN|FILE")]
    pub(crate) label: Option<String>,
    /// The CSV has no line of names: its columns are 1, 2, 3, ...
    #[arg(long)]
    pub(crate) no_header: bool,
    /// The part of a file's rows that is held out for testing, chosen by the seed [default: 0.25].
    #[arg(long, value_name = "F", value_parser = fraction, allow_negative_numbers = true)]
    pub(crate) test_fraction: Option<f64>,
    /// Hold the last N training rows out for validation, or a part of them, between 0 and 1, chosen by the seed.
    #[arg(long, value_name = "N|F", allow_negative_numbers = true)]
    pub(crate) validation: Option<Validation>,
    /// Units of the hidden layers [default: 256,256].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = units, conflicts_with = "config")]
    pub(crate) layers: Option<Vec<usize>>,
    /// Activation of the hidden layers: relu, gelu, gelu-erf, tanh, sigmoid or identity [default: relu].
    #[arg(long, value_parser = activation, conflicts_with = "config")]
    pub(crate) activation: Option<Activation>,
    /// Drop probability of the input, in the run with dropout [default: 0.2].
    #[arg(long, value_name = "P", value_parser = rate, allow_negative_numbers = true)]
    pub(crate) input_rate: Option<f64>,
    /// Drop probability of the hidden layers: one for all, or one for each [default: 0.5].
    #[arg(long, value_name = "P,...", alias = "rate", value_delimiter = ',', value_parser = rate, allow_negative_numbers = true)]
    pub(crate) rates: Option<Vec<f64>>,
    /// Drop probability of the layers whose path matches NAME, with * for any characters; may be given again.
    #[arg(long, value_name = "NAME=P", value_parser = rate_pattern)]
    pub(crate) rate_pattern: Vec<(String, f64)>,
    /// How the drop probability of the layers that drop goes on: early:P@EPOCHS, late:P@EPOCHS, annealed:P@EPOCHS, curriculum:P:GAMMA, linear:P0:P1@EPOCHS, feedback:P:GAP, ...
    #[arg(long, value_name = "WORDS")]
    pub(crate) schedule: Option<RateWords>,
    /// The schedule gives factors of the layers' own drop probabilities.
    #[arg(long)]
    pub(crate) schedule_factor: bool,
    /// How layers drop that do not say it themselves: element, unit, input-block:ROWSxCOLUMNS, channel, drop-block:SIZE, gaussian, uniform, alpha, feature-alpha, drop-connect, shakeout:CONSTANT, concrete, variational, sparse-variational or standout; where a method is not for a kind of layer, that drops elements [default: element].
    #[arg(long, value_name = "METHOD")]
    pub(crate) dropout_method: Option<Method>,
    /// One run, without any dropout.
    #[arg(long, conflicts_with_all = ["rates", "input_rate", "rate_pattern", "schedule", "schedule_factor", "dropout_method"])]
    pub(crate) no_dropout: bool,
    /// Passes over the training data [default: 200; 10 for mnist and fashion-mnist].
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<NonZeroU64>,
    /// Rows of a training step [default: 64].
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<NonZeroUsize>,
    /// Learning rate [default: 0.001 for adam and adamw, 0.05 for sgd].
    #[arg(long, value_name = "X", alias = "lr", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) learning_rate: Option<f64>,
    /// How the learning rate goes on: constant, step:EVERY:FACTOR, cosine, one-cycle, warmup:STEPS+cosine, ...
    #[arg(long, value_name = "WORDS")]
    pub(crate) lr_schedule: Option<ScheduleWords>,
    /// The optimiser [default: adam].
    #[arg(long, value_enum, alias = "optimiser", ignore_case = true)]
    pub(crate) optimizer: Option<RuleName>,
    /// Momentum of sgd [default: 0.9].
    #[arg(long, value_name = "X", value_parser = momentum, allow_negative_numbers = true)]
    pub(crate) momentum: Option<f64>,
    /// Weight decay: in the gradient, or beside it with adamw.
    #[arg(long, value_name = "X", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) weight_decay: Option<f64>,
    /// The largest norm of the weights that come into a unit.
    #[arg(long, value_name = "X", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) max_norm: Option<f64>,
    /// The seed of weights, order of rows and masks [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=MOST_SEED))]
    pub(crate) seed: Option<u64>,
    /// One run for each seed, and their mean and deviation: 1..5 is 1 to 5, or a list.
    #[arg(long, value_name = "A..B|N,...", conflicts_with = "seed")]
    pub(crate) seeds: Option<Seeds>,
    /// Threads [default: the physical cores].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// The folder for the folders of runs; made if it is not there [default: runs].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The run's folder; its results are replaced [default: SET-seedN or FILE-seedN, with -2, -3, ... if taken].
    #[arg(long, value_name = "NAME", value_parser = folder_name)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// model.safetensors, or another checkpoint of a run.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// A set, of which the test rows are scored, or a file, of which all are [default: the test rows of the model's own data].
    #[arg(long, value_name = "SET|FILE")]
    pub(crate) data: Option<String>,
    /// The folder with the files of a set.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The CSV column that holds the class, or the NPY file of the labels [default: as in training].
    #[arg(long, value_name = "COLUMN|FILE")]
    pub(crate) label: Option<String>,
    /// The CSV has no line of names.
    #[arg(long)]
    pub(crate) no_header: bool,
    /// A JSON object in place of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads [default: the physical cores].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// model.safetensors, or another checkpoint of a run.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// A CSV file of features, with or without a line of names, an NPY file, or a picture in PNG, PGM or PPM.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The picture is dark on light, and the model has learnt light on dark.
    #[arg(long)]
    pub(crate) invert: bool,
    /// Monte-Carlo dropout: the mean over so many thinned networks.
    #[arg(long, value_name = "T")]
    pub(crate) samples: Option<NonZeroU64>,
    /// The seed of their masks.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// Threads [default: the physical cores].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Measure with this many threads too, besides one.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// One JSON object a line in place of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Print rows, features, classes, licence and source of each set, and whether it is here.
    List,
    /// Bring a set onto this machine and check its files against their published SHA-256.
    Fetch(FetchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// mnist, fashion-mnist or adult.
    #[arg(value_name = "SET")]
    pub(crate) set: String,
    /// The folder for the set's files [default: SET in $ELISION_DATA, or in elision among the user's data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MaskArgs {
    /// The seed of the key.
    #[arg(long, value_name = "N")]
    pub(crate) seed: u64,
    /// The drop probability.
    #[arg(long, value_name = "P", value_parser = rate, allow_negative_numbers = true)]
    pub(crate) p: f64,
    /// How many bits, rounded up to whole bytes of mask bits; without it, until the reader goes away.
    #[arg(long, value_name = "N")]
    pub(crate) bits: Option<u64>,
}

impl Cli {
    /// Parses the arguments, or says what is wrong with them in one line. Help and version go to
    /// standard output and end with success.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ExitCode> {
        Self::try_parse_from(arguments).map_err(|error| {
            if error.use_stderr() {
                let text = one_line(&error.to_string());
                eprintln!("elision: {}", text.strip_prefix("error: ").unwrap_or(&text));
                ExitCode::from(2)
            } else {
                // A reader of the help that has gone is not a fault.
                let _ = error.print();
                ExitCode::SUCCESS
            }
        })
    }
}

fn rate(word: &str) -> Result<f64, String> {
    let p: f64 = word.trim().parse().map_err(|_| "not a number".to_owned())?;
    elision::Dropout::new(elision::Key::new(0), p)
        .map(|_| p)
        .map_err(|error| error.to_string())
}

fn rate_pattern(word: &str) -> Result<(String, f64), String> {
    let Some((name, p)) = word.rsplit_once('=') else {
        return Err("expected NAME=P".to_owned());
    };
    Ok((name.to_owned(), rate(p)?))
}

fn fraction(word: &str) -> Result<f64, String> {
    match word.parse() {
        Ok(fraction) if fraction > 0.0 && fraction < 1.0 => Ok(fraction),
        _ => Err("expected a number between 0 and 1, both excluded".to_owned()),
    }
}

fn positive(word: &str) -> Result<f64, String> {
    match word.parse() {
        Ok(number) if number as f32 > 0.0 && (number as f32).is_finite() => Ok(number),
        _ => Err("expected a finite number above 0".to_owned()),
    }
}

fn momentum(word: &str) -> Result<f64, String> {
    match word.parse() {
        Ok(number) if (0.0..1.0).contains(&number) => Ok(number),
        _ => Err("expected a number from 0 to below 1".to_owned()),
    }
}

fn units(word: &str) -> Result<usize, String> {
    match word.trim().parse() {
        Ok(units) if units > 0 => Ok(units),
        _ => Err("expected one number of units above 0 for each hidden layer".to_owned()),
    }
}

fn threads(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(threads) if (1..=MOST_THREADS).contains(&threads) => Ok(threads),
        _ => Err(format!("expected a number from 1 to {MOST_THREADS}")),
    }
}

fn activation(word: &str) -> Result<Activation, String> {
    word.parse()
        .map_err(|error: elision::Error| error.to_string())
}

fn folder_name(word: &str) -> Result<String, String> {
    let mut parts = std::path::Path::new(word).components();
    match (parts.next(), parts.next()) {
        (Some(std::path::Component::Normal(name)), None) if name == word => Ok(word.to_owned()),
        _ => Err("expected the name of one folder".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_stay_in_the_output_folder() {
        assert_eq!(folder_name("a.b-1"), Ok("a.b-1".to_owned()));
        for bad in ["", ".", "..", "a/b", "/a", "a/", "a/.."] {
            assert!(folder_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_are_checked() {
        for bad in ["NaN", "-0.1", "1.5", "x", ""] {
            assert!(rate(bad).is_err(), "{bad:?}");
        }
        assert!(positive("inf").is_err() && positive("0").is_err() && positive("NaN").is_err());
        assert!(
            fraction("1").is_err()
                && momentum("1").is_err()
                && units("0").is_err()
                && threads("0").is_err()
        );
    }
}
