//! The flags, completed and checked against each other: what a command is going to do.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use elision::Key;

use crate::args::{OptimizerName, TrainArgs};
use crate::data::table::Layout;
use crate::data::{Dataset, Pick, Source};
use crate::failure::Failure;
use crate::learner::{Network, OptimizerChoice, Rates};
use crate::output::FolderName;

/// Sets of four IDX files.
const IDX_SETS: [&str; 2] = ["mnist", "fashion-mnist"];
/// The part of a CSV that is for testing unless the user says otherwise.
const TEST_FRACTION: f64 = 0.25;
/// A gigabyte of weights, of which training holds some four copies: a slip of the keyboard in `--layers`
/// should be an error, not an exhausted machine.
const MOST_PARAMETERS: usize = 1 << 28;

/// Everything but the data.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) network: Network,
    /// Those of the run with dropout.
    pub(crate) rates: Rates,
    pub(crate) epochs: usize,
    pub(crate) batch: usize,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) out: PathBuf,
    pub(crate) folder: FolderName,
}

impl Plan {
    /// Completes the flags for a data set.
    pub(crate) fn new(args: &TrainArgs, data: &Dataset) -> Result<Self, Failure> {
        let network = Network {
            inputs: data.features,
            hidden: args.layers.clone(),
            classes: data.classes,
            activation: args.activation,
            optimizer: optimizer(args)?,
            key: Key::new(args.seed),
        };
        match network.parameters() {
            Some(parameters) if parameters <= MOST_PARAMETERS => {}
            _ => {
                return Err(flags(format!(
                    "--layers: more than {MOST_PARAMETERS} parameters"
                )));
            }
        }
        let free = || FolderName::Free(format!("{}-seed{}", data.name, args.seed));
        Ok(Self {
            rates: rates(args)?,
            network,
            epochs: args
                .epochs
                .map_or_else(|| default_epochs(&args.data), Into::into),
            batch: args.batch.get().min(data.train.rows()),
            seed: args.seed,
            threads: args.threads.unwrap_or_else(num_cpus::get_physical).max(1),
            out: args.out.clone(),
            folder: args.name.clone().map_or_else(free, FolderName::Given),
        })
    }
}

fn flags(message: impl Into<String>) -> Failure {
    Failure::Flags(message.into())
}

/// Enough for the run with dropout to come to rest on the digits, in some ten seconds.
const EPOCHS: usize = 200;
/// The large sets have some fifty times the rows.
const EPOCHS_IDX: usize = 10;

fn default_epochs(data: &str) -> usize {
    if IDX_SETS.contains(&data) {
        EPOCHS_IDX
    } else {
        EPOCHS
    }
}

fn rates(args: &TrainArgs) -> Result<Rates, Failure> {
    let (rates, layers) = (&args.rates, args.layers.len());
    let hidden = match rates.as_slice() {
        &[one] => vec![one; layers],
        each if each.len() == layers => each.to_vec(),
        each => {
            return Err(flags(format!(
                "--rates: {} rates for {layers} hidden layers",
                each.len()
            )));
        }
    };
    Ok(Rates {
        input: args.input_rate,
        hidden,
    })
}

fn optimizer(args: &TrainArgs) -> Result<OptimizerChoice, Failure> {
    let rate = args.learning_rate;
    match (args.optimizer, args.momentum) {
        (OptimizerName::Adam, None) => Ok(OptimizerChoice::Adam {
            rate: rate.unwrap_or(0.001),
        }),
        (OptimizerName::Adam, Some(_)) => {
            Err(flags("--momentum: adam has none; add --optimizer sgd"))
        }
        (OptimizerName::Sgd, momentum) => Ok(OptimizerChoice::Sgd {
            rate: rate.unwrap_or(0.05),
            momentum: momentum.unwrap_or(0.9),
        }),
    }
}

/// Where the flags say that the data are.
pub(crate) fn source(args: &TrainArgs) -> Result<Source, Failure> {
    let csv_flags = args.label.is_some() || args.no_header || args.test_fraction.is_some();
    match args.data.as_str() {
        "digits" if args.data_dir.is_some() || csv_flags => Err(flags(
            "--data digits takes no --data-dir, --label, --no-header or --test-fraction",
        )),
        "digits" => Ok(Source::Digits),
        name if IDX_SETS.contains(&name) => idx_source(args, name, csv_flags),
        path => csv_source(args, Path::new(path)),
    }
}

fn idx_source(args: &TrainArgs, name: &str, csv_flags: bool) -> Result<Source, Failure> {
    if csv_flags {
        return Err(flags(format!(
            "--data {name} takes no --label, --no-header or --test-fraction"
        )));
    }
    match &args.data_dir {
        Some(folder) => Ok(Source::Idx {
            name: name.to_owned(),
            folder: folder.clone(),
        }),
        None => Err(flags(format!(
            "--data {name} needs --data-dir, the folder with its four IDX files"
        ))),
    }
}

fn csv_source(args: &TrainArgs, path: &Path) -> Result<Source, Failure> {
    let named_like_csv = path
        .extension()
        .is_some_and(|end| end == "csv" || end == "gz" || end == "data");
    if !named_like_csv && !path.exists() {
        let word = OsStr::to_string_lossy(path.as_os_str());
        return Err(flags(format!(
            "--data {word}: neither digits, mnist, fashion-mnist nor a file"
        )));
    }
    if args.data_dir.is_some() {
        return Err(flags(
            "--data-dir is for mnist and fashion-mnist; give a CSV file's whole path to --data",
        ));
    }
    let Some(label) = args.label.clone() else {
        return Err(flags(format!(
            "--data {} needs --label, the column of classes",
            path.display()
        )));
    };
    let fraction = args.test_fraction.unwrap_or(TEST_FRACTION);
    Ok(Source::Csv {
        path: path.to_owned(),
        layout: Layout {
            label,
            header: !args.no_header,
        },
        pick: Pick {
            key: Key::new(args.seed),
            fraction,
        },
    })
}
