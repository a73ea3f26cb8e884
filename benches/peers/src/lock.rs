//! The versions of the crates that this program was built with.

const LOCK: &str = include_str!("../Cargo.lock");

/// The version of a crate in the lock file.
pub(crate) fn version(name: &str) -> &'static str {
    let mut lines = LOCK.lines();
    let heading = format!("name = \"{name}\"");
    lines.find(|line| *line == heading);
    let version = lines.next().and_then(|line| line.split('"').nth(1));
    version.unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_found() {
        assert!(version("gemm").starts_with("0."));
        assert_eq!(version("no such crate"), "unknown");
    }
}
