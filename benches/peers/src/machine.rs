//! Where and when a run took place.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The parts of a report's head.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Year, month and day, UTC.
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// The revision of the repository, if git knows it.
    pub(crate) revision: Option<String>,
    pub(crate) compiler: Option<String>,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn describe() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let count = info
            .lines()
            .filter(|line| line.starts_with("processor"))
            .count();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            date: date(SystemTime::now()),
            processor: processor(&info),
            cores: if count > 0 { count } else { cores },
            revision: output("git", &["describe", "--always", "--dirty"]),
            compiler: output("rustc", &["--version"]),
        }
    }
}

/// The processor's name, and the numbers that tell it from others of the same name.
fn processor(info: &str) -> String {
    let field = |name: &str| {
        let line = info
            .lines()
            .find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim())
    };
    let Some(name) = field("model name") else {
        return std::env::consts::ARCH.to_owned();
    };
    match (field("cpu family"), field("model")) {
        (Some(family), Some(model)) => format!("{name}, family {family} model {model}"),
        _ => name.to_owned(),
    }
}

/// What a command prints, run beside the sources.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = command.args(arguments).current_dir(here).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// The date of a time after 1970, by the algorithm `civil_from_days` of
/// <https://howardhinnant.github.io/date_algorithms.html>.
fn date(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_based = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_based + 2) / 5 + 1;
    let month = if march_based < 10 {
        march_based + 3
    } else {
        march_based - 9
    };
    let year = 400 * era + year + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::date;

    #[test]
    fn dates_of_leap_years() {
        let day = |days: u64| date(UNIX_EPOCH + Duration::from_secs(86_400 * days));
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(11_016), "2000-02-29");
        assert_eq!(day(20_088), "2024-12-31");
    }
}
