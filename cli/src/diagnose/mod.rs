//! `elision diagnose`: gradients along training, without and with dropout.

mod args;
mod grid;
mod plot;
mod results;
mod run;

use std::process::ExitCode;

use elision::Isa;

use crate::config::Config;
use crate::experiment::Experiment;
use crate::failure::{Failure, print};
use crate::output::{CONFIG, DIAGNOSE, DIAGNOSE_MEAN, DIAGNOSE_PLOT, Folder};
use crate::stop::Stop;
use crate::training::{folder_name, out, unwritten};
pub(crate) use args::DiagnoseArgs;
use results::Results;
use run::Protocol;

pub(crate) fn run(args: &DiagnoseArgs) -> Result<ExitCode, Failure> {
    let train = &args.train;
    if train.resume.is_some() {
        let fault = "--resume: diagnose measures a run from its first step";
        return Err(Failure::Flags(fault.to_owned()));
    }
    let config = train.configuration().map_err(Failure::Flags)?;
    let seeds = match &train.seeds {
        Some(seeds) => seeds.0.clone(),
        None => vec![config.seed],
    };
    Isa::best().map_err(Failure::Network)?;
    let protocol = Protocol {
        stop: Stop::on_ctrl_c()?,
        batches: args.batches as usize,
        points: args.points,
    };
    crate::pool(config.train.threads)?.install(|| measure(args, &config, &seeds, &protocol))
}

fn measure(
    args: &DiagnoseArgs,
    config: &Config,
    seeds: &[u64],
    protocol: &Protocol,
) -> Result<ExitCode, Failure> {
    let (mut folder, mut results) = (None, Results::default());
    for &seed in seeds {
        let mut config = config.clone();
        config.seed = seed;
        config.train.compare = false;
        // The seed may choose rows for testing, so the data are read anew.
        let experiment = Experiment::load(config)?;
        experiment.trainer()?;
        let folder = match &mut folder {
            Some(folder) => folder,
            None => {
                let name = folder_name(&args.train, &experiment, "diagnose");
                folder.insert(Folder::create(&out(&args.train), &name)?)
            }
        };
        for experiment in runs(&experiment) {
            let Some(run) = run::measured(&experiment, protocol)? else {
                eprintln!("elision: stopped");
                return Ok(Stop::code());
            };
            results.push(run);
        }
        folder.keep()?;
        folder.write(CONFIG, &experiment.config.to_toml())?;
        // After each seed, so that one that fails takes nothing away.
        write(folder, &experiment, &results)?;
    }
    let path = folder.map(|folder| folder.path().display().to_string());
    let path = path.unwrap_or_default();
    print(&format!("{}\nwrote {path}\n", results.to_table()))
}

/// Without dropout and with it; one run where there is none.
fn runs(experiment: &Experiment) -> Vec<Experiment> {
    let with = experiment.with(experiment.config.clone());
    match with.config.drops() {
        true => vec![with.with(with.config.without_dropout()), with],
        false => vec![with],
    }
}

fn write(folder: &Folder, experiment: &Experiment, results: &Results) -> Result<(), Failure> {
    folder.write(DIAGNOSE, &results.to_csv())?;
    if results.seeds() > 1 {
        folder.write(DIAGNOSE_MEAN, &results.to_mean_csv())?;
    }
    let title = match results.seeds() {
        1 => format!("{}, seed {}", experiment.name, experiment.config.seed),
        seeds => format!("{}, {seeds} seeds, mean and deviation", experiment.name),
    };
    let svg = plot::svg(&title, &results.series());
    let svg = svg.map_err(|error| unwritten(DIAGNOSE_PLOT, &*error))?;
    folder.write(DIAGNOSE_PLOT, &svg)
}
