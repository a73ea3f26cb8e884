//! Configurations: what is accepted is written as a text that reads as the same, and a refusal is one line.

use elision_cli::config::Config;

/// The text of a file.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Config::parse(text) {
        Ok(config) => assert_eq!(Config::parse(&config.to_toml()), Ok(config)),
        Err(fault) => assert!(!fault.to_string().contains('\n'), "{fault}"),
    }
}
