//! What the user sees while the network learns: a bar on a terminal, a few lines elsewhere.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::metrics::{Epoch, Score};

/// Lines a run where there is no terminal.
const LINES: u64 = 10;

/// The progress of one run.
pub(crate) struct Progress {
    name: &'static str,
    epochs: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// For a run of so many epochs of so many steps, of which some are done.
    pub(crate) fn new(name: &'static str, epochs: u64, steps: u64, done: u64) -> Self {
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| bar(name, epochs.saturating_mul(steps)).with_position(done));
        Self { name, epochs, bar }
    }

    /// After a training step of epoch `epoch`: the scores of the batches of this epoch so far.
    pub(crate) fn step(&self, epoch: u64, so_far: Score, samples_per_second: f64) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
            bar.set_message(line(epoch, self.epochs, so_far, samples_per_second));
        }
    }

    /// After an epoch.
    pub(crate) fn epoch(&self, epoch: &Epoch) {
        let every = self.epochs.div_ceil(LINES).max(1);
        if self.bar.is_none() && (epoch.number.is_multiple_of(every) || epoch.number == self.epochs)
        {
            let line = line(
                epoch.number,
                self.epochs,
                epoch.batch,
                epoch.samples_per_second,
            );
            eprintln!(
                "{:<12} {line}  test accuracy {:.2} %",
                self.name,
                100.0 * epoch.test.accuracy
            );
        }
    }
}

impl Drop for Progress {
    /// Leaves the bar's last state on the screen.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

fn bar(name: &'static str, steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{prefix:<12} {bar:16} {percent:>3} % {eta:>4} left  {wide_msg}",
    )
    .expect("the template is a constant");
    ProgressBar::new(steps).with_style(style).with_prefix(name)
}

fn line(epoch: u64, epochs: u64, score: Score, samples_per_second: f64) -> String {
    let Score { loss, accuracy } = score;
    format!(
        "epoch {epoch:>3}/{epochs}  loss {loss:.4}  accuracy {:>6.2} %  {samples_per_second:>7.0} samples/s",
        100.0 * accuracy
    )
}
