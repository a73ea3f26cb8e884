//! The flags, completed and checked against each other: what a command is going to do.

use std::path::PathBuf;

use elision::Key;

use crate::args::{OptimizerName, TrainArgs};
use crate::data::choice::Choice;
use crate::data::{Dataset, Source};
use crate::failure::Failure;
use crate::learner::{Network, OptimizerChoice, Rates};
use crate::output::FolderName;

/// Sets of four IDX files.
const IDX_SETS: [&str; 2] = ["mnist", "fashion-mnist"];
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
    let choice = Choice {
        data: &args.data,
        data_dir: args.data_dir.as_deref(),
        label: args.label.as_deref(),
        no_header: args.no_header,
        test_fraction: args.test_fraction,
        key: Key::new(args.seed),
    };
    choice.source().map_err(Failure::Flags)
}
