//! The steps at which a run is measured.

/// At most `points` steps, from 0 to `last`: the next one is some factor later, so that most of them are early, where
/// gradients change most.
pub(super) fn steps(points: u32, last: u64) -> Vec<u64> {
    let later = f64::from(points.max(3) - 2);
    let step = |i: u32| (last as f64).powf(f64::from(i) / later).round() as u64;
    let mut steps = vec![0, last];
    if points > 2 {
        steps.extend((0..points - 1).map(step).filter(|&step| step < last));
    }
    steps.sort_unstable();
    steps.dedup();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_measured_and_early_steps_most() {
        assert_eq!(steps(2, 100), [0, 100]);
        assert_eq!(steps(3, 100), [0, 1, 100]);
        assert_eq!(steps(4, 100), [0, 1, 10, 100]);
        assert_eq!(steps(16, 3), [0, 1, 2, 3]);
        assert_eq!(steps(16, 0), [0]);
        let many = steps(16, 4400);
        assert!(many.len() <= 16 && many.is_sorted(), "{many:?}");
        assert_eq!((many[0], many[1], many[many.len() - 1]), (0, 1, 4400));
    }
}
