//! `--resume`: a run goes on where its checkpoint was written, bit for bit.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output::Output;
use super::run::{self, Start};
use super::{Session, stopped};
use crate::args::TrainArgs;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::output::{BEST, Folder, LAST};
use crate::saved;

pub(super) fn run(args: &TrainArgs, path: &Path) -> Result<ExitCode, Failure> {
    let (folder, file) = places(path);
    let checkpoint = saved::load(&file)?;
    let fault = |fault: String| -> Failure { saved::fault(&file, fault) };
    let config = saved::config(&checkpoint).map_err(fault)?;
    let config = args.put_into(config).map_err(Failure::Flags)?;
    let experiment = Experiment::load(config)?;
    let session = Session::new(&experiment.config)?;
    let trained = session.pool.install(|| {
        let mut start = Start::fresh(&experiment)?;
        let restored = start.trainer.restore(&checkpoint);
        restored.map_err(|error| fault(error.to_string()))?;
        let rates = start.rates.restore(&checkpoint);
        rates.map_err(|error| fault(error.to_string()))?;
        start.best = saved::best(&checkpoint);
        if experiment.config.train.keep_best && start.best.is_some() {
            start.best_model = Some(saved::load(&folder.join(BEST))?);
        }
        let done = start.trainer.steps() / experiment.steps_per_epoch();
        let folder = Folder::existing(&folder);
        let (mut output, epochs) = Output::resume(folder, &experiment, done)?;
        start.epochs = epochs;
        let done = run::from(&session, &experiment, &mut output, start)?;
        Ok((done, output))
    });
    let (trained, output) = trained?;
    match trained {
        Some(done) => session.finish(&experiment, &output, vec![done]),
        None => stopped(&output),
    }
}

/// The folder of the run, and its checkpoint.
fn places(path: &Path) -> (PathBuf, PathBuf) {
    if path.is_dir() {
        return (path.to_owned(), path.join(LAST));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    (folder.to_owned(), path.to_owned())
}
