//! One run for each of some seeds, each with a folder of its own.

use std::process::ExitCode;

use super::output::Output;
use super::{Session, folder_name, out, stopped, write_summary};
use crate::args::TrainArgs;
use crate::config::Config;
use crate::experiment::Experiment;
use crate::failure::{Failure, print};
use crate::output::{CONFIG, Folder, FolderName};
use crate::report::Settings;

pub(super) fn run(args: &TrainArgs, config: &Config, seeds: &[u64]) -> Result<ExitCode, Failure> {
    let session = Session::new(config)?;
    let mut all: Option<Folder> = None;
    let mut runs = Vec::new();
    for &seed in seeds {
        let mut config = config.clone();
        config.seed = seed;
        // The seed may choose rows for testing and for validation, so the data are read anew.
        let experiment = Experiment::load(config)?;
        experiment.trainer()?;
        let folder = match &mut all {
            Some(folder) => folder,
            None => {
                let name = folder_name(args, &experiment, "seeds");
                all.insert(Folder::create(&out(args), &name)?)
            }
        };
        let name = FolderName::Given(format!("seed{seed}"));
        let mut output = Output::new(Folder::create(folder.path(), &name)?, &experiment);
        eprintln!("seed {seed}");
        let Some(done) = session.runs(&experiment, &mut output)? else {
            folder.keep()?;
            return stopped(&output);
        };
        folder.keep()?;
        let own = session.write(&experiment, &output, done)?;
        runs.extend(own.runs);
        // After each seed, so that one that fails takes nothing away.
        let summary = session.summary(Settings::new(&experiment)?, runs.clone());
        folder.write(CONFIG, &experiment.config.to_toml())?;
        write_summary(folder, &summary)?;
        if seed == seeds[seeds.len() - 1] {
            let path = folder.path().display();
            return print(&format!("\n{}\nwrote {path}\n", summary.to_table()));
        }
    }
    Ok(ExitCode::SUCCESS)
}
