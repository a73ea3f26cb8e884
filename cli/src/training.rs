//! `elision train`: two runs that differ in nothing but dropout.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use elision::Isa;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::args::TrainArgs;
use crate::curves::{self, Curve};
use crate::data::{Dataset, Located};
use crate::dropout_share;
use crate::failure::{Failure, one_line};
use crate::learner::{Learner, Rates, Sum};
use crate::metrics::{Epoch, Metrics};
use crate::output::{CURVES, Folder, METRICS, SUMMARY};
use crate::plan::{self, Plan};
use crate::progress::Progress;
use crate::report::{RunSummary, Settings, Summary};
use crate::stop::Stop;

pub(crate) fn run(args: &TrainArgs) -> Result<ExitCode, Failure> {
    let source = plan::source(args)?;
    let data = source
        .load()
        .map_err(|Located { path, fault }| Failure::Data { path, fault })?;
    let plan = Plan::new(args, &data)?;
    let isa = Isa::best().map_err(Failure::Network)?;
    let pool = pool(plan.threads)?;
    // What the library refuses, it refuses before there is a folder.
    plan.network
        .learner(&plan.rates)
        .map_err(Failure::Network)?;
    let session = Session {
        data: &data,
        plan: &plan,
        stop: Stop::on_ctrl_c()?,
    };
    let folder = Folder::create(&plan.out, &plan.folder)?;
    let mut results = Results {
        folder,
        metrics: None,
    };
    match pool.install(|| session.both(&mut results))? {
        Some(runs) => finish(&session, &results, runs, isa),
        None => stopped(&mut results),
    }
}

/// A pool of our own: the global one is left to whoever else is in the process.
fn pool(threads: usize) -> Result<ThreadPool, Failure> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Failure::System {
            what: "threads",
            source: io::Error::other(error),
        })
}

/// What the two runs share.
struct Session<'a> {
    data: &'a Dataset,
    plan: &'a Plan,
    stop: Stop,
}

/// The output, opened by the first row.
struct Results {
    folder: Folder,
    metrics: Option<Metrics>,
}

impl Results {
    fn metrics(&mut self) -> Result<&mut Metrics, Failure> {
        if self.metrics.is_none() {
            self.folder.keep()?;
            self.metrics = Some(Metrics::create(&self.folder.path().join(METRICS))?);
        }
        Ok(self.metrics.as_mut().expect("opened just above"))
    }
}

/// A run that has come to its end.
struct Done {
    summary: RunSummary,
    epochs: Vec<Epoch>,
}

impl Done {
    fn curve(&self) -> Curve<'_> {
        Curve {
            name: self.summary.legend(),
            epochs: &self.epochs,
        }
    }
}

impl Session<'_> {
    /// Both runs; `None` after Ctrl-C.
    fn both(&self, results: &mut Results) -> Result<Option<Vec<Done>>, Failure> {
        let rates = &self.plan.rates;
        let mut runs = Vec::with_capacity(2);
        for (name, rates) in [("no dropout", &rates.none()), ("dropout", rates)] {
            match self.train(name, rates, results)? {
                Some(done) => runs.push(done),
                None => return Ok(None),
            }
        }
        Ok(Some(runs))
    }

    fn train(
        &self,
        name: &'static str,
        rates: &Rates,
        results: &mut Results,
    ) -> Result<Option<Done>, Failure> {
        let Self { data, plan, stop } = self;
        let mut learner = plan.network.learner(rates).map_err(Failure::Work)?;
        let progress = Progress::new(name, plan.epochs, data.train.rows().div_ceil(plan.batch));
        let mut epochs: Vec<Epoch> = Vec::new();
        for number in 1..=plan.epochs {
            let before = epochs.last().map_or(0.0, |epoch| epoch.seconds);
            let Some(epoch) = self
                .epoch(&mut learner, number, before, &progress)
                .map_err(Failure::Work)?
            else {
                return Ok(None);
            };
            results.metrics()?.push(name, &epoch)?;
            progress.epoch(&epoch);
            epochs.push(epoch);
        }
        drop(progress);
        let share = dropout_share::measure(&plan.network, rates, &data.train, plan.batch, stop);
        let Some(share) = share.map_err(Failure::Work)? else {
            return Ok(None);
        };
        Ok(Some(Done {
            summary: summary(name, rates, epochs.last(), share),
            epochs,
        }))
    }

    /// One pass over the training rows; `None` if Ctrl-C came before its end.
    fn epoch(
        &self,
        learner: &mut Learner,
        number: usize,
        seconds_before: f64,
        progress: &Progress,
    ) -> elision::Result<Option<Epoch>> {
        let Self { data, plan, stop } = self;
        let order = plan.network.order(number, data.train.rows());
        let (mut sum, mut time) = (Sum::default(), Duration::ZERO);
        for rows in order.chunks(plan.batch) {
            if stop.asked() {
                return Ok(None);
            }
            learner.gather(&data.train, rows);
            let (batch, step) = learner.step()?;
            sum.add(batch);
            time += step;
            progress.step(number, sum.score(), rate(sum.rows, time));
        }
        Ok(Some(Epoch {
            number,
            batch: sum.score(),
            train: learner.evaluate(&data.train)?,
            test: learner.evaluate(&data.test)?,
            seconds: seconds_before + time.as_secs_f64(),
            samples_per_second: rate(sum.rows, time),
        }))
    }

    fn settings(&self) -> Settings {
        let Plan {
            network,
            epochs,
            batch,
            ..
        } = self.plan;
        Settings {
            data: self.data.name.clone(),
            train_rows: self.data.train.rows(),
            test_rows: self.data.test.rows(),
            layers: network.hidden.clone(),
            activation: network.activation.to_string(),
            optimizer: network.optimizer.name(),
            learning_rate: network.optimizer.rate(),
            epochs: *epochs,
            batch: *batch,
            parameters: network.parameters().unwrap_or(0),
        }
    }
}

/// Rows a second.
fn rate(rows: usize, time: Duration) -> f64 {
    rows as f64 / time.as_secs_f64().max(1e-9)
}

fn summary(
    name: &'static str,
    rates: &Rates,
    last: Option<&Epoch>,
    dropout_share: f64,
) -> RunSummary {
    RunSummary {
        name,
        rates: rates.to_vec(),
        train_accuracy: last.map_or(0.0, |epoch| epoch.train.accuracy),
        test_accuracy: last.map_or(0.0, |epoch| epoch.test.accuracy),
        test_loss: last.map_or(0.0, |epoch| epoch.test.loss),
        seconds: last.map_or(0.0, |epoch| epoch.seconds),
        dropout_share,
    }
}

fn finish(
    session: &Session<'_>,
    results: &Results,
    runs: Vec<Done>,
    isa: Isa,
) -> Result<ExitCode, Failure> {
    let settings = session.settings();
    let title = format!(
        "{}, {} parameters, seed {}",
        settings.data, settings.parameters, session.plan.seed
    );
    let curves: Vec<Curve<'_>> = runs.iter().map(Done::curve).collect();
    let svg =
        curves::svg(&title, &curves).map_err(|error| unwritten(CURVES, &error.to_string()))?;
    results.folder.write(CURVES, &svg)?;
    let summary = Summary {
        runs: runs.into_iter().map(|run| run.summary).collect(),
        seed: session.plan.seed,
        isa: isa.to_string(),
        threads: session.plan.threads,
        version: env!("CARGO_PKG_VERSION"),
        settings,
    };
    let json = summary
        .to_json()
        .map_err(|error| unwritten(SUMMARY, &error.to_string()))?;
    results.folder.write(SUMMARY, &json)?;
    let text = format!(
        "\n{}\nwrote {}\n",
        summary.to_table(),
        results.folder.path().display()
    );
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(source) => Failure::stdout(source).map_or(Ok(ExitCode::SUCCESS), Err),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// A failure to make the content of a file.
fn unwritten(what: &'static str, error: &str) -> Failure {
    Failure::System {
        what,
        source: io::Error::other(one_line(error)),
    }
}

/// After Ctrl-C the complete epochs stay; curves and summary would tell of runs that did not end.
fn stopped(results: &mut Results) -> Result<ExitCode, Failure> {
    results.metrics()?;
    eprintln!(
        "elision: stopped; complete epochs are in {}",
        results.folder.path().join(METRICS).display()
    );
    Ok(Stop::code())
}
