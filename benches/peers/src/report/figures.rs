//! Numbers as a reader likes them.

/// A duration with three digits.
pub(super) fn duration(seconds: f64) -> String {
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")];
    let unit = units.iter().find(|(unit, _)| seconds >= *unit);
    let (unit, name) = unit.unwrap_or(&(1e-9, "ns"));
    format!("{} {name}", digits(seconds / unit))
}

/// A number with three digits, or all of those before the point.
pub(super) fn digits(x: f64) -> String {
    let before = if x >= 100.0 {
        3
    } else if x >= 10.0 {
        2
    } else {
        1
    };
    let places = if x > 0.0 && x < 0.1 { 3 } else { 3 - before };
    format!("{x:.places$}")
}

#[cfg(test)]
mod tests {
    use super::{digits, duration};

    #[test]
    fn three_digits() {
        let numbers = [1234.5, 123.4, 12.34, 1.234, 0.1234, 0.01234];
        let texts = numbers.map(digits);
        assert_eq!(texts, ["1234", "123", "12.3", "1.23", "0.12", "0.012"]);
        assert_eq!(duration(0.01234), "12.3 ms");
        assert_eq!(duration(2.5e-7), "250 ns");
    }
}
