//! What is wrong with a file.

use std::fmt;

/// Why a text is no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The line, from 1, and its text, which holds the key; none if the fault is that of the whole.
    place: Option<(usize, String)>,
    message: String,
}

/// Characters of a line that a message repeats.
const SHOWN: usize = 60;

impl ConfigFault {
    pub(super) fn new(text: &str, error: &toml::de::Error) -> Self {
        let place = error.span().map(|span| {
            let before = text.get(..span.start).unwrap_or(text);
            let number = before.matches('\n').count();
            let line = text.lines().nth(number).unwrap_or_default();
            (number + 1, shown(line))
        });
        let message = error.message().split_whitespace();
        Self {
            place,
            message: message.collect::<Vec<_>>().join(" "),
        }
    }

    /// The line, from 1, if the fault has one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|(line, _)| *line)
    }
}

fn shown(line: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let line = line.trim();
    let mut start: String = line.chars().take(SHOWN).map(plain).collect();
    if line.chars().count() > SHOWN {
        start.push('…');
    }
    start
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((number, line)) = &self.place {
            write!(f, "line {number}, {line:?}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigFault {}
