//! The caches of the first core, where the system tells.

use std::fmt;
use std::fs;
use std::path::Path;

/// One cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cache {
    level: String,
    kind: String,
    size: String,
    line: String,
    shared: String,
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            level,
            kind,
            size,
            line,
            shared,
        } = self;
        write!(
            f,
            "L{level} {kind} {size}, lines of {line} bytes, shared by cpus {shared}"
        )
    }
}

/// The caches below `folder`, which Linux has at `/sys/devices/system/cpu/cpu0/cache`; none where the
/// system does not say.
pub(crate) fn caches(folder: &Path) -> Vec<Cache> {
    (0..)
        .map_while(|index| cache(&folder.join(format!("index{index}"))))
        .collect()
}

fn cache(folder: &Path) -> Option<Cache> {
    let word = |name: &str| {
        Some(
            fs::read_to_string(folder.join(name))
                .ok()?
                .trim()
                .to_owned(),
        )
    };
    let or_unknown = |name: &str| word(name).unwrap_or_else(|| "unknown".to_owned());
    Some(Cache {
        level: word("level")?,
        kind: word("type")?.to_lowercase(),
        size: or_unknown("size"),
        line: or_unknown("coherency_line_size"),
        shared: or_unknown("shared_cpu_list"),
    })
}
