//! The seeds of a sweep.

use std::str::FromStr;

use crate::config::MOST_SEED;

/// One seed or more, all different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(pub(crate) Vec<u64>);

/// More runs than anyone waits for.
const MOST: u64 = 1000;

impl FromStr for Seeds {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected seeds as 1..5, which is 1 to 5, or as a list 1,2,3";
        let number = |word: &str| match word.trim().parse() {
            Ok(seed) if seed <= MOST_SEED => Ok(seed),
            _ => Err(EXPECTED),
        };
        let seeds: Vec<u64> = match words.split_once("..") {
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last.trim_start_matches('='))?);
                if last < first || last - first >= MOST {
                    return Err(format!("expected 1 to {MOST} seeds, the lowest first"));
                }
                (first..=last).collect()
            }
            None => words.split(',').map(number).collect::<Result<_, _>>()?,
        };
        let twice = |(at, seed)| seeds[..at].contains(seed).then_some(seed);
        match seeds.iter().enumerate().find_map(twice) {
            Some(seed) => Err(format!("seed {seed} comes twice")),
            None => Ok(Self(seeds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_lists() {
        let seeds = |words: &str| words.parse::<Seeds>().map(|seeds| seeds.0);
        assert_eq!(seeds("1..3"), Ok(vec![1, 2, 3]));
        assert_eq!(seeds("7"), Ok(vec![7]));
        assert_eq!(seeds("3,1"), Ok(vec![3, 1]));
        for bad in ["", "3..1", "1,1", "a", "1..", "0..9999999", "-1"] {
            assert!(seeds(bad).is_err(), "{bad:?}");
        }
    }
}
