//! The flags.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use elision::Activation;

use crate::failure::one_line;

/// Trains a small network without and with dropout, and shows what dropout cost and what it brought.
///
/// Without a subcommand it trains. Results go to the folder OUT/NAME: metrics.csv has a row an epoch,
/// curves.svg plots them, summary.json holds the final table. Exit codes: 0 done, 1 failed during the work,
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
    /// Train twice, without and with dropout (the default).
    Train(Box<TrainArgs>),
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
    /// digits or breast-cancer (embedded), mnist, fashion-mnist or adult (fetched), or the path of a CSV, NPY or NPZ file.
    #[arg(long, default_value = "digits", value_name = "SET|FILE")]
    pub(crate) data: String,
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
    /// Units of the hidden layers.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "256,256", value_parser = units)]
    pub(crate) layers: Vec<usize>,
    /// Activation of the hidden layers: relu, gelu, gelu-erf, tanh, sigmoid or identity.
    #[arg(long, default_value = "relu", value_parser = activation)]
    pub(crate) activation: Activation,
    /// Drop probability of the input, in the run with dropout.
    #[arg(long, value_name = "P", default_value = "0.2", value_parser = rate, allow_negative_numbers = true)]
    pub(crate) input_rate: f64,
    /// Drop probability of the hidden layers: one for all, or one for each.
    #[arg(long, value_name = "P,...", value_delimiter = ',', default_value = "0.5", value_parser = rate, allow_negative_numbers = true)]
    pub(crate) rates: Vec<f64>,
    /// Passes over the training data [default: 200; 10 for mnist and fashion-mnist].
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<NonZeroUsize>,
    /// Rows of a training step.
    #[arg(long, value_name = "N", default_value = "64")]
    pub(crate) batch: NonZeroUsize,
    /// Learning rate [default: 0.001 for adam, 0.05 for sgd].
    #[arg(long, value_name = "X", alias = "lr", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) learning_rate: Option<f32>,
    /// The optimiser.
    #[arg(long, value_enum, alias = "optimiser", default_value = "adam")]
    pub(crate) optimizer: OptimizerName,
    /// Momentum of sgd [default: 0.9].
    #[arg(long, value_name = "X", value_parser = momentum, allow_negative_numbers = true)]
    pub(crate) momentum: Option<f32>,
    /// The seed of weights, order of rows and masks.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// Threads [default: the physical cores].
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// The folder for the folders of runs; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) out: PathBuf,
    /// The run's folder; its three files are replaced [default: SET-seedN, with -2, -3, ... if taken].
    #[arg(long, value_name = "NAME", value_parser = folder_name)]
    pub(crate) name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OptimizerName {
    Adam,
    Sgd,
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

fn fraction(word: &str) -> Result<f64, String> {
    match word.parse() {
        Ok(fraction) if fraction > 0.0 && fraction < 1.0 => Ok(fraction),
        _ => Err("expected a number between 0 and 1, both excluded".to_owned()),
    }
}

fn positive(word: &str) -> Result<f32, String> {
    match word.parse() {
        Ok(number) if number > 0.0 && f32::is_finite(number) => Ok(number),
        _ => Err("expected a finite number above 0".to_owned()),
    }
}

fn momentum(word: &str) -> Result<f32, String> {
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
    /// More than any machine that this was written for; far more would exhaust the system's limits.
    const MOST: usize = 1024;
    match word.parse() {
        Ok(threads) if (1..=MOST).contains(&threads) => Ok(threads),
        _ => Err(format!("expected a number from 1 to {MOST}")),
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
