//! Schedules: their ends, their way between, and their words.

use elision::Error;
use elision::train::Schedule;

/// All factors from `first` to `last` go one way.
fn falls(schedule: &Schedule, first: u64, last: u64) -> bool {
    (first..last).all(|step| schedule.factor(step) > schedule.factor(step + 1))
}

fn rises(schedule: &Schedule, first: u64, last: u64) -> bool {
    (first..last).all(|step| schedule.factor(step) < schedule.factor(step + 1))
}

#[test]
fn a_constant_is_one() {
    assert_eq!(
        [0, 1, u64::MAX].map(|step| Schedule::Constant.factor(step)),
        [1.0; 3]
    );
}

#[test]
fn steps_multiply() {
    let schedule = Schedule::step(100, 0.5).unwrap();
    let at = [0, 99, 100, 199, 200, 1000].map(|step| schedule.factor(step));
    assert_eq!(at, [1.0, 1.0, 0.5, 0.5, 0.25, 1.0 / 1024.0]);
    assert_eq!(schedule.factor(u64::MAX), 0.0);
    assert_eq!(Schedule::step(1, 1.0).unwrap().factor(u64::MAX), 1.0);
}

#[test]
fn a_cosine_meets_its_ends() {
    for (total, floor) in [(1, 0.0), (10, 0.1), (1000, 0.0), (7, 1.0 / 3.0)] {
        let schedule = Schedule::cosine(total, floor).unwrap();
        let ends = [0, total, total + 1, u64::MAX].map(|step| schedule.factor(step));
        assert_eq!(ends, [1.0, floor, floor, floor]);
        assert!(falls(&schedule, 0, total));
        for step in 0..=total {
            let angle = std::f64::consts::PI * step as f64 / total as f64;
            let exact = floor + (1.0 - floor) * 0.5 * (1.0 + angle.cos());
            assert!((schedule.factor(step) - exact).abs() < 1e-14);
        }
    }
}

#[test]
fn a_warm_up_begins_above_zero_and_ends_at_the_whole() {
    let schedule = Schedule::warm_up(50, Schedule::cosine(1000, 0.0).unwrap()).unwrap();
    assert_eq!(schedule.factor(0), 1.0 / 50.0);
    assert_eq!(schedule.factor(24), 0.5);
    assert_eq!(schedule.factor(49), 1.0);
    assert_eq!(schedule.factor(50), 1.0);
    assert_eq!(schedule.factor(1050), 0.0);
    assert!(rises(&schedule, 0, 49) && falls(&schedule, 50, 1050));
    // It is PyTorch's LinearLR(start_factor=1/50, total_iters=49).
    for step in 0..50 {
        let linear = 0.02 + (1.0 - 0.02) * step as f64 / 49.0;
        assert!((schedule.factor(step) - linear).abs() < 1e-15);
    }
    let one = Schedule::warm_up(1, Schedule::Constant).unwrap();
    assert_eq!([0, 1, u64::MAX].map(|step| one.factor(step)), [1.0; 3]);
    // It leads to the first factor of what follows.
    let cycle = Schedule::warm_up(4, Schedule::one_cycle(100).unwrap()).unwrap();
    assert_eq!([3, 4].map(|step| cycle.factor(step)), [1.0 / 25.0; 2]);
    let long = Schedule::warm_up(u64::MAX, Schedule::Constant).unwrap();
    assert!(long.factor(0) > 0.0 && long.factor(u64::MAX) == 1.0);
}

#[test]
fn a_cycle_goes_up_and_down() {
    let schedule = Schedule::one_cycle(1000).unwrap();
    assert_eq!(schedule.factor(0), 1.0 / 25.0);
    assert_eq!(schedule.factor(299), 1.0);
    let last = 1.0 / 25.0 / 1e4;
    assert_eq!(
        [999, 1000, u64::MAX].map(|step| schedule.factor(step)),
        [last; 3]
    );
    assert!(rises(&schedule, 0, 299) && falls(&schedule, 299, 999));
    // Halfway up and down, as PyTorch has them.
    let small = Schedule::one_cycle_with(21, 11.0 / 21.0, 4.0, 10.0).unwrap();
    assert!((small.factor(5) - (0.25 + 1.0) / 2.0).abs() < 1e-15);
    assert!((small.factor(15) - (1.0 + 0.025) / 2.0).abs() < 1e-15);
}

#[test]
fn short_and_lopsided_cycles_have_ends() {
    for total in [1, 2, 3, 10] {
        for warm in [0.0, 0.05, 0.3, 0.5, 1.0] {
            let schedule = Schedule::one_cycle_with(total, warm, 5.0, 2.0).unwrap();
            for step in 0..total + 2 {
                let factor = schedule.factor(step);
                assert!(
                    (0.1..=1.0).contains(&factor),
                    "{schedule} at {step}: {factor}"
                );
            }
            assert_eq!(schedule.factor(total), 0.1, "{schedule}");
        }
    }
    let down = Schedule::one_cycle_with(10, 0.0, 5.0, 2.0).unwrap();
    assert_eq!(down.factor(0), 1.0);
}

#[test]
fn words_survive_a_round_trip() {
    let words = [
        "constant",
        "step:100:0.5",
        "step:7:0.3333333333333333",
        "cosine:1000",
        "cosine:1000:0.01",
        "one-cycle:1000",
        "one-cycle:1000:0.25:10:1000",
        "warmup:50",
        "warmup:50+cosine:1000",
        "warmup:50+step:100:0.5",
        "warmup:3+one-cycle:20:0.1:3:1.5",
    ];
    for words in words {
        let schedule: Schedule = words.parse().unwrap();
        assert_eq!(schedule.to_string(), words);
    }
    for (long, short) in [
        ("cosine:5:0", "cosine:5"),
        ("one-cycle:5:0.3:25:1e4", "one-cycle:5"),
        ("one-cycle:5:3e-1:2.5e+1:1e4", "one-cycle:5"),
        ("warmup:5+constant", "warmup:5"),
    ] {
        let schedule: Schedule = long.parse().unwrap();
        assert_eq!(schedule.to_string(), short);
        assert_eq!(Ok(schedule), short.parse());
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    for words in [
        "",
        "constant:1",
        "step",
        "step:1",
        "step:x:0.5",
        "step:1:0.5:2",
        "step:-1:0.5",
        "cosine",
        "cosine:1.5",
        "cosine:1:x",
        "one-cycle:9:0.3",
        "warmup",
        "warmup:",
        "warmup:5+",
        "warmup:5+x",
        "cosine:5+constant",
        "warmup:5+cosine:5+constant",
        "Constant",
        " constant",
        "warmup:5+warmup:5",
    ] {
        let result = words.parse::<Schedule>();
        assert!(matches!(result, Err(Error::Unsupported(_))), "{words}");
    }
    for words in [
        "step:0:0.5",
        "step:1:0",
        "step:1:1.1",
        "step:1:NaN",
        "step:1:-0.5",
        "cosine:0",
        "cosine:1:1.1",
        "cosine:1:-0.1",
        "cosine:1:nan",
        "warmup:0",
        "warmup:0+constant",
        "one-cycle:0",
        "one-cycle:5:1.1:25:1e4",
        "one-cycle:5:0.3:0.5:1e4",
        "one-cycle:5:0.3:25:inf",
    ] {
        let result = words.parse::<Schedule>();
        assert!(matches!(result, Err(Error::Number { .. })), "{words}");
    }
}
