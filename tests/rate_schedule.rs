//! Schedules of the drop probability: their published ends, their words, and runs that follow them.

mod support;
#[path = "support/training.rs"]
mod training;

use elision::nn::{Layer, rates};
use elision::train::{
    Callback, Control, Epoch, Fit, Moment, Optimizer, Progress, RateCallback, RateSchedule,
    Trainer, TrainerState,
};
use elision::{Error, Key, Result};
use support::on_every_isa;
use training::{CLASSES, adam, clusters, mlp, trainer, weights};

fn parsed(words: &str) -> RateSchedule {
    words
        .parse()
        .unwrap_or_else(|error| panic!("{words}: {error}"))
}

#[test]
fn early_is_a_line_with_both_ends() {
    // The 50 epochs of 4 steps that the paper's array has.
    let (schedule, steps) = (parsed("early:0.1@50"), 50 * 4);
    for i in 0..steps {
        let exact = 0.1 * (1.0 - i as f64 / (steps - 1) as f64);
        assert!((schedule.at(i, 4) - exact).abs() < 1e-16, "{i}");
        assert!(i == 0 || schedule.at(i, 4) < schedule.at(i - 1, 4), "{i}");
    }
    assert_eq!(
        [0, steps - 1, steps].map(|i| schedule.at(i, 4)),
        [0.1, 0.0, 0.0]
    );
    assert_eq!(schedule.at(u64::MAX, 4), 0.0);
    let one = parsed("early:0.1@1steps");
    assert_eq!([0, 1, 2].map(|i| one.at(i, 100)), [0.1, 0.0, 0.0]);
    let two = parsed("early:0.1@2steps");
    assert_eq!([0, 1, 2].map(|i| two.at(i, 100)), [0.1, 0.0, 0.0]);
}

#[test]
fn constants_begin_and_end_where_they_say() {
    let at = |words: &str| [0, 49, 50, 51, u64::MAX].map(|step| parsed(words).at(step, 10));
    assert_eq!(at("constant:0.3"), [0.3; 5]);
    assert_eq!(at("early-constant:0.1@5"), [0.1, 0.1, 0.0, 0.0, 0.0]);
    assert_eq!(at("late:0.1@5"), [0.0, 0.0, 0.1, 0.1, 0.1]);
    assert_eq!(at("switch:0.1@50steps"), at("late:0.1@5"));
    assert_eq!(at("switch:0.2:0.4@5"), [0.2, 0.2, 0.4, 0.4, 0.4]);
}

#[test]
fn curriculum_begins_with_nothing_and_tends_to_its_rate() {
    let (p, gamma) = (0.5, 1e-3);
    let schedule = RateSchedule::curriculum(p, gamma).unwrap();
    assert_eq!(schedule.at(0, 1), 0.0);
    for t in [1, 10, 1000, 5000] {
        // The probability to keep, as published.
        let keep = (1.0 - (1.0 - p)) + p * (-gamma * t as f64).exp();
        assert!((schedule.at(t, 1) - (1.0 - keep)).abs() < 1e-15, "{t}");
        assert!(schedule.at(t, 1) > schedule.at(t - 1, 1));
    }
    let missing = (p - schedule.at(10_000, 1)) / p;
    assert!((missing - 4.54e-5).abs() < 1e-7, "{missing}");
    assert_eq!([1_000_000, u64::MAX].map(|t| schedule.at(t, 1)), [p; 2]);
    // The published baseline that goes the other way.
    let down = RateSchedule::exponential(p, 0.0, gamma).unwrap();
    for t in [0, 7, 900] {
        assert!((down.at(t, 1) - p * (-gamma * t as f64).exp()).abs() < 1e-15);
    }
}

#[test]
fn annealing_ends_without_dropout() {
    let schedule = RateSchedule::annealed(0.4, Moment::Step(10)).unwrap();
    for t in 0..20u32 {
        let exact = 0.4 * (1.0 - f64::from(t) / 10.0).max(0.0);
        assert!((schedule.at(t.into(), 1) - exact).abs() < 1e-16, "{t}");
    }
    assert_eq!([0, 10, 11].map(|t| schedule.at(t, 1)), [0.4, 0.0, 0.0]);
}

#[test]
fn ways_stay_between_their_ends() {
    for words in ["linear:0.1:0.7@10..50steps", "cosine:0.7:0.1@10..50steps"] {
        let schedule = parsed(words);
        let at = |step| schedule.at(step, 1);
        let [from, to] = [at(0), at(50)];
        assert_eq!(
            [from + to, at(10), at(u64::MAX)],
            [0.7 + 0.1, from, to],
            "{words}"
        );
        assert!((at(30) - 0.4).abs() < 1e-15, "{words}");
        for step in 11..=50 {
            let (before, now) = (at(step - 1), at(step));
            assert_eq!(now > before, to > from, "{words} at {step}");
            assert!((0.1..=0.7).contains(&now));
        }
    }
    // Epochs that no machine can count are never over.
    let long = parsed("linear:0:1@18446744073709551615");
    assert!(long.at(1000, u64::MAX) < 1e-15);
    let late = parsed("linear:0.2:1@9223372036854775807..18446744073709551615");
    assert_eq!([0, 1 << 40].map(|step| late.at(step, 1 << 20)), [0.2; 2]);
}

#[test]
fn words_and_schedules_are_the_same() {
    for words in [
        "constant:0.5",
        "linear:0.1:0.5@50",
        "linear:0.1:0.5@10..5000steps",
        "cosine:0.5:0@10..50",
        "exponential:0.5:0.1:0.001",
        "curriculum:0.5:0.001",
        "annealed:0.5@5000steps",
        "early:0.1@50",
        "early-constant:0.1@50steps",
        "late:0.4@50",
        "switch:0.1:0.2@50",
    ] {
        assert_eq!(parsed(words).to_string(), words);
    }
    for (one, other) in [
        ("switch:0.5@3", "late:0.5@3"),
        ("linear:0.5:0@3", "annealed:0.5@3"),
        ("linear:0:0.5@0..3steps", "linear:0:0.5@3steps"),
        ("exponential:0:0.5:1", "curriculum:0.5:1"),
    ] {
        assert_eq!(parsed(one), parsed(other));
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    for words in [
        "",
        "early",
        "early:0.1",
        "early:0.1@",
        "early:x@3",
        "early:0.1@-1",
        "early:0.1@1.5",
        "early:0.1@3epochs",
        "early:0.1@1..3",
        "constant:0.1@3",
        "curriculum:0.1",
        "linear:0.1@3",
        "linear:0.1:0.2@..3",
        "linear:0.1:0.2@1steps..3steps",
        "warmup:3",
    ] {
        let result = words.parse::<RateSchedule>();
        assert!(
            matches!(result, Err(Error::Unsupported(_))),
            "{words}: {result:?}"
        );
    }
    for (words, name) in [
        ("early:0.1@0", "cutoff"),
        ("late:0.1@0steps", "cutoff"),
        ("linear:0.1:0.2@0", "end of a rate schedule"),
        ("linear:0.1:0.2@5..5", "end of a rate schedule"),
        ("cosine:0.1:0.2@6..5steps", "end of a rate schedule"),
        ("annealed:0.1@0", "end of a rate schedule"),
        ("curriculum:0.1:0", "gamma"),
        ("curriculum:0.1:-1", "gamma"),
        ("exponential:0.1:0.2:inf", "gamma"),
        ("exponential:0.1:0.2:NaN", "gamma"),
    ] {
        let error = words.parse::<RateSchedule>().expect_err(words);
        assert!(
            matches!(error, Error::Number { .. }) && error.to_string().contains(name),
            "{words}: {error}"
        );
    }
    for words in [
        "constant:1.5",
        "linear:-0.1:0.5@3",
        "cosine:0.5:NaN@3",
        "early:2@3",
        "switch:0:-1@3",
    ] {
        let result = words.parse::<RateSchedule>();
        assert!(
            matches!(result, Err(Error::Probability(_))),
            "{words}: {result:?}"
        );
    }
    let mixed = RateSchedule::linear(0.0, 0.1, Moment::Step(1)..Moment::Epoch(2));
    assert!(matches!(mixed, Err(Error::Unsupported(_))));
}

fn followed(words: &str, model: &dyn Layer) -> RateCallback {
    RateCallback::new(parsed(words), 4, model).unwrap()
}

#[test]
fn the_layers_that_drop_follow() {
    let mut model = mlp(0.4);
    let mut callback = followed("late:0.1@5", &model);
    callback.before_step(0, &mut model).unwrap();
    assert_eq!(
        rates(&model),
        [("input".to_owned(), 0.0)],
        "fused layers without dropout have no rate"
    );
    callback.before_step(20, &mut model).unwrap();
    let names = ["input", "first", "second"];
    assert_eq!(rates(&model), names.map(|name| (name.to_owned(), 0.1)));
}

#[test]
fn a_factor_leaves_the_layers_apart() {
    let mut model = mlp(0.4);
    let mut callback = followed("linear:1:0.5@5", &model).relative();
    callback.before_step(20, &mut model).unwrap();
    // A second time the factor is still that of the rates the model was built with.
    callback.before_step(20, &mut model).unwrap();
    let found: Vec<f64> = rates(&model).into_iter().map(|(_, p)| p).collect();
    assert_eq!(found, [0.1, 0.2, 0.2]);
}

#[test]
fn a_pattern_chooses_the_layers() {
    let mut model = mlp(0.4);
    let schedule = parsed("constant:0.3");
    let mut callback = RateCallback::matching(schedule.clone(), 4, &model, "*put").unwrap();
    callback.before_step(0, &mut model).unwrap();
    let found = rates(&model).into_iter().map(|(_, p)| p);
    assert_eq!(found.collect::<Vec<_>>(), [0.3, 0.4, 0.4, 0.3]);
    let none = RateCallback::matching(schedule.clone(), 4, &model, "third");
    assert_eq!(none, Err(Error::Pattern("third".to_owned())));
    let none = RateCallback::new(schedule.clone(), 4, &elision::nn::Flatten);
    assert_eq!(none, Err(Error::Pattern("*".to_owned())));
    assert!(matches!(
        RateCallback::new(schedule, 0, &model),
        Err(Error::Number { .. })
    ));
}

/// Stops after a step, and after an epoch.
#[derive(Default)]
struct Stop {
    step: Option<u64>,
    epoch: Option<u64>,
}

fn control(stop: bool) -> Control {
    match stop {
        true => Control::Stop,
        false => Control::Continue,
    }
}

impl Callback for Stop {
    fn batch(&mut self, progress: &Progress) -> Control {
        control(self.step == Some(progress.step))
    }

    fn epoch(&mut self, epoch: &Epoch, _: &dyn TrainerState) -> Result<Control> {
        Ok(control(self.epoch == Some(epoch.epoch)))
    }
}

#[test]
fn a_scheduled_run_goes_on_bit_for_bit() {
    // Four steps an epoch; the rate changes in each step of the first two epochs.
    let (samples, fit) = (clusters(50), Fit::new(3, 16));
    on_every_isa("resuming a schedule", |_| {
        for words in ["early:0.6@2", "curriculum:0.5:0.3", "late:0.5@6steps"] {
            let mut whole = trainer(0.4, adam(0.01));
            let mut callback = followed(words, whole.model());
            whole.fit(&samples, None, &fit, &mut callback).unwrap();
            for stop in [1, 4, 7] {
                let mut first = trainer(0.4, adam(0.01));
                let step = Some(stop);
                let mut pair = (followed(words, first.model()), Stop { step, epoch: None });
                first.fit(&samples, None, &fit, &mut pair).unwrap();
                assert_eq!(first.steps(), stop);
                let optimizer = Optimizer::new(adam(0.01)).unwrap();
                let mut second = Trainer::new(mlp(0.4), optimizer, CLASSES, Key::new(999));
                let mut callback = followed(words, second.model());
                second.restore(&first.checkpoint().unwrap()).unwrap();
                second.fit(&samples, None, &fit, &mut callback).unwrap();
                assert_eq!(
                    weights(second.model()),
                    weights(whole.model()),
                    "{words} {stop}"
                );
            }
        }
    });
}

#[test]
fn a_rate_that_is_set_is_the_rate_that_trains() {
    let (samples, fit) = (clusters(50), Fit::new(1, 16));
    let run = |p: f64, words: &str| {
        let mut trainer = trainer(p, adam(0.01));
        let mut callback = followed(words, trainer.model());
        trainer.fit(&samples, None, &fit, &mut callback).unwrap();
        weights(trainer.model())
    };
    let mut plain = trainer(0.0, adam(0.01));
    plain.fit(&samples, None, &fit, &mut ()).unwrap();
    assert_eq!(run(0.4, "constant:0"), weights(plain.model()));
    assert_eq!(run(0.4, "constant:0.3"), run(0.7, "constant:0.3"));
    assert_ne!(run(0.4, "constant:0.3"), run(0.4, "constant:0.2"));
}

#[test]
fn either_of_a_pair_may_stop() {
    let (samples, fit) = (clusters(50), Fit::new(3, 16));
    let stop = |step, epoch| Stop { step, epoch };
    for (first, second, steps) in [
        (stop(Some(3), None), stop(None, None), 3),
        (stop(None, None), stop(Some(5), None), 5),
        (stop(None, Some(1)), stop(None, None), 4),
        (stop(None, None), stop(None, Some(2)), 8),
    ] {
        let mut trainer = trainer(0.4, adam(0.01));
        trainer
            .fit(&samples, None, &fit, &mut (first, second))
            .unwrap();
        assert_eq!(trainer.steps(), steps);
    }
}
