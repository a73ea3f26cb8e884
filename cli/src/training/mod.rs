//! `elision train`: one run, two that differ in nothing but dropout, or one for each of some seeds.

mod output;
mod rates;
mod recorder;
mod resume;
mod run;
mod sweep;

use std::io;
use std::process::ExitCode;

use elision::Isa;
use rayon::ThreadPool;

use crate::args::TrainArgs;
use crate::config::Config;
use crate::curves;
use crate::experiment::Experiment;
use crate::failure::{Failure, one_line, print};
use crate::output::{CURVES, Folder, FolderName, LAST, SUMMARY};
use crate::report::{Settings, Summary};
use crate::stop::Stop;
use output::Output;
pub(crate) use rates::Rates;
use run::Done;

pub(crate) fn run(args: &TrainArgs) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.resume {
        return resume::run(args, path);
    }
    let config = args.configuration().map_err(Failure::Flags)?;
    if let Some(seeds) = &args.seeds {
        return sweep::run(args, &config, &seeds.0);
    }
    let experiment = Experiment::load(config)?;
    let session = Session::new(&experiment.config)?;
    // What the library refuses, it refuses before there is a folder.
    experiment.trainer()?;
    let name = folder_name(
        args,
        &experiment,
        &format!("seed{}", experiment.config.seed),
    );
    let folder = Folder::create(&out(args), &name)?;
    let mut output = Output::new(folder, &experiment);
    match session.runs(&experiment, &mut output)? {
        Some(runs) => session.finish(&experiment, &output, runs),
        None => stopped(&output),
    }
}

/// What all runs of a process share.
struct Session {
    stop: Stop,
    isa: Isa,
    pool: ThreadPool,
}

impl Session {
    fn new(config: &Config) -> Result<Self, Failure> {
        let isa = Isa::best().map_err(Failure::Network)?;
        let pool = crate::pool(config.train.threads)?;
        let stop = Stop::on_ctrl_c()?;
        Ok(Self { stop, isa, pool })
    }

    /// The run, after one without dropout if there is to be one; `None` after Ctrl-C.
    fn runs(
        &self,
        experiment: &Experiment,
        output: &mut Output,
    ) -> Result<Option<Vec<Done>>, Failure> {
        let config = &experiment.config;
        if !config.train.compare {
            let done = self.pool.install(|| run::train(self, experiment, output))?;
            return Ok(done.map(|done| vec![done]));
        }
        let mut single = config.clone();
        single.train.compare = false;
        let with = experiment.with(single);
        let without = experiment.with(with.config.without_dropout());
        self.pool
            .install(|| run::compare(self, [&without, &with], output))
    }

    /// Writes what tells of whole runs.
    fn finish(
        &self,
        experiment: &Experiment,
        output: &Output,
        runs: Vec<Done>,
    ) -> Result<ExitCode, Failure> {
        let summary = self.write(experiment, output, runs)?;
        print(&format!(
            "\n{}\nwrote {}\n",
            summary.to_table(),
            output.folder.path().display()
        ))
    }

    fn write(
        &self,
        experiment: &Experiment,
        output: &Output,
        runs: Vec<Done>,
    ) -> Result<Summary, Failure> {
        let settings = Settings::new(experiment)?;
        let title = format!(
            "{}, {} parameters, seed {}",
            settings.data, settings.parameters, experiment.config.seed
        );
        let curves: Vec<_> = runs.iter().map(Done::curve).collect();
        let svg = curves::svg(&title, &curves).map_err(|error| unwritten(CURVES, &error))?;
        output.folder.write(CURVES, &svg)?;
        let runs = runs.into_iter().map(|run| run.summary).collect();
        let summary = self.summary(settings, runs);
        write_summary(&output.folder, &summary)?;
        Ok(summary)
    }

    fn summary(&self, settings: Settings, runs: Vec<crate::report::RunSummary>) -> Summary {
        Summary::new(runs, settings, self.isa, self.pool.current_num_threads())
    }
}

/// What a run of this configuration is called.
pub(crate) fn name(experiment: &Experiment) -> &'static str {
    match experiment.config.drops() {
        true => "dropout",
        false => "no dropout",
    }
}

/// Where the folders of runs are.
pub(crate) fn out(args: &TrainArgs) -> std::path::PathBuf {
    args.out.clone().unwrap_or_else(|| "runs".into())
}

/// The user's name, or that of the file or the data with an end.
pub(crate) fn folder_name(args: &TrainArgs, experiment: &Experiment, end: &str) -> FolderName {
    let stem = args.config.as_ref().and_then(|path| path.file_stem());
    let stem = stem.map_or(experiment.name.clone(), |stem| {
        stem.to_string_lossy().into()
    });
    let free = || FolderName::Free(format!("{stem}-{end}"));
    args.name.clone().map_or_else(free, FolderName::Given)
}

fn write_summary(folder: &Folder, summary: &Summary) -> Result<(), Failure> {
    let json = summary
        .to_json()
        .map_err(|error| unwritten(SUMMARY, &error))?;
    folder.write(SUMMARY, &json)
}

/// A failure to make the content of a file.
pub(crate) fn unwritten(what: &'static str, error: &dyn std::fmt::Display) -> Failure {
    Failure::System {
        what,
        source: io::Error::other(one_line(&error.to_string())),
    }
}

/// After Ctrl-C the complete epochs stay; curves and summary would tell of runs that did not end.
fn stopped(output: &Output) -> Result<ExitCode, Failure> {
    let folder = output.folder.path();
    let shown = folder.display();
    match folder.join(LAST).exists() {
        true => eprintln!("elision: stopped; train --resume {shown} goes on"),
        false => eprintln!("elision: stopped; complete epochs are in {shown}"),
    }
    Ok(Stop::code())
}
